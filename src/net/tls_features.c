/* What tls_clt_features and tls_srv_features change for one session. */
#include <string.h>
#include <openssl/x509_vfy.h>

#include "base/str.h"
#include "base/text.h"
#include "net/tls_private.h"

/* A value without quotes and without blanks at its ends. */
static const char *
copy_value(struct arena *arena, const char *text, size_t length)
{
	struct str out = {0};
	const char *result;

	for (size_t i = 0; i < length; i++) {
		if (text[i] != '"')
			str_add_char(&out, text[i]);
	}
	if (out.length > 0)
		text_trim_end(out.data);
	result = arena_strdup(arena, text_skip_space(str_text(&out)));
	str_free(&out);
	return result;
}

static bool
take_flags(const char *flags, struct tls_features *features)
{
	for (; *flags != '\0'; flags++) {
		switch (*flags) {
		case 'R':
			features->needs_revocation_lists = true;
			break;
		case 'C':
		case 'c':
			features->has_fallback = true;
			features->fallback_to_clear = *flags == 'C';
			break;
		case 'd':
			features->no_dane = true;
			break;
		case ' ':
		case ',':
			break;
		default:
			return false;
		}
	}
	return true;
}

static bool
take_pair(const char *pair, struct arena *arena, struct tls_features *features)
{
	size_t length = strcspn(pair, "=");
	const char *key = copy_value(arena, pair, length), *value;
	const struct {
		const char *key, **value;
	} texts[] = {
	    {"Options", &features->ssl_options},
	    {"CipherList", &features->cipher_list},
	    {"CertFile", &features->cert_file},
	    {"KeyFile", &features->key_file},
	};

	if (pair[length] != '=')
		return false;
	value = copy_value(arena, pair + length + 1, strlen(pair + length + 1));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (text_equal_nocase(key, texts[i].key)) {
			*texts[i].value = value;
			return *value != '\0';
		}
	}
	return text_equal_nocase(key, "Flags") && take_flags(value, features);
}

bool
tls_features_parse(
    const char *text, struct arena *arena, struct tls_features *features, const char **wrong)
{
	*features = (struct tls_features){0};
	while (*text != '\0') {
		size_t length = strcspn(text, ";");
		const char *pair = copy_value(arena, text, length);

		if (*pair != '\0' && !take_pair(pair, arena, features)) {
			*wrong = pair;
			return false;
		}
		text += length + (text[length] == ';');
	}
	return true;
}

const char *
tls_features_apply(SSL *ssl, const struct tls_context *context, const struct tls_features *features,
    char buffer[TLS_ERROR_SIZE])
{
	uint64_t set, clear;

	if (features->ssl_options != NULL) {
		if (!tls_parse_options(context->role_name, features->ssl_options, &set, &clear))
			return "unknown SSL option";
		SSL_set_options(ssl, set);
		SSL_clear_options(ssl, clear);
	}
	if (features->cipher_list != NULL && SSL_set_cipher_list(ssl, features->cipher_list) != 1)
		return tls_error_text(buffer);
	if (features->cert_file != NULL &&
	    SSL_use_certificate_chain_file(ssl, features->cert_file) != 1)
		return tls_error_text(buffer);
	if (features->key_file != NULL &&
	    (SSL_use_PrivateKey_file(ssl, features->key_file, SSL_FILETYPE_PEM) != 1 ||
		SSL_check_private_key(ssl) != 1))
		return tls_error_text(buffer);
	if (features->needs_revocation_lists)
		X509_VERIFY_PARAM_set_flags(
		    SSL_get0_param(ssl), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return NULL;
}
