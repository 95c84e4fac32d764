/*
 * connect: the connection that a session runs on: from the address and port that ClientPortOptions says, within
 * Timeout.iconnect or Timeout.connect, and once more where a line is dialled first (DialDelay).
 */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"
#include "net/address.h"

/* ClientPortOptions of this family (AF_INET, AF_INET6), the configuration's; NULL: nothing is said. */
const struct daemon_port *connect_find_port(const struct client *, int family);

/*
 * Connects to one address, whose port is set, no longer than to `all_deadline` (base/clock), and makes c->conn of it;
 * `port` is NULL where ClientPortOptions has nothing to say.  False: the session has ended with the reason
 * (connect_end_failed; in c->trouble when our own address is none of this host's).
 */
bool connect_open(struct client *, const struct net_address *, const struct daemon_port *port,
    int64_t all_deadline);

/*
 * Ends the session because there is no connection, with V8's words for this errno, which goes to c->connect_error: other
 * processes are told of it (client/host_status).
 */
void connect_end_failed(struct client *, int error);

#endif
