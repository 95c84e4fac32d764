/*
 * listen: sockets that wait for connections.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "net/address.h"

struct listen_request {
	int family;	     /* AF_INET or AF_INET6 */
	const char *address; /* number or host name; NULL, "" or "*": every address */
	const char *port;    /* "25" or "smtp"; NULL: smtp */
	int backlog;	     /* 0 or less: as long as the system allows */
	int send_buffer, receive_buffer;
	bool
	    shares_port; /* another socket of ours listens on the port, by an address that overlaps; see os_share_port */
};

/* A non-blocking, close-on-exec listening socket; -1 and *error ("cannot bind: Address already in use"). */
int listen_open(const struct listen_request *, struct arena *, const char **error);

/* The address that listen_open would take.  False and *error: the name of host or service is not known. */
bool listen_address(
    const struct listen_request *, struct net_address *, struct arena *, const char **error);
bool listen_same_address(const struct net_address *, const struct net_address *); /* port and all */
void listen_any_address(struct net_address *); /* every address, by the same port */

/* The same on a local socket; one that nobody listens on any more is replaced.  `mode` of the name. */
int listen_open_local(const char *path, mode_t mode, struct arena *, const char **error);

/* The next connection, close-on-exec; -1 with errno (EAGAIN: none is waiting). */
int listen_accept(int fd, struct net_address *peer);

#endif
