#include "net/tls_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/log.h"
#include "base/str.h"
#include "base/text.h"

/* Options by the names that the Operations Guide lists; an unknown one may be a number. */
static const struct {
	const char *name;
	uint64_t bits;
} ssl_option_names[] = {
    {"SSL_OP_ALL", SSL_OP_ALL},
    {"SSL_OP_CIPHER_SERVER_PREFERENCE", SSL_OP_CIPHER_SERVER_PREFERENCE},
    {"SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS", SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS},
    {"SSL_OP_LEGACY_SERVER_CONNECT", SSL_OP_LEGACY_SERVER_CONNECT},
    {"SSL_OP_NO_COMPRESSION", SSL_OP_NO_COMPRESSION},
    {"SSL_OP_NO_RENEGOTIATION", SSL_OP_NO_RENEGOTIATION},
    {"SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION",
	SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION},
    {"SSL_OP_NO_SSLv2", 0},
    {"SSL_OP_NO_SSLv3", SSL_OP_NO_SSLv3},
    {"SSL_OP_NO_TICKET", SSL_OP_NO_TICKET},
    {"SSL_OP_NO_TLSv1", SSL_OP_NO_TLSv1},
    {"SSL_OP_NO_TLSv1_1", SSL_OP_NO_TLSv1_1},
    {"SSL_OP_NO_TLSv1_2", SSL_OP_NO_TLSv1_2},
    {"SSL_OP_NO_TLSv1_3", SSL_OP_NO_TLSv1_3},
    {"SSL_OP_PRIORITIZE_CHACHA", SSL_OP_PRIORITIZE_CHACHA},
    {"SSL_OP_SINGLE_DH_USE", 0},
    {"SSL_OP_SINGLE_ECDH_USE", 0},
    {"SSL_OP_TLSEXT_PADDING", SSL_OP_TLSEXT_PADDING},
};

static bool
given(const char *text)
{
	return text != NULL && *text != '\0';
}

const char *
tls_error_text(char buffer[TLS_ERROR_SIZE])
{
	unsigned long error = ERR_get_error();

	if (error == 0)
		text_copy(buffer, TLS_ERROR_SIZE, "no reason given");
	else
		ERR_error_string_n(error, buffer, TLS_ERROR_SIZE);
	ERR_clear_error();
	return buffer;
}

static bool
find_option(const char *name, uint64_t *bits)
{
	char *end;

	for (size_t i = 0; i < sizeof ssl_option_names / sizeof *ssl_option_names; i++) {
		if (text_equal_nocase(ssl_option_names[i].name, name)) {
			*bits = ssl_option_names[i].bits;
			return true;
		}
	}
	*bits = strtoull(name, &end, 0);
	return end != name && *end == '\0';
}

bool
tls_parse_options(const char *role_name, const char *text, uint64_t *set, uint64_t *clear)
{
	struct str word = {0};
	bool all_known = true;

	*set = *clear = 0;
	while (*text != '\0') {
		size_t length;
		uint64_t bits;
		bool on = true;

		text += strspn(text, " \t,");
		if (*text == '+' || *text == '-')
			on = *text++ == '+';
		length = strcspn(text, " \t,");
		if (length == 0)
			continue;
		str_clear(&word);
		str_add(&word, text, length);
		text += length;
		if (!find_option(str_text(&word), &bits)) {
			log_at(2, LOG_WARNING, "STARTTLS=%s, error: unknown SSL option %s ignored",
			    role_name, str_text(&word));
			all_known = false;
			continue;
		}
		*set = on ? *set | bits : *set & ~bits;
		*clear = on ? *clear & ~bits : *clear | bits;
	}
	str_free(&word);
	return all_known;
}

static void
apply_options(struct tls_context *context, const char *text)
{
	uint64_t set, clear;

	tls_parse_options(context->role_name, text, &set, &clear);
	SSL_CTX_set_options(context->ssl, set);
	SSL_CTX_clear_options(context->ssl, clear);
}

/* A key that others can read is no secret: V8 goes on without it. */
static bool
is_safe(const struct tls_context *context, const char *file, bool is_key, bool group_may_read)
{
	const char *reason = NULL;
	struct stat status;

	if (stat(file, &status) < 0)
		reason = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		reason = "Regular files only";
	else if (is_key && !group_may_read && (status.st_mode & (S_IRGRP | S_IWGRP)) != 0)
		reason = "Group readable file"; /* V8 speaks of the group first */
	else if (is_key && (status.st_mode & (S_IROTH | S_IWOTH)) != 0)
		reason = "World readable file";
	else if ((status.st_mode & S_IWOTH) != 0)
		reason = "World writable file";
	if (reason != NULL)
		log_at(7, LOG_WARNING, "STARTTLS=%s: file %s unsafe: %s", context->role_name, file,
		    reason);
	return reason == NULL;
}

static bool
load_pair(
    struct tls_context *context, const char *certificate, const char *key, bool group_may_read)
{
	char reason[TLS_ERROR_SIZE];

	if (!is_safe(context, certificate, false, false) ||
	    !is_safe(context, key, true, group_may_read))
		return false;
	if (SSL_CTX_use_certificate_chain_file(context->ssl, certificate) != 1) {
		log_at(7, LOG_WARNING,
		    "STARTTLS=%s, error: SSL_CTX_use_certificate_file(%s) failed: %s",
		    context->role_name, certificate, tls_error_text(reason));
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context->ssl) != 1) {
		log_at(7, LOG_WARNING,
		    "STARTTLS=%s, error: SSL_CTX_use_PrivateKey_file(%s) failed: %s",
		    context->role_name, key, tls_error_text(reason));
		return false;
	}
	return true;
}

/* One pair, or two ("rsa.pem,ecdsa.pem"). */
static bool
load_certificates(struct tls_context *context, const struct tls_settings *settings)
{
	struct str certificate = {0}, key = {0};
	const char *certificates = settings->cert_file, *keys = settings->key_file;
	bool loaded = true;

	while (loaded && *certificates != '\0' && *keys != '\0') {
		size_t certificate_length = strcspn(certificates, ","),
		       key_length = strcspn(keys, ",");

		str_clear(&certificate);
		str_add(&certificate, certificates, certificate_length);
		str_clear(&key);
		str_add(&key, keys, key_length);
		loaded = load_pair(context, str_text(&certificate), str_text(&key),
		    settings->may_key_be_group_readable);
		certificates += certificate_length + (certificates[certificate_length] == ',');
		keys += key_length + (keys[key_length] == ',');
	}
	str_free(&certificate);
	str_free(&key);
	return loaded;
}

static void
load_authorities(struct tls_context *context, const struct tls_settings *settings)
{
	const char *file = given(settings->ca_cert_file) ? settings->ca_cert_file : NULL;
	const char *path = given(settings->ca_cert_path) ? settings->ca_cert_path : NULL;
	STACK_OF(X509_NAME) * names;
	char reason[TLS_ERROR_SIZE];

	if (file != NULL && SSL_CTX_load_verify_locations(context->ssl, file, NULL) != 1)
		log_at(7, LOG_WARNING, "STARTTLS=%s, error: load verify locs %s failed: %s",
		    context->role_name, file, tls_error_text(reason));
	if (path != NULL && SSL_CTX_load_verify_locations(context->ssl, NULL, path) != 1)
		log_at(7, LOG_WARNING, "STARTTLS=%s, error: load verify locs %s failed: %s",
		    context->role_name, path, tls_error_text(reason));
	if (context->role == TLS_SERVER && settings->ask_for_certificate && file != NULL) {
		names = SSL_load_client_CA_file(file);
		if (names != NULL)
			SSL_CTX_set_client_CA_list(context->ssl, names);
	}
	ERR_clear_error();
}

static void
load_revocations(struct tls_context *context, const struct tls_settings *settings)
{
	X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
	X509_LOOKUP *lookup;
	char reason[TLS_ERROR_SIZE];

	if (!given(settings->crl_file) && !given(settings->crl_path))
		return;
	if (given(settings->crl_file)) {
		lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
		if (lookup == NULL ||
		    X509_load_crl_file(lookup, settings->crl_file, X509_FILETYPE_PEM) <= 0)
			log_at(7, LOG_WARNING,
			    "STARTTLS=%s, error: PEM_read_bio_X509_CRL(%s) failed: %s",
			    context->role_name, settings->crl_file, tls_error_text(reason));
	}
	if (given(settings->crl_path)) {
		lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
		if (lookup != NULL)
			X509_LOOKUP_add_dir(lookup, settings->crl_path, X509_FILETYPE_PEM);
	}
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	ERR_clear_error();
}

static void
set_ciphers(struct tls_context *context, const struct tls_settings *settings)
{
	/* V8: a list that names nothing usable is told and ignored (relay.t: cipher list that fits nothing) */
	if (given(settings->cipher_list) &&
	    SSL_CTX_set_cipher_list(context->ssl, settings->cipher_list) != 1)
		log_at(7, LOG_WARNING,
		    "STARTTLS=%s, error: SSL_CTX_set_cipher_list(%s) failed, list ignored",
		    context->role_name, settings->cipher_list);
	if (given(settings->cipher_suites) &&
	    SSL_CTX_set_ciphersuites(context->ssl, settings->cipher_suites) != 1)
		log_at(7, LOG_WARNING,
		    "STARTTLS=%s, error: SSL_CTX_set_ciphersuites(%s) failed, list ignored",
		    context->role_name, settings->cipher_suites);
	ERR_clear_error();
}

static void
set_dh(struct tls_context *context, const char *parameters)
{
	EVP_PKEY *key;
	BIO *file;

	if (!given(parameters) || parameters[0] != '/') {
		/* generated ("i", "1", "2"): OpenSSL's own groups fit better; "none" is none */
		if (!given(parameters) || !text_equal_nocase(parameters, "none"))
			SSL_CTX_set_dh_auto(context->ssl, 1);
		return;
	}
	file = BIO_new_file(parameters, "r");
	key = file != NULL ? PEM_read_bio_Parameters(file, NULL) : NULL;
	if (key == NULL || SSL_CTX_set0_tmp_dh_pkey(context->ssl, key) != 1) {
		log_at(7, LOG_WARNING, "STARTTLS=%s, error: cannot read DH parameters(%s)",
		    context->role_name, parameters);
		EVP_PKEY_free(key);
		SSL_CTX_set_dh_auto(context->ssl, 1);
	}
	BIO_free(file);
	ERR_clear_error();
}

/* Whether the peer's certificate is good is for the rulesets to say, not for the handshake. */
static int
accept_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

static void
set_up_sessions(struct tls_context *context)
{
	static const unsigned char id[] = "pillarbox";

	if (context->role == TLS_SERVER) {
		/* tickets carry the state: workers share the key, as the context is older than they are */
		SSL_CTX_set_session_id_context(context->ssl, id, sizeof id - 1);
		SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
		return;
	}
	context->sessions = table_create(TABLE_NOCASE);
	SSL_CTX_set_session_cache_mode(
	    context->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context->ssl, tls_session_keep);
}

struct tls_context *
tls_context_create(enum tls_role role, const struct tls_settings *settings)
{
	struct tls_context *context;
	char reason[TLS_ERROR_SIZE];
	SSL_CTX *ssl;

	if (role == TLS_SERVER && (!given(settings->cert_file) || !given(settings->key_file))) {
		log_at(12, LOG_WARNING, "STARTTLS: %s missing",
		    !given(settings->cert_file) ? "ServerCertFile" : "ServerKeyFile");
		return NULL;
	}
	ssl = SSL_CTX_new(role == TLS_SERVER ? TLS_server_method() : TLS_client_method());
	if (ssl == NULL) {
		log_at(7, LOG_WARNING, "STARTTLS=%s, error: SSL_CTX_new() failed: %s",
		    role == TLS_SERVER ? "server" : "client", tls_error_text(reason));
		return NULL;
	}
	context = check_malloc(sizeof *context);
	*context = (struct tls_context){
	    .role = role, .role_name = role == TLS_SERVER ? "server" : "client", .ssl = ssl};
	if (given(settings->cert_fingerprint_algorithm))
		context->fingerprint = EVP_get_digestbyname(settings->cert_fingerprint_algorithm);
	context->asks_for_certificate = role == TLS_CLIENT || settings->ask_for_certificate;
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	if (role == TLS_SERVER)
		SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	if (given(settings->ssl_options))
		apply_options(context, settings->ssl_options);
	if (given(settings->cert_file) && given(settings->key_file) &&
	    !load_certificates(context, settings) && role == TLS_SERVER) {
		tls_context_destroy(context);
		return NULL;
	}
	load_authorities(context, settings);
	load_revocations(context, settings);
	set_ciphers(context, settings);
	set_dh(context, settings->dh_parameters);
	SSL_CTX_set_verify(
	    ssl, context->asks_for_certificate ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, accept_any);
	if (role == TLS_CLIENT)
		SSL_CTX_dane_enable(ssl);
	set_up_sessions(context);
	ERR_clear_error();
	return context;
}

void
tls_context_destroy(struct tls_context *context)
{
	if (context == NULL)
		return;
	if (context->sessions != NULL)
		tls_session_forget_all(context);
	table_destroy(context->sessions);
	SSL_CTX_free(context->ssl);
	free(context);
}
