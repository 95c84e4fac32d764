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

/* The map of an alias file, with its faults told at once. */
static bool
declare_aliases(struct config *config, const char *class_name, const char *arguments)
{
	const char *name =
		       arena_printf(config->arena, "Alias%zu", config->options.alias_files.count),
		   *error = NULL;
	struct map *map;

	if (!map_class_takes_aliases(class_name)) {
		config_error(
		    config, EX_SOFTWARE, "setalias: map class %s can't handle aliases", class_name);
		return false;
	}
	arguments = text_skip_space(arguments);
	/* the schema that sendmail's cf/README gives for aliases */
	if (text_equal_nocase(class_name, "ldap") && *arguments == '\0')
		arguments = "-k (&(objectClass=sendmailMTAAliasObject)"
			    "(sendmailMTAAliasGrouping=aliases)(sendmailMTAKey=%0)) -v "
			    "sendmailMTAAliasValue,sendmailMTAAliasSearch:FILTER:"
			    "sendmailMTAAliasObject,sendmailMTAAliasURL:URL:"
			    "sendmailMTAAliasObject -z,";
	map = map_declare(config->maps, name, class_name, arguments, config->arena, &error);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
	if (map != NULL)
		map_mark_alias(map);
	return error == NULL;
}

void
option_set_alias_file(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list = arena_strdup(config->arena, value);

	(void)row;
	(void)sub;
	for (char *item = list, *next; *item != '\0'; item = next) {
		char *colon, *class_name = "implicit", *arguments;

		next = item + strcspn(item, ",");
		if (*next != '\0')
			*next++ = '\0';
		item = text_skip_space(item);
		text_trim_end(item);
		if (*item == '\0')
			continue;
		arguments = item;
		/* `class[ options]:file`, or a file name */
		colon = strchr(item, ':');
		if (colon != NULL && *item != '/') {
			class_name = arena_memdup(config->arena, item, strcspn(item, ": \t"));
			if (!map_class_exists(class_name)) {
				config_error(config, EX_SOFTWARE,
				    "setalias: unknown alias class %s", class_name);
				continue;
			}
			arguments = colon + 1;
		}
		if (!declare_aliases(config, class_name, arguments))
			continue;
		add_item(config, &config->options.alias_files, item);
	}
	/* V8 makes a sequence of them */
	if (trace_on(38, 2))
		trace_print("seq_map_parse(aliases.files, )\n");
}

void
option_set_ldap_default(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const char *error;

	(void)row;
	(void)sub;
	map_set_ldap_default(config->maps, value, config->arena, &error);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
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
	    "recurse", "defnames", "stayopen", "dnsrch", "true", "use_edns0", "use_dnssec",
	    "trustad", "HasWildcardMX", "WorkAroundBrokenAAAA"};
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
static const char *const blame_names[BLAME_COUNT] = {"AssumeSafeChown",
    NULL /* CertOwner: unknown to V8, too */, "ClassFileInUnsafeDirPath",
    "DontWarnForwardFileInUnsafeDirPath", "ErrorHeaderInUnsafeDirPath", "FileDeliveryToHardLink",
    "FileDeliveryToSymLink", "ForwardFileInGroupWritableDirPath", "ForwardFileInUnsafeDirPath",
    "ForwardFileInUnsafeDirPathSafe", "GroupReadableKeyFile", "GroupReadableSASLDBFile",
    "GroupReadableDefaultAuthInfoFile", "GroupWritableAliasFile", "GroupWritableDirPathSafe",
    "GroupWritableForwardFile", "GroupWritableForwardFileSafe", "GroupWritableIncludeFile",
    "GroupWritableIncludeFileSafe", "GroupWritableSASLDBFile", "HelpFileInUnsafeDirPath",
    "IncludeFileInGroupWritableDirPath", "IncludeFileInUnsafeDirPath",
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
		while (i < BLAME_COUNT &&
		       (blame_names[i] == NULL || !text_equal_nocase(blame_names[i], word)))
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

/* Below these V8 warns. */
enum { MIME_HEADER_LOW = 128, MIME_FIELD_LOW = 40, HEADERS_LOW = 16384 };

static int
length_limit(struct config *config, const char *what, long value, int low)
{
	if (value <= 0)
		return 0;
	if (value < low)
		config_print(config, "Warning: %s limit set lower than %d", what, low);
	return value > INT_MAX ? INT_MAX : (int)value;
}

void
option_set_mime_header_length(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const char *slash = strchr(value, '/');

	(void)row;
	(void)sub;
	config->options.max_mime_header_length = length_limit(
	    config, "MaxMimeHeaderLength: header length", config_number(value), MIME_HEADER_LOW);
	config->options.max_mime_header_field_length = length_limit(config,
	    "MaxMimeHeaderLength: field length",
	    slash != NULL && slash[1] != '\0' ? config_number(slash + 1) : config_number(value) / 2,
	    MIME_FIELD_LOW);
}

void
option_set_headers_length(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	config->options.max_headers_length = length_limit(
	    config, "MaxHeadersLength: headers length", config_number(value), HEADERS_LOW);
}

void
option_set_operator_chars(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	bool is_late = config->reading != NULL && config->reading->saw_rule;

	(void)row;
	(void)sub;
	if (is_late || config->options.operator_chars != NULL)
		config_print(config,
		    "Warning: OperatorChars is being redefined.\n         It should only be set "
		    "before ruleset definitions.");
	config->options.operator_chars = arena_strdup(config->arena, value);
	/* V8: what rules were already read with stays in force */
	if (!is_late)
		config_set_operators(config);
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

/* What V8 says at the end of the file of options that do not go together. */
static void
check_combinations(struct config *config)
{
	const struct options *options = &config->options;
	const char *mailboxes = options->mailbox_database != NULL ? options->mailbox_database : "";

	if (options->single_thread_delivery && options->host_status_directory == NULL)
		config_print(
		    config, "Warning: HostStatusDirectory required for SingleThreadDelivery");
	if (options->super_safe == SUPER_SAFE_INTERACTIVE && options->delivery_mode != 'i')
		config_print(config, "WARNING: SuperSafe=interactive should only be used with\n"
				     "         DeliveryMode=interactive");
	if (strcmp(mailboxes, "pw") != 0 && strcmp(mailboxes, "ldap") != 0) {
		config_usage(config,
		    "Can't initialize mailbox database \"%s\": Service unavailable", mailboxes);
		config->error_status = EX_UNAVAILABLE;
		config->is_fatal = !config->reading->request->is_test_mode;
	}
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
		options->smtp_greeting_message = value != NULL ? arena_strdup(config->arena, value)
							       : "$j Sendmail $v ready at $b";
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
	if (!config->reading->saw_rule)
		config_set_operators(config);
	check_combinations(config);
}
