/*
 * address: numbers and names of hosts, and connecting to them.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"

struct net_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

enum { ADDRESS_TEXT_SIZE = 64 };

/* "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1", each also in brackets; false: no number. The port is 0. */
bool address_parse(const char *text, struct net_address *);

/*
 * "192.0.2.1" or "IPv6:2001:db8:0:0:0:0:0:1" (with `compressed`: "IPv6:2001:db8::1"), as V8 writes
 * them; an IPv4 address inside IPv6 is shown as IPv4; "localhost" for a local socket.
 */
const char *address_text(const struct sockaddr *, bool compressed, char buffer[ADDRESS_TEXT_SIZE]);

unsigned address_port(const struct sockaddr *); /* 0 for a local socket */
void address_set_port(struct net_address *, unsigned port);

/* "587", "smtp", "submission": from the services of the system, which need not know mail's own; 0: no such port. */
unsigned address_port_named(const char *text);

enum address_status {
	ADDRESS_FOUND,
	ADDRESS_NO_NAME,   /* the name does not exist */
	ADDRESS_NO_DATA,   /* it has no address of this family, as far as the system tells the two apart */
	ADDRESS_TRY_AGAIN, /* no answer now, or our system is short of something */
};

/*
 * All addresses of a name as the system finds them (hosts file, DNS, ...), in its order.  A final
 * dot keeps the hosts file and search lists out of it.  `family` AF_UNSPEC, AF_INET or AF_INET6.
 * The list lives in the arena.  It may take as long as the system's resolver does.
 */
enum address_status address_resolve(
    const char *name, int family, struct arena *, struct net_address **list, size_t *count);

/*
 * The same from the lines of a hosts file alone ("192.0.2.1 name alias ..."), without any search
 * list; a final dot of the name does not count.  NULL is /etc/hosts.  Never ADDRESS_TRY_AGAIN.
 */
enum address_status address_find_in_hosts(
    const char *file, const char *name, struct arena *, struct net_address **list, size_t *count);

/* What a connection is bound to and how its socket is made; zeroed: nothing special. */
struct address_options {
	struct net_address local; /* length 0: none */
	int send_buffer, receive_buffer;
};

/* The sizes of a socket's buffers; 0: as the system has them. */
void address_set_buffers(int fd, int send_bytes, int receive_bytes);

/* A connected, non-blocking, close-on-exec socket; -1 with errno (ETIMEDOUT at the deadline). */
int address_connect(const struct net_address *, const struct address_options *, int64_t deadline);

#endif
