/*
 * option_tls: options of TLS and AUTH that do not fit a type.
 */
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "option_row.h"
#include "reading.h"

/* Cuts the next word off a list at blanks and commas, in place; NULL at the end. */
static char *
next_word(char **at)
{
	char *word = *at + strspn(*at, " \t\n,");

	if (*word == '\0')
		return NULL;
	*at = word + strcspn(word, " \t\n,");
	if (**at != '\0')
		*(*at)++ = '\0';
	return word;
}

/* A number, or one of OpenSSL's names without regard to what this one's library still does with it. */
static bool
is_ssl_option(const char *word)
{
	static const char *const names[] = {"MICROSOFT_SESS_ID_BUG", "NETSCAPE_CHALLENGE_BUG",
	    "NETSCAPE_REUSE_CIPHER_CHANGE_BUG", "LEGACY_SERVER_CONNECT",
	    "SSLREF2_REUSE_CERT_TYPE_BUG", "MICROSOFT_BIG_SSLV3_BUFFER", "MSIE_SSLV2_RSA_PADDING",
	    "SSLEAY_080_CLIENT_DH_BUG", "TLS_D5_BUG", "TLS_BLOCK_PADDING_BUG",
	    "DONT_INSERT_EMPTY_FRAGMENTS", "ALL", "NO_QUERY_MTU", "COOKIE_EXCHANGE", "NO_TICKET",
	    "CISCO_ANYCONNECT", "NO_SESSION_RESUMPTION_ON_RENEGOTIATION", "NO_COMPRESSION",
	    "ALLOW_UNSAFE_LEGACY_RENEGOTIATION", "SINGLE_ECDH_USE", "SINGLE_DH_USE",
	    "EPHEMERAL_RSA", "CIPHER_SERVER_PREFERENCE", "TLS_ROLLBACK_BUG", "NO_SSLv2", "NO_SSLv3",
	    "NO_TLSv1", "NO_TLSv1_3", "NO_TLSv1_2", "NO_TLSv1_1", "PKCS1_CHECK_1", "PKCS1_CHECK_2",
	    "NETSCAPE_CA_DN_BUG", "NETSCAPE_DEMO_CIPHER_CHANGE_BUG", "CRYPTOPRO_TLSEXT_BUG",
	    "TLSEXT_PADDING", "NO_RENEGOTIATION", "NO_ANTI_REPLAY", "ALLOW_NO_DHE_KEX",
	    "NO_ENCRYPT_THEN_MAC", "PRIORITIZE_CHACHA", "ENABLE_MIDDLEBOX_COMPAT"};
	if (text_is_digit((unsigned char)*word))
		return true;
	for (size_t i = 0;
	     text_starts_nocase(word, "SSL_OP_") && i < sizeof names / sizeof names[0]; i++) {
		if (text_equal_nocase(names[i], word + strlen("SSL_OP_")))
			return true;
	}
	return false;
}

void
option_set_ssl_options(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value), *word;

	(void)sub;
	*(const char **)(void *)((char *)&config->options + row->offset) =
	    *value != '\0' ? arena_strdup(config->arena, value) : NULL;
	while ((word = next_word(&list)) != NULL) {
		word += *word == '+' || *word == '-';
		if (!is_ssl_option(word))
			config_error(config, EX_SOFTWARE, "readcf: %s option value %s unrecognized",
			    row->name, word);
	}
}

/* The first letter of each word counts; V8 takes what it does not know with a warning. */
static void
check_letters(struct config *config, const char *option, const char *value, const char *known)
{
	char *list = arena_strdup(config->arena, value), *word;

	while ((word = next_word(&list)) != NULL) {
		if (strchr(known, *word) == NULL)
			config_print(config, "Warning: Option: %s unknown parameter '%c'", option,
			    text_is_print((unsigned char)*word) ? *word : '?');
	}
}

void
option_set_tls_srv_options(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)sub;
	config->options.tls_srv_options =
	    *value != '\0' ? arena_strdup(config->arena, value) : NULL;
	check_letters(config, row->name, value, "VC");
}

void
option_set_auth_options(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)sub;
	config->options.auth_options = *value != '\0' ? arena_strdup(config->arena, value) : NULL;
	check_letters(config, row->name, value, "Aacdfmpy");
}

/* V8 as Debian builds it knows the option and cannot do it. */
void
option_set_smtp_utf8(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)sub;
	if (option_is_true(value))
		config_error(config, EX_SOFTWARE, "readcf: option: %s set but no USE_EAI support",
		    row->name);
	else
		config_print(config, "Warning: Option: %s requires USE_EAI support", row->name);
}
