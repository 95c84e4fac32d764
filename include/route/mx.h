/*
 * mx: which hosts to connect to for a host as ruleset 0 gave it (RFC 5321 5.1; RFC 7505).
 */
#ifndef ROUTE_MX_H
#define ROUTE_MX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "conf/config.h"
#include "net/address.h"
#include "net/dns.h"

struct mx_host {
	const char *name; /* as V8 shows it: "mx.example.org." or "[192.0.2.1]" */
	const char *
	    look_up; /* what to ask the system for: "mx.example.org.", "mx.example.org" for a bracketed name */
	const char *given; /* as the list had it; the MX itself */
	bool
	    is_secure; /* DNSSEC says so of the way from the name asked for; brackets are the administrator's word */
	bool is_last_resort; /* FallbackSmartHost: only while none of the others lets us in */
	const char *asked;   /* the domain whose MX it is, without final dot */
	bool is_mx;	     /* an MX record named it */
	bool is_literal;     /* an address in brackets: look_up is it, nothing to ask for */
	unsigned preference;
	struct net_address
	    *addresses; /* from the hosts file, for a name that DNS does not know; else NULL */
	size_t address_count;
};

enum mx_status {
	MX_FOUND,
	MX_TRY_AGAIN, /* DNS gave no answer */
	MX_NO_NAME,   /* there is no such host */
	MX_NULL,      /* it takes no mail (RFC 7505) */
	MX_SELF,      /* its best MX is this host */
};

struct mx_list {
	enum mx_status
	    status; /* MX_FOUND when there is at least one host; else of the last name that had none */
	const char *name; /* the name that the status is about, as V8 shows it */
	const char *self; /* MX_SELF: the own name that was found */
	struct mx_host *hosts;
	size_t count;
};

/* How names are asked for: dns_query, or a test's own. */
typedef void mx_query(const char *name, enum dns_type, struct arena *, struct dns_answer *);

/*
 * `host` may be a list: `a:b` in this order, `a,b` in any; `[name]` and `[192.0.2.1]` have no MX look-up.
 * MX hosts of equal preference come in random order; a list in which this host stands is cut there.
 * FallbackMXhost and FallbackSmartHost come last, also where the host itself is unknown.  `no_mx` (mailer flag 0) asks for no MX at all.
 */
void mx_find(const struct config *, const char *host, bool no_mx, mx_query *, struct arena *,
    struct mx_list *);

/* Copies a list into another arena. */
void mx_copy(const struct mx_list *, struct arena *, struct mx_list *copy);

/*
 * The next host from `index` on that did not stand in the list before (as an MX and as FallbackMXhost); `count`
 * when there is none.
 */
size_t mx_next(const struct mx_list *, size_t index);

#endif
