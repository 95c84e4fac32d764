/*
 * sasl: the client side of a SASL exchange by Cyrus SASL (RFC 4422).  (Names here begin with
 * `exchange`, as the library owns `sasl_`.)
 */
#ifndef NET_SASL_H
#define NET_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/secret.h"

struct exchange;

struct exchange_settings {
	const char *service, *server_name; /* "smtp", "relay.example.org" */
	const char *user;		   /* authorization id */
	const char *id;			   /* authentication id */
	const char *realm;		   /* NULL: what the server says */
	const struct secret *password; /* stays the caller's, and there, until exchange_destroy */
	bool no_plain_text;	       /* PLAIN and LOGIN may not be used */
	bool no_anonymous, no_active, no_dictionary, forward_secrecy,
	    mutual;		  /* AuthOptions y a d f m */
	unsigned tls_bits;	  /* strength of the TLS below, 0 in the clear */
	const char *tls_identity; /* of our own certificate, for EXTERNAL; NULL without one */
};

enum exchange_status {
	EXCHANGE_CONTINUE, /* send `out`, wait for the server */
	EXCHANGE_NO_MECHANISM,
	EXCHANGE_FAILED, /* *reason says why */
};

/* NULL when the library cannot work at all. */
struct exchange *exchange_create(const struct exchange_settings *, const char **reason);
void exchange_destroy(struct exchange *); /* NULL is allowed */

/*
 * Begins with the best of the mechanisms (names with blanks between).  *mechanism lives as long as
 * the exchange.  *has_out: there is an initial response (it may be empty).
 */
enum exchange_status exchange_start(struct exchange *, const char *mechanisms,
    const char **mechanism, struct secret *out, bool *has_out, const char **reason);
/* Answers a challenge. */
enum exchange_status exchange_step(struct exchange *, const char *challenge, size_t length,
    struct secret *out, const char **reason);
/* After the server accepted: strength of the layer that was agreed on (always 0 with us), for the log. */
unsigned exchange_bits(struct exchange *);

#endif
