/*
 * option_set: options that do not fit a type.
 */
#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "option_row.h"
#include "reading.h"

/* An error that ends the program in every mode, as V8 does for a few options. */
static void
fatal(struct config *config, const char *what, const char *value)
{
	config_error(config, EX_USAGE, "Unknown %s %.1s", what, value);
	config->is_fatal = true;
}

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

/* Cuts the next run of letters and digits off a list, in place; NULL at the end. */
static char *
next_name(char **at)
{
	char *name = *at, *end;

	while (*name != '\0' && !text_is_alnum((unsigned char)*name))
		name++;
	for (end = name; text_is_alnum((unsigned char)*end);)
		end++;
	*at = end;
	if (*end != '\0')
		*(*at)++ = '\0';
	return *name != '\0' ? name : NULL;
}

void
option_set_eight_bit_mode(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	if (*value == '\0' || strchr("mps", *value) == NULL) {
		fatal(config, "8-bit mode", value);
		return;
	}
	config->options.eight_bit_mode = *value;
}

void
option_set_delivery_mode(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	if (*value != '\0' && strchr("biqd", *value) == NULL) {
		fatal(config, "delivery mode", value);
		return;
	}
	config->options.delivery_mode = *value != '\0' ? *value : 'i';
}

void
option_set_error_mode(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	if (*value != '\0' && strchr("pqmwe", *value) != NULL)
		config->options.error_mode = *value;
}

/* Adds to a list that options given several times grow. */
static void
add_item(struct config *config, struct option_text_list *list, const char *item)
{
	const char **items = ARENA_ARRAY(config->arena, const char *, list->count + 1);

	if (list->count > 0)
		memcpy(items, list->items, list->count * sizeof *items);
	items[list->count++] = arena_strdup(config->arena, item);
	list->items = items;
}

void
option_set_alias_file(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value);

	(void)row;
	(void)sub;
	for (char *item = list, *next; *item != '\0'; item = next) {
		char *colon, *class_name;

		next = item + strcspn(item, ",");
		if (*next != '\0')
			*next++ = '\0';
		item = text_skip_space(item);
		text_trim_end(item);
		if (*item == '\0')
			continue;
		/* `class[ options]:file`, or a file name */
		colon = strchr(item, ':');
		if (colon != NULL && *item != '/') {
			class_name = arena_memdup(config->arena, item, strcspn(item, ": \t"));
			if (!map_class_exists(class_name)) {
				config_error(config, EX_SOFTWARE,
				    "setalias: unknown alias class %s", class_name);
				continue;
			}
			if (*text_skip_space(colon + 1) == '\0') {
				config_error(config, EX_SOFTWARE,
				    "No file name for %s map Alias%zu", class_name,
				    config->options.alias_files.count);
				continue;
			}
		}
		add_item(config, &config->options.alias_files, item);
	}
	/* V8 makes a sequence of them */
	if (trace_on(38, 2))
		trace_print("seq_map_parse(aliases.files, )\n");
}

void
option_set_blank_sub(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config->options.blank_sub = *value != '\0' ? *value : ' ';
	map_set_space_substitute(config->maps, config->options.blank_sub);
}

void
option_set_min_free_blocks(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const char *slash = strchr(value, '/');

	(void)row;
	(void)sub;
	config->options.min_free_blocks = config_number(value);
	if (slash != NULL)
		config->options.max_message_size = config_number(slash + 1);
}

void
option_set_resolver_options(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	static const char *const known[] = {"debug", "aaonly", "usevc", "primary", "igntc",
	    "recurse", "defnames", "stayopen", "dnsrch", "true", "use_inet6", "use_edns0",
	    "use_dnssec", "trustad", "HasWildcardMX", "WorkAroundBrokenAAAA"};
	char *list = arena_strdup(config->arena, value), *word;

	(void)row;
	(void)sub;
	config->options.resolver_options =
	    *value != '\0' ? arena_strdup(config->arena, value) : NULL;
	/* V8: words are apart by blanks alone */
	while (*(word = text_skip_space(list)) != '\0') {
		bool found = false;

		list = word + strcspn(word, " \t\n");
		if (*list != '\0')
			*list++ = '\0';
		word += *word == '+' || *word == '-';
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			found |= text_equal_nocase(known[i], word);
		if (!found)
			config_error(
			    config, EX_SOFTWARE, "readcf: I option value %s unrecognized", word);
	}
}

void
option_set_connect_only_to(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
	const char *address = text_starts_nocase(value, "IPv6:") ? value + 5 : value;

	(void)row;
	(void)sub;
	if (getaddrinfo(address, NULL, &hints, &found) != 0) {
		config_error(config, EX_SOFTWARE,
		    "readcf: option ConnectOnlyTo: invalid IP address %s", value);
		return;
	}
	freeaddrinfo(found);
	config->options.connect_only_to = arena_strdup(config->arena, value);
}

static const struct {
	const char *name;
	unsigned flags;
} privacy_words[] = {
    {"public", 0},
    {"needmailhelo", PRIVACY_NEED_MAIL_HELO},
    {"needexpnhelo", PRIVACY_NEED_EXPN_HELO},
    {"needvrfyhelo", PRIVACY_NEED_VRFY_HELO},
    {"noexpn", PRIVACY_NO_EXPN},
    {"novrfy", PRIVACY_NO_VRFY},
    {"noetrn", PRIVACY_NO_ETRN},
    {"noverb", PRIVACY_NO_VERB},
    {"authwarnings", PRIVACY_AUTH_WARNINGS},
    {"restrictmailq", PRIVACY_RESTRICT_MAILQ},
    {"restrictqrun", PRIVACY_RESTRICT_QRUN},
    {"restrictexpand", PRIVACY_RESTRICT_EXPAND},
    {"noreceipts", PRIVACY_NO_RECEIPTS},
    {"nobodyreturn", PRIVACY_NO_BODY_RETURN},
    {"noactualrecipient", PRIVACY_NO_ACTUAL_RECIPIENT},
    {"goaway", PRIVACY_GOAWAY | PRIVACY_NEED_MAIL_HELO | PRIVACY_NEED_EXPN_HELO |
		   PRIVACY_NEED_VRFY_HELO | PRIVACY_NO_EXPN | PRIVACY_NO_VRFY | PRIVACY_NO_VERB |
		   PRIVACY_AUTH_WARNINGS},
};

void
option_set_privacy(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value), *word;

	(void)row;
	(void)sub;
	while ((word = next_name(&list)) != NULL) {
		size_t i = 0, count = sizeof privacy_words / sizeof privacy_words[0];

		while (i < count && !text_equal_nocase(privacy_words[i].name, word))
			i++;
		if (i < count)
			config->options.privacy |= privacy_words[i].flags;
		else
			config_error(config, EX_SOFTWARE, "readcf: Op line: %s unrecognized", word);
	}
}

void
option_set_super_safe(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	switch (text_lower((unsigned char)*value)) {
	case '\0':
	case 't':
	case 'y':
		config->options.super_safe = SUPER_SAFE_TRUE;
		break;
	case 'i':
		config->options.super_safe = SUPER_SAFE_INTERACTIVE;
		break;
	case 'p':
		config->options.super_safe = SUPER_SAFE_POSTMILTER;
		break;
	default:
		config->options.super_safe = SUPER_SAFE_FALSE;
		break;
	}
}

/* Reads `user[:group]` or `user.group`: names or numbers.  *group stays where none is said and the user is a number. */
static bool
read_user(struct config *config, const char *option, const char *value, uid_t *user, gid_t *group)
{
	char *name = arena_strdup(config->arena, value), *group_name = name + strcspn(name, ":./");
	const struct passwd *entry;
	const struct group *group_entry;

	if (*group_name != '\0')
		*group_name++ = '\0';
	group_name = text_skip_space(group_name);
	text_trim_end(name);
	text_trim_end(group_name);
	entry = *name != '\0' ? getpwnam(name) : NULL;
	if (entry != NULL) {
		*user = entry->pw_uid;
		*group = entry->pw_gid;
	} else if (text_is_digit((unsigned char)*name)) {
		*user = (uid_t)config_number(name);
	} else {
		config_error(
		    config, EX_SOFTWARE, "readcf: option %s: unknown user %s", option, name);
		return false;
	}
	if (*group_name == '\0')
		return true;
	if (text_is_digit((unsigned char)*group_name)) {
		*group = (gid_t)config_number(group_name);
	} else if ((group_entry = getgrnam(group_name)) != NULL) {
		*group = group_entry->gr_gid;
	} else {
		config_error(
		    config, EX_SOFTWARE, "readcf: option %s: unknown group %s", option, group_name);
		return false;
	}
	return true;
}

void
option_set_default_user(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config->options.default_user = arena_strdup(config->arena, value);
	read_user(config, "u", value, &config->options.default_uid, &config->options.default_gid);
}

void
option_set_default_group(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const struct group *entry;

	(void)row;
	(void)sub;
	if (text_is_digit((unsigned char)*value))
		config->options.default_gid = (gid_t)config_number(value);
	else if ((entry = getgrnam(value)) != NULL)
		config->options.default_gid = entry->gr_gid;
	else
		config_error(config, EX_SOFTWARE, "readcf: option g: unknown group %s", value);
}

void
option_set_run_as_user(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	struct options *options = &config->options;

	(void)sub;
	options->run_as_user = arena_strdup(config->arena, value);
	options->run_as_gid = 0;
	options->has_run_as_user =
	    read_user(config, row->name, value, &options->run_as_uid, &options->run_as_gid);
}

void
option_set_trusted_user(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const struct passwd *entry = *value != '\0' ? getpwnam(value) : NULL;

	(void)sub;
	config->options.trusted_user = arena_strdup(config->arena, value);
	if (entry != NULL)
		config->options.trusted_uid = entry->pw_uid;
	else if (text_is_digit((unsigned char)*value))
		config->options.trusted_uid = (uid_t)config_number(value);
	else
		config_error(
		    config, EX_SOFTWARE, "readcf: option %s: unknown user %s", row->name, value);
}

void
option_set_sort_order(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	int letter = text_lower((unsigned char)*value);

	(void)row;
	(void)sub;
	if (letter != '\0' && strchr("phftmrsn", letter) != NULL)
		config->options.queue_sort_order = (char)letter;
	else
		config_error(config, EX_SOFTWARE, "Invalid queue sort order \"%s\"", value);
}

void
option_set_no_recipient_action(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	static const char *const actions[] = {
	    "none", "add-to", "add-apparently-to", "add-to-undisclosed", "add-bcc"};

	(void)row;
	(void)sub;
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (text_equal_nocase(actions[i], value)) {
			config->options.no_recipient_action = actions[i];
			return;
		}
	}
	config_error(config, EX_SOFTWARE, "Invalid NoRecipientAction: %s", value);
}

/* in the order of enum dont_blame */
static const char *const blame_names[BLAME_COUNT] = {"AssumeSafeChown", "CertOwner",
    "ClassFileInUnsafeDirPath", "DontWarnForwardFileInUnsafeDirPath", "ErrorHeaderInUnsafeDirPath",
    "FileDeliveryToHardLink", "FileDeliveryToSymLink", "ForwardFileInGroupWritableDirPath",
    "ForwardFileInUnsafeDirPath", "ForwardFileInUnsafeDirPathSafe", "GroupReadableKeyFile",
    "GroupReadableSASLDBFile", "GroupReadableDefaultAuthInfoFile", "GroupWritableAliasFile",
    "GroupWritableDirPathSafe", "GroupWritableForwardFile", "GroupWritableForwardFileSafe",
    "GroupWritableIncludeFile", "GroupWritableIncludeFileSafe", "GroupWritableSASLDBFile",
    "HelpFileInUnsafeDirPath", "IncludeFileInGroupWritableDirPath", "IncludeFileInUnsafeDirPath",
    "IncludeFileInUnsafeDirPathSafe", "InsufficientEntropy", "LinkedAliasFileInWritableDir",
    "LinkedClassFileInWritableDir", "LinkedForwardFileInWritableDir",
    "LinkedIncludeFileInWritableDir", "LinkedMapInWritableDir",
    "LinkedServiceSwitchFileInWritableDir", "MapInUnsafeDirPath", "NonRootSafeAddr",
    "RunProgramInUnsafeDirPath", "RunWritableProgram", "TrustStickyBit", "WorldWritableAliasFile",
    "WorldWritableForwardfile", "WorldWritableIncludefile", "WriteMapToHardLink",
    "WriteMapToSymLink", "WriteStatsToHardLink", "WriteStatsToSymLink"};

void
option_set_dont_blame(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value), *word;

	(void)row;
	(void)sub;
	while ((word = next_name(&list)) != NULL) {
		size_t i = 0;

		if (text_equal_nocase(word, "Safe")) {
			config->options.dont_blame = 0;
			continue;
		}
		while (i < BLAME_COUNT && !text_equal_nocase(blame_names[i], word))
			i++;
		if (i < BLAME_COUNT)
			config->options.dont_blame |= 1ULL << i;
		else
			config_error(config, EX_SOFTWARE,
			    "readcf: DontBlameSendmail option: %s unrecognized", word);
	}
}

bool
option_blames(const struct options *options, enum dont_blame blame)
{
	return (options->dont_blame >> blame & 1) != 0;
}

void
option_set_probe_interfaces(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config->options.dont_probe_interfaces = text_equal_nocase(value, "loopback") ? 'l'
						: *value == '\0' || strchr("tTyY", *value) != NULL
						    ? 't'
						    : 'f';
}

void
option_set_mime_header_length(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const char *slash = strchr(value, '/');

	(void)row;
	(void)sub;
	config->options.max_mime_header_length = (int)config_number(value);
	config->options.max_mime_header_field_length =
	    slash != NULL ? (int)config_number(slash + 1)
			  : config->options.max_mime_header_length / 2;
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
	    "NO_ENCRYPT_THEN_MAC", "PRIORITIZE_CHACHA", "ENABLE_MIDDLEBOX_COMPAT",
	    "IGNORE_UNEXPECTED_EOF", "DISABLE_TLSEXT_CA_NAMES", "SAFARI_ECDHE_ECDSA_BUG"};
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

void
option_set_tls_srv_options(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value), *word;

	(void)row;
	(void)sub;
	config->options.tls_srv_options =
	    *value != '\0' ? arena_strdup(config->arena, value) : NULL;
	while ((word = next_word(&list)) != NULL) {
		if (strchr("VvCcRrAaSs", *word) == NULL) {
			config_note(config, EX_OK,
			    "Warning: Option: TLSSrvOptions unknown parameter '%c'", *word);
			return;
		}
	}
}

void
option_set_operator_chars(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	bool is_late = config->reading != NULL && config->reading->saw_ruleset;

	(void)row;
	(void)sub;
	if (is_late || config->options.operator_chars != NULL)
		config_note(config, EX_OK,
		    "Warning: OperatorChars is being redefined.\n         It should only be set "
		    "before ruleset definitions.");
	config->options.operator_chars = arena_strdup(config->arena, value);
	/* V8: what rules were already read with stays in force */
	if (!is_late)
		config_set_operators(config);
}

void
option_set_milter(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	if (sub == NULL)
		config_error(config, EX_SOFTWARE,
		    "milter_set_option: invalid Milter option, must specify suboption");
	else if (!text_equal_nocase(sub, "LogLevel") && !text_equal_nocase(sub, "macros.connect") &&
		 !text_equal_nocase(sub, "macros.helo") &&
		 !text_equal_nocase(sub, "macros.envfrom") &&
		 !text_equal_nocase(sub, "macros.envrcpt") &&
		 !text_equal_nocase(sub, "macros.data") && !text_equal_nocase(sub, "macros.eom") &&
		 !text_equal_nocase(sub, "macros.eoh"))
		config_error(
		    config, EX_SOFTWARE, "milter_set_option: invalid Milter option %s", sub);
	else
		add_item(config, &config->options.milter_settings,
		    arena_printf(config->arena, "%s=%s", sub, value));
}

void
option_set_macro(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config_read_macro(config, value);
}

void
option_set_time_zone(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config->options.time_zone = arena_strdup(config->arena, value);
}

void
option_set_load(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)sub;
	*(int *)(void *)((char *)&config->options + row->offset) = (int)config_number(value);
}

void
option_finish(struct config *config)
{
	struct options *options = &config->options;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const char *value;

	if (processors < 1)
		processors = 1;
	if (options->queue_load == 0)
		options->queue_load = (int)(8 * processors);
	if (options->refuse_load == 0)
		options->refuse_load = (int)(12 * processors);
	if (options->timeouts.initial_connect == 0)
		options->timeouts.initial_connect = options->timeouts.connect;
	if (options->smtp_greeting_message == NULL) {
		value = macro_get(config->macros, 'e');
		options->smtp_greeting_message =
		    value != NULL ? arena_strdup(config->arena, value) : "$j Sendmail $v/$Z; $b";
	}
	if (options->unix_from_line == NULL) {
		value = macro_get(config->macros, 'l');
		options->unix_from_line =
		    value != NULL ? arena_strdup(config->arena, value) : "From $g  $d";
	}
	/* V8: test mode works as if mail was delivered at once */
	config_set_macro(config, config->macros, "deliveryMode",
	    config->reading->request->is_test_mode ? "i" : (char[2]){options->delivery_mode, '\0'});
	if (config->level < 6)
		options->colon_ok_in_addr = true;
	if (options->default_user == NULL) {
		static const char *const users[] = {"mailnull", "sendmail", "daemon"};

		/* V8: the first of these that is there, else 1:1 */
		options->default_user = "1:1";
		options->default_uid = 1;
		options->default_gid = 1;
		for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
			const struct passwd *entry = getpwnam(users[i]);

			if (entry == NULL)
				continue;
			options->default_user = users[i];
			options->default_uid = entry->pw_uid;
			options->default_gid = entry->pw_gid;
			break;
		}
	}
	if (!config->reading->saw_ruleset)
		config_set_operators(config);
}
