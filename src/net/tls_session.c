#include "net/tls_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "net/address.h"

struct tls_session {
	SSL *ssl;
	struct tls_context *context;
	char *host;	  /* key of the session cache, NULL for servers */
	int dane_records; /* that can be used; 0: no DANE */
	char reason[TLS_ERROR_SIZE];
};

/* Translates OpenSSL's answer; -1 and *want, as conn wants it. */
static ssize_t
translate(struct tls_session *session, int result, enum conn_want *want, const char **reason)
{
	int saved = errno;

	switch (SSL_get_error(session->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*want = CONN_WANT_INPUT;
		break;
	case SSL_ERROR_WANT_WRITE:
		*want = CONN_WANT_OUTPUT;
		break;
	case SSL_ERROR_ZERO_RETURN:
		*want = CONN_WANT_NOTHING;
		break;
	case SSL_ERROR_SYSCALL:
		/* an end without close_notify may be an attacker's: lines are whole or not there, so it is an end */
		*want = saved == 0 ? CONN_WANT_NOTHING : CONN_SYSTEM_ERROR;
		break;
	default:
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			*want = CONN_WANT_NOTHING;
			break;
		}
		*reason = tls_error_text(session->reason);
		*want = CONN_PROTOCOL_ERROR;
	}
	ERR_clear_error();
	errno = saved;
	return -1;
}

/* What OpenSSL is asked now is answered by its newest error alone. */
static SSL *
ready(struct tls_session *session)
{
	ERR_clear_error();
	errno = 0;
	return session->ssl;
}

static ssize_t
session_read(struct tls_session *session, void *bytes, size_t size, enum conn_want *want,
    const char **reason)
{
	size_t taken = 0;
	int result = SSL_read_ex(ready(session), bytes, size, &taken);

	return result == 1 ? (ssize_t)taken : translate(session, result, want, reason);
}

static ssize_t
session_write(struct tls_session *session, const void *bytes, size_t size, enum conn_want *want,
    const char **reason)
{
	size_t gone = 0;
	int result = SSL_write_ex(ready(session), bytes, size, &gone);

	return result == 1 ? (ssize_t)gone : translate(session, result, want, reason);
}

static void
session_close(struct tls_session *session)
{
	SSL_shutdown(session->ssl);
	ERR_clear_error();
	SSL_free(session->ssl);
	free(session->host);
	free(session);
}

static const struct conn_methods methods = {session_read, session_write, session_close};

int
tls_session_keep(SSL *ssl, SSL_SESSION *kept)
{
	struct tls_session *session = SSL_get_app_data(ssl);
	SSL_SESSION *old;

	if (session == NULL || session->host == NULL)
		return 0;
	if (table_count(session->context->sessions) >= TLS_SESSIONS_MAXIMUM)
		tls_session_forget_all(session->context);
	old = table_get(session->context->sessions, session->host);
	table_set(session->context->sessions, session->host, kept);
	SSL_SESSION_free(old);
	return 1;
}

void
tls_session_forget_all(struct tls_context *context)
{
	size_t position = 0;
	const char *host;
	void *kept;

	while (table_next(context->sessions, &position, &host, &kept))
		SSL_SESSION_free(kept);
	table_destroy(context->sessions);
	context->sessions = table_create(TABLE_NOCASE);
}

/* V8: what could end or bend a rule's token is written +XX. */
static const char *
encode(struct arena *arena, const char *text, size_t length)
{
	struct str out = {0};
	const char *result;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte <= ' ' || byte >= 0x7f || strchr("<>()\"+", byte) != NULL)
			str_printf(&out, "+%02X", byte);
		else
			str_add_char(&out, (char)byte);
	}
	result = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return result;
}

static const char *
common_name(struct arena *arena, const X509_NAME *name)
{
	int position = X509_NAME_get_index_by_NID(name, NID_commonName, -1), length;
	unsigned char *text = NULL;
	const char *result;

	if (position < 0)
		return "";
	length = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position)));
	if (length < 0)
		return "";
	result = encode(arena, (const char *)text, (size_t)length);
	OPENSSL_free(text);
	return result;
}

static const char *
whole_name(struct arena *arena, const X509_NAME *name)
{
	char *line = X509_NAME_oneline(name, NULL, 0);
	const char *result = line != NULL ? encode(arena, line, strlen(line)) : "";

	OPENSSL_free(line);
	return result;
}

static const char *
fingerprint(struct arena *arena, X509 *certificate, const EVP_MD *algorithm)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct str out = {0};
	unsigned length = 0;
	const char *result;

	if (algorithm == NULL || X509_digest(certificate, algorithm, digest, &length) != 1)
		return "";
	for (unsigned i = 0; i < length; i++)
		str_printf(&out, "%s%02X", i > 0 ? ":" : "", digest[i]);
	result = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return result;
}

static const char *const *
alternative_names(struct arena *arena, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	const char **list = ARENA_ARRAY(arena, const char *, (size_t)count + 1);
	size_t found = 0;

	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			list[found++] =
			    encode(arena, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
				(size_t)ASN1_STRING_length(name->d.dNSName));
	}
	list[found] = NULL;
	GENERAL_NAMES_free(names);
	return list;
}

static void
fill_info(struct tls_session *session, struct arena *arena, struct tls_info *info)
{
	X509 *certificate = SSL_get0_peer_certificate(session->ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(session->ssl);
	long verified = SSL_get_verify_result(session->ssl);

	info->version = arena_strdup(arena, SSL_get_version(session->ssl));
	if (cipher != NULL) {
		info->cipher = arena_strdup(arena, SSL_CIPHER_get_name(cipher));
		info->cipher_bits = SSL_CIPHER_get_bits(cipher, &info->algorithm_bits);
	}
	info->is_resumed = SSL_session_reused(session->ssl) == 1;
	info->verify_message = arena_strdup(arena, X509_verify_cert_error_string(verified));
	if (certificate == NULL) {
		info->verify = session->context->asks_for_certificate ? "NO" : "NOT";
		return;
	}
	if (session->dane_records > 0)
		info->verify = tls_dane_verify(session->ssl) ? "TRUSTED" : "DANE_FAIL";
	else
		info->verify = verified == X509_V_OK ? "OK" : "FAIL";
	info->cn_subject = common_name(arena, X509_get_subject_name(certificate));
	info->cn_issuer = common_name(arena, X509_get_issuer_name(certificate));
	info->cert_subject = whole_name(arena, X509_get_subject_name(certificate));
	info->cert_issuer = whole_name(arena, X509_get_issuer_name(certificate));
	info->alternative_names = alternative_names(arena, certificate);
	info->cert_md5 = fingerprint(arena, certificate, EVP_md5());
	info->cert_fp = fingerprint(arena, certificate, session->context->fingerprint);
	ERR_clear_error();
}

/* A session that was resumed shows no certificate that DANE could look at. */
static bool
set_up_client(struct tls_session *session, const char *host, const struct tls_dane *dane)
{
	struct net_address number;
	SSL_SESSION *kept;

	SSL_set_connect_state(session->ssl);
	if (dane != NULL) {
		session->dane_records = tls_dane_apply(session->ssl, dane);
		return session->dane_records >= 0;
	}
	if (host == NULL || *host == '\0')
		return true;
	session->host = check_strdup(host);
	if (!address_parse(host, &number))
		SSL_set_tlsext_host_name(session->ssl, host);
	kept = table_get(session->context->sessions, host);
	if (kept != NULL)
		SSL_set_session(session->ssl, kept);
	return true;
}

static struct tls_session *
session_create(
    struct conn *conn, struct tls_context *context, const char *host, const struct tls_dane *dane)
{
	struct tls_session *session = check_malloc(sizeof *session);

	*session = (struct tls_session){.context = context};
	session->ssl = SSL_new(context->ssl);
	if (session->ssl == NULL || SSL_set_rfd(session->ssl, conn_input_fd(conn)) != 1 ||
	    SSL_set_wfd(session->ssl, conn_output_fd(conn)) != 1) {
		SSL_free(session->ssl);
		free(session);
		return NULL;
	}
	SSL_set_app_data(session->ssl, session);
	if (context->role == TLS_SERVER) {
		SSL_set_accept_state(session->ssl);
	} else if (!set_up_client(session, host, dane)) {
		session_close(session);
		return NULL;
	}
	if (dane != NULL &&
	    session->dane_records == 0) { /* what was set for it has no use either */
		session_close(session);
		return session_create(conn, context, host, NULL);
	}
	return session;
}

/* True when the handshake is over and good. */
static bool
shake_hands(struct conn *conn, struct tls_session *session, const char **reason)
{
	enum conn_want want = CONN_WANT_NOTHING;
	int result;

	for (;;) {
		result = SSL_do_handshake(ready(session));
		if (result == 1)
			return true;
		translate(session, result, &want, reason);
		switch (want) {
		case CONN_WANT_INPUT:
		case CONN_WANT_OUTPUT:
			if (!conn_wait(conn, want)) {
				*reason = conn_reason(conn);
				return false;
			}
			break;
		case CONN_WANT_NOTHING:
			*reason = "connection closed";
			return false;
		case CONN_SYSTEM_ERROR:
			*reason = strerror(errno);
			return false;
		default:
			return false;
		}
	}
}

bool
tls_start(struct conn *conn, struct tls_context *context, const char *host,
    const struct tls_features *features, struct arena *arena, struct tls_info *info)
{
	const char *reason = "out of memory", *misfit = NULL;
	struct tls_session *session;
	bool has_dane = features != NULL && features->dane.count > 0 && !features->no_dane;

	*info = (struct tls_info){.verify = "SOFTWARE",
	    .version = "",
	    .cipher = "",
	    .cn_subject = "",
	    .cn_issuer = "",
	    .cert_subject = "",
	    .cert_issuer = "",
	    .cert_md5 = "",
	    .cert_fp = "",
	    .verify_message = "",
	    .reason = ""};
	conn_flush(conn);
	conn_discard_input(conn);
	session = conn_failed(conn)
		      ? NULL
		      : session_create(conn, context, host, has_dane ? &features->dane : NULL);
	if (conn_failed(conn))
		reason = conn_reason(conn);
	if (session != NULL && features != NULL)
		misfit = tls_features_apply(session->ssl, context, features, session->reason);
	if (misfit != NULL) {
		info->verify = "CONFIG";
		reason = misfit;
	}
	if (session == NULL || misfit != NULL || !shake_hands(conn, session, &reason)) {
		info->reason = arena_strdup(arena, reason);
		conn_fail(conn, CONN_GARBLED, "TLS handshake failed: %s", info->reason);
		if (session != NULL)
			session_close(session);
		return false;
	}
	conn_attach_tls(conn, session, &methods);
	fill_info(session, arena, info);
	info->is_dane_unusable = has_dane && session->dane_records == 0;
	return true;
}

void
tls_info_each_macro(const struct tls_info *info, struct arena *arena,
    void (*set)(void *context, const char *name, const char *value), void *context)
{
	set(context, "verify", info->verify);
	set(context, "tls_version", info->version);
	set(context, "cipher", info->cipher);
	set(context, "cipher_bits", arena_printf(arena, "%d", info->cipher_bits));
	set(context, "alg_bits", arena_printf(arena, "%d", info->algorithm_bits));
	set(context, "cn_subject", info->cn_subject);
	set(context, "cn_issuer", info->cn_issuer);
	set(context, "cert_subject", info->cert_subject);
	set(context, "cert_issuer", info->cert_issuer);
	set(context, "cert_md5", info->cert_md5);
	set(context, "cert_fp", info->cert_fp);
}
