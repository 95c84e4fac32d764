/*
 * tls: OpenSSL 3 below a conn.  Contexts are made before the fork (a CA bundle takes 25 ms to load);
 * sessions and what they negotiated belong to one connection.
 *
 * Only programs that talk to the network link this; a conn itself knows TLS by its methods alone.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "net/conn.h"

struct dns_record;
struct tls_context;
struct tls_session;

enum tls_role { TLS_CLIENT, TLS_SERVER };

/* From the options of the same names; NULL or "" is not given.  Nothing is kept of it. */
struct tls_settings {
	const char *ca_cert_file, *ca_cert_path, *crl_file, *crl_path;
	const char *cert_file,
	    *key_file; /* ServerCertFile..., ClientCertFile...: "file" or "file,second" */
	const char *cipher_list, *cipher_suites;
	const char *ssl_options; /* "+SSL_OP_NO_TLSv1 -SSL_OP_..."; numbers too */
	const char *dh_parameters;
	const char *cert_fingerprint_algorithm;
	bool may_key_be_group_readable; /* DontBlameSendmail=GroupReadableKeyFile */
	bool
	    ask_for_certificate; /* servers: request one from clients (M=V and srv_features V say no) */
};

/*
 * What is wrong is logged in V8's words.  NULL for a server without certificate and key (STARTTLS is
 * not offered then) and when OpenSSL refuses to work at all; a client needs no certificate.
 */
struct tls_context *tls_context_create(enum tls_role, const struct tls_settings *);
void tls_context_destroy(struct tls_context *); /* NULL is allowed */

/* What a handshake came to, for macros and the log.  Texts live in the arena given; "" when unknown. */
struct tls_info {
	const char *
	    verify; /* ${verify}: OK NO NOT FAIL, or SOFTWARE PROTOCOL CONFIG TEMP after a failure */
	const char *version; /* ${tls_version}: TLSv1.3 */
	const char *cipher;  /* ${cipher} */
	int cipher_bits;     /* ${cipher_bits} */
	int algorithm_bits;  /* ${alg_bits} */
	const char *cn_subject, *cn_issuer, *cert_subject,
	    *cert_issuer; /* of the peer's certificate, encoded as macros are */
	const char *const *
	    alternative_names; /* DNS names that the certificate is for, encoded; NULL at the end */
	const char *cert_md5;  /* ${cert_md5}: AA:BB:... */
	const char *cert_fp;   /* ${cert_fp}, with CertFingerprintAlgorithm */
	const char *verify_message; /* OpenSSL's words: "ok", "self-signed certificate", ... */
	const char *reason;	    /* of a failure, one line */
	bool
	    is_dane_unusable; /* there are TLSA records, and none of a kind that SMTP has a use for */
	bool is_resumed;      /* the handshake was a short one */
};

/* RFC 7672: what the TLSA records of a host say of its certificate. */
struct tls_dane {
	const char
	    *base_domain; /* the name that has the records: SNI, and what the certificate is for */
	const char *next_hop; /* the name that was asked for first; NULL or "": the same */
	const struct dns_record *records; /* net/dns.h, type TLSA */
	size_t count;			  /* 0: no DANE here */
};

/* What tls_clt_features and tls_srv_features change for one session; NULL: as the context has it. */
struct tls_features {
	const char *ssl_options, *cipher_list, *cert_file, *key_file;
	bool needs_revocation_lists; /* Flags=R: each certificate's authority must have one */
	bool has_fallback, fallback_to_clear; /* Flags=c, C: TLSFallbacktoClear of this session */
	bool no_dane;			      /* Flags=d */
	struct tls_dane dane;		      /* not from the rulesets */
};

/*
 * "CipherList=HIGH; Options=SSL_OP_NO_TLSv1_2; Flags=R", as the rulesets answer it; quotes and blanks do not count.
 * False: *wrong is the part that is no such thing.
 */
bool tls_features_parse(
    const char *text, struct arena *, struct tls_features *, const char **wrong);

/*
 * Shakes hands within the deadline of the conn.  Input that is already buffered is forgotten: it was
 * injected before TLS began.  False: the conn has failed, info says why.
 *
 * Clients: `host` names the peer for SNI and for the cache of sessions to resume; a number gets no
 * SNI.  Servers: NULL.  With records of DANE ${verify} is TRUSTED or DANE_FAIL; where none of them can be used (usage 0
 * and 1, unknown kinds) it is as without them, and info->is_dane_unusable.  Features may be NULL; those that cannot be had make the handshake fail, with ${verify} CONFIG.
 */
bool tls_start(struct conn *, struct tls_context *, const char *host, const struct tls_features *,
    struct arena *, struct tls_info *);

/* Calls back with each macro that a connection has by this info: "tls_version", "verify", "cn_subject", ... */
void tls_info_each_macro(const struct tls_info *, struct arena *,
    void (*set)(void *context, const char *name, const char *value), void *context);

#endif
