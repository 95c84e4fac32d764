/*
 * tls_private: what tls_context.c and tls_session.c share.
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "base/table.h"
#include "net/tls.h"

enum { TLS_ERROR_SIZE = 256, TLS_SESSIONS_MAXIMUM = 64 };

struct tls_context {
	enum tls_role role;
	const char *role_name; /* as in STARTTLS=client */
	SSL_CTX *ssl;
	const EVP_MD *fingerprint;
	bool asks_for_certificate;
	struct table *sessions; /* clients: host -> SSL_SESSION *, to be resumed */
};

/* "+SSL_OP_NO_TLSv1 -0x100" as bits to set and to clear; false when a word is none, which is logged. */
bool tls_parse_options(const char *role_name, const char *text, uint64_t *set, uint64_t *clear);

/* NULL, or why they cannot be had. */
const char *tls_features_apply(
    SSL *, const struct tls_context *, const struct tls_features *, char buffer[TLS_ERROR_SIZE]);

/*
 * DANE for one session, by the records that can be used; how many, -1 when OpenSSL cannot (memory).  tls_dane_verify
 * says afterwards whether the certificate is one of theirs.
 */
int tls_dane_apply(SSL *, const struct tls_dane *);
bool tls_dane_verify(SSL *);

/* Takes the oldest error of OpenSSL's queue and empties it. */
const char *tls_error_text(char buffer[TLS_ERROR_SIZE]);

int tls_session_keep(SSL *, SSL_SESSION *); /* OpenSSL calls it with each new session of a client */
void tls_session_forget_all(struct tls_context *);

#endif
