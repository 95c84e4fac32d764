#include "conf/mailer.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "reading.h"

enum { RECIPIENTS_DEFAULT = 100, LINE_LIMIT_7BIT = 990 };

bool
mailer_has(const struct mailer *mailer, int flag)
{
	return flag_set_has(&mailer->flags, flag);
}

static bool
is_network(const struct mailer *mailer)
{
	return mailer->path != NULL && strcmp(mailer->path, "[IPC]") == 0;
}

static bool
takes_user(const struct mailer *mailer)
{
	for (size_t i = 0; i < mailer->argument_count; i++) {
		if (strstr(mailer->arguments[i], "$u") != NULL)
			return true;
	}
	return false;
}

bool
mailer_is_smtp(const struct mailer *mailer)
{
	return is_network(mailer) || !takes_user(mailer);
}

/* `text` split at blanks. */
static void
set_arguments(struct config *config, struct mailer *mailer, const char *text)
{
	const char **arguments = ARENA_ARRAY(config->arena, const char *, MAILER_ARGUMENTS + 1);
	struct str joined = {0};
	size_t count = 0;

	for (text = text_skip_space(text); *text != '\0' && count < MAILER_ARGUMENTS;
	     text = text_skip_space(text)) {
		size_t length = 0;

		while (text[length] != '\0' && !text_is_space((unsigned char)text[length]))
			length++;
		arguments[count++] = arena_memdup(config->arena, text, length);
		str_printf(&joined, "%s%s", joined.length > 0 ? " " : "", arguments[count - 1]);
		text += length;
	}
	mailer->arguments = arguments;
	mailer->argument_count = count;
	mailer->arguments_text = arena_strdup(config->arena, str_text(&joined));
	str_free(&joined);
}

static bool
set_ruleset(struct config *config, const char *name, int *number)
{
	const char *error = NULL, *warning = NULL;
	int found = ruleset_find(config, name);

	/* one that comes later in the file, or never, is made now */
	if (found == RULESET_NONE)
		found = ruleset_declare(config, name, &error, &warning);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
	if (found == RULESET_NONE)
		return false;
	*number = found;
	return true;
}

/* S= and R=: `set` or `envelope/header`. */
static bool
set_rulesets(struct config *config, const char *text, int *envelope, int *header)
{
	char *name = arena_strdup(config->arena, text), *slash = strchr(name, '/');

	if (slash == name)
		slash = NULL; /* V8 complains of the whole text */
	if (slash != NULL) {
		*slash++ = '\0';
		text_trim_end(slash);
	}
	text_trim_end(name);
	if (!set_ruleset(config, name, envelope))
		return false;
	if (slash != NULL)
		return set_ruleset(config, slash, header);
	*header = *envelope;
	return true;
}

/* Cuts a name of letters, digits, `-` and `_` off, in place, with the one byte that ends it. */
static char *
cut_id_name(char **at)
{
	char *name = *at, *end = name;

	while (text_is_alnum((unsigned char)*end) || *end == '-' || *end == '_')
		end++;
	*at = end;
	if (*end != '\0')
		*(*at)++ = '\0';
	return name;
}

/* U=user[:group], names or numbers; V8 takes any other byte for the colon, and blanks around it. */
static bool
set_user(struct config *config, struct mailer *mailer, const char *text)
{
	char *rest = arena_strdup(config->arena, text), *user = cut_id_name(&rest), *group;
	const struct passwd *entry;
	const struct group *group_entry;
	bool has_group;

	if (*user == '\0') {
		config_error(config, EX_SOFTWARE, "mailer %s: null user name", mailer->name);
		return true;
	}
	while (text_is_space((unsigned char)*rest))
		rest++;
	has_group = *rest != '\0';
	group = cut_id_name(&rest);
	if (text_is_digit((unsigned char)*user)) {
		mailer->uid = (uid_t)config_number(user);
		mailer->has_uid = true;
	} else if ((entry = getpwnam(user)) != NULL) {
		mailer->uid = entry->pw_uid;
		mailer->gid = entry->pw_gid;
		mailer->has_uid = mailer->has_gid = true;
	} else {
		config_error(config, EX_SOFTWARE, "readcf: mailer U= flag: unknown user %s", user);
		return true;
	}
	if (!has_group)
		return true;
	if (*group == '\0') {
		config_error(config, EX_SOFTWARE, "mailer %s: null group name", mailer->name);
	} else if (text_is_digit((unsigned char)*group)) {
		mailer->gid = (gid_t)config_number(group);
		mailer->has_gid = true;
	} else if ((group_entry = getgrnam(group)) != NULL) {
		mailer->gid = group_entry->gr_gid;
		mailer->has_gid = true;
	} else {
		config_error(
		    config, EX_SOFTWARE, "readcf: mailer U= flag: unknown group %s", group);
	}
	return true;
}

static void
set_type_defaults(struct mailer *mailer)
{
	if (mailer->mta_type == NULL)
		mailer->mta_type = "dns";
	if (mailer->address_type == NULL)
		mailer->address_type = "rfc822";
	if (mailer->diagnostic_type == NULL)
		mailer->diagnostic_type = "smtp";
}

/* T=mta/address/diagnostic */
static void
set_types(struct config *config, struct mailer *mailer, const char *text)
{
	const char **types[] = {&mailer->mta_type, &mailer->address_type, &mailer->diagnostic_type};

	for (size_t i = 0; i < 3 && *text != '\0'; i++) {
		size_t length = i < 2 ? strcspn(text, "/") : strlen(text);

		if (length > 0)
			*types[i] = arena_memdup(config->arena, text, length);
		text += length + (text[length] == '/');
	}
	/* V8: a T= that says something says all */
	set_type_defaults(mailer);
}

static void
set_text(struct config *config, const struct mailer *mailer, const char *what, const char *value,
    const char **field)
{
	if (*value != '\0')
		*field = value;
	else
		config_error(config, EX_SOFTWARE, "mailer %s: null %s", mailer->name, what);
}

static bool
group_exists(const struct config *config, const char *name)
{
	/* mqueue is there without a line */
	if (text_equal_nocase(name, "mqueue"))
		return true;
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		if (text_equal_nocase(group->name, name))
			return true;
	}
	return false;
}

/* Values that are never expanded have V8's own byte where the file has a `$`. */
static const char *
with_own_byte(struct config *config, const char *value)
{
	char *copy;

	if (strchr(value, '$') == NULL)
		return value;
	copy = arena_strdup(config->arena, config_show(config, value));
	for (char *at = strchr(copy, '\001'); at != NULL; at = strchr(at, '\001'))
		*at = '\201';
	return copy;
}

/* False: the line is given up. */
static bool
set_equate(struct config *config, struct mailer *mailer, int letter, const char *value)
{
	if (strchr("PFSRCQTU", letter) != NULL)
		value = with_own_byte(config, value);
	switch (letter) {
	case 'P':
		if (*value != '\0')
			mailer->path = value;
		return true;
	case 'F':
		for (; *value != '\0'; value++) {
			if (!text_is_space((unsigned char)*value))
				flag_set_add(&mailer->flags, (unsigned char)*value);
		}
		return true;
	case 'S':
		return set_rulesets(
		    config, value, &mailer->sender_envelope, &mailer->sender_header);
	case 'R':
		return set_rulesets(
		    config, value, &mailer->recipient_envelope, &mailer->recipient_header);
	case 'A':
		if (*value != '\0')
			set_arguments(config, mailer, value);
		return true;
	case 'E':
		set_text(config, mailer, "end-of-line string", value, &mailer->eol);
		return true;
	case 'M':
		mailer->maximum_size = config_number(value);
		return true;
	case 'm':
		mailer->maximum_messages = (int)config_number(value);
		return true;
	case 'r':
		mailer->maximum_recipients = (int)config_number(value);
		return true;
	case 'L':
		mailer->line_limit = (int)config_number(value);
		if (mailer->line_limit < 0)
			mailer->line_limit = 0;
		return true;
	case 'D':
		set_text(config, mailer, "working directory", value, &mailer->directory);
		return true;
	case '/':
		set_text(config, mailer, "root directory", value, &mailer->chroot);
		return true;
	case 'C':
		set_text(config, mailer, "charset", value, &mailer->charset);
		return true;
	case 'Q':
		/* V8: Q lines stand before the mailers that use them */
		if (*value == '\0')
			config_error(config, EX_SOFTWARE, "mailer %s: null queue", mailer->name);
		else if (group_exists(config, value))
			mailer->queue_group = value;
		else
			config_error(config, EX_SOFTWARE, "mailer %s: unknown queue %s",
			    mailer->name, value);
		return true;
	case 'T':
		set_types(config, mailer, value);
		return true;
	case 'U':
		return set_user(config, mailer, value);
	case 'N':
		mailer->nice = (int)config_number(value);
		return true;
	case 'W':
		mailer->wait_seconds = config_parse_time(config, value, 's');
		return true;
	default:
		config_error(
		    config, EX_SOFTWARE, "M%s: unknown mailer equate %c=", mailer->name, letter);
		return true;
	}
}

/* What P= and A= must have; false: the mailer is not taken. */
static bool
check_arguments(struct config *config, const struct mailer *mailer)
{
	const char *name = mailer->name;

	if (mailer->arguments == NULL) {
		config_error(config, EX_SOFTWARE, "M%s: A= argument required", name);
		return false;
	}
	if (mailer->path == NULL) {
		config_error(config, EX_SOFTWARE, "M%s: P= argument required", name);
		return false;
	}
	if (strcmp(mailer->path, "[TCP]") == 0) {
		config_error(config, EX_SOFTWARE, "M%s: P=[TCP] must be replaced by P=[IPC]", name);
		return false;
	}
	if (strcmp(mailer->path, "[IPC]") == 0) {
		if (mailer->argument_count < 2) {
			config_error(config, EX_SOFTWARE, "M%s: too few parameters for %s mailer",
			    name, mailer->path);
			return false;
		}
		if (strcmp(mailer->arguments[0], "TCP") != 0 &&
		    strcmp(mailer->arguments[0], "FILE") != 0)
			config_note(config, EX_OK,
			    "M%s: Warning: first argument in %s mailer must be TCP or FILE", name,
			    mailer->path);
	}
	if (strcmp(mailer->path, "[FILE]") == 0) {
		if (mailer->argument_count != 2) {
			config_error(config, EX_SOFTWARE,
			    "M%s: too %s parameters for [FILE] mailer", name,
			    mailer->argument_count < 2 ? "few" : "many");
			return false;
		}
		if (strcmp(mailer->arguments[0], "FILE") != 0) {
			config_error(config, EX_SOFTWARE,
			    "M%s: first argument in [FILE] mailer must be FILE", name);
			return false;
		}
	}
	return true;
}

static void
set_mailer_defaults(struct mailer *mailer)
{
	if (is_network(mailer)) {
		if (mailer->diagnostic_type == NULL && strcmp(mailer->arguments[0], "FILE") == 0)
			mailer->diagnostic_type = "x-unix";
		set_type_defaults(mailer);
	}
	if (mailer->eol == NULL)
		mailer->eol = takes_user(mailer) ? "\n" : "\r\n";
	if (mailer->line_limit == 0 && mailer_has(mailer, 'L'))
		mailer->line_limit = LINE_LIMIT_7BIT;
	if (mailer->maximum_recipients <= 0)
		mailer->maximum_recipients = RECIPIENTS_DEFAULT;
	if (mailer->maximum_messages < 0)
		mailer->maximum_messages = 0;
}

static void
add_mailer(struct config *config, struct mailer *mailer)
{
	struct mailer *old = config_find_mailer(config, mailer->name);

	if (old != NULL) {
		/* in place: others may have seen its address */
		mailer->number = old->number;
		*old = *mailer;
		return;
	}
	if (config->mailer_count == MAILER_MAXIMUM) {
		config_error(
		    config, EX_SOFTWARE, "too many mailers defined (%d max)", MAILER_MAXIMUM);
		return;
	}
	mailer->number = (int)config->mailer_count;
	config->mailers[config->mailer_count++] = mailer;
}

void
config_read_mailer(struct config *config, const char *text)
{
	struct mailer *mailer = ARENA_NEW(config->arena, struct mailer);
	enum equate found;
	const char *value;
	int letter;

	mailer->name = config_equate_name(config, &text);
	if (mailer->name[0] == '\0') {
		config_error(config, EX_SOFTWARE, "name required for mailer");
		return;
	}
	while ((found = config_next_equate(config, &text, &letter, &value)) != EQUATE_END) {
		if (found == EQUATE_BAD) {
			config_error(config, EX_SOFTWARE, "mailer %s: `=' expected", mailer->name);
			return;
		}
		if (!set_equate(config, mailer, letter, value))
			return;
	}
	if (!check_arguments(config, mailer))
		return;
	set_mailer_defaults(mailer);
	add_mailer(config, mailer);
}

void
config_add_builtin_mailers(struct config *config)
{
	/* V8 has these before it reads the file, so their numbers are 0, 1 and 2 */
	config_read_mailer(config, "prog, P=/bin/sh, F=lsoDq9, T=X-Unix/X-Unix/X-Unix, A=sh -c $u");
	config_read_mailer(
	    config, "*file*, P=[FILE], F=lsDFMPEouq9, T=X-Unix/X-Unix/X-Unix, A=FILE $u");
	config_read_mailer(config, "*include*, P=/dev/null, F=su, A=INCLUDE $u");
}

struct mailer *
config_find_mailer(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->mailer_count; i++) {
		if (text_equal_nocase(config->mailers[i]->name, name))
			return config->mailers[i];
	}
	return NULL;
}

void
config_check_mailers(struct config *config)
{
	config->local_mailer = config_find_mailer(config, "local");
	config->prog_mailer = config_find_mailer(config, "prog");
	config->file_mailer = config_find_mailer(config, "*file*");
	config->include_mailer = config_find_mailer(config, "*include*");
	/* V8: each recipient of these is a delivery of its own, whatever the file says */
	for (size_t i = 0; i < 3; i++)
		flag_set_remove(&config->mailers[i]->flags, 'm');
	if (config->local_mailer == NULL) {
		config_note(config, EX_SOFTWARE, "No local mailer defined");
		return;
	}
	/* V8: what was built in before there were flags for it */
	if (config->level < 7) {
		flag_set_add(&config->local_mailer->flags, 'q');
		flag_set_add(&config->prog_mailer->flags, 'q');
	}
	if (config->level < 6) {
		for (const char *flag = "Aw5:|/@"; *flag != '\0'; flag++)
			flag_set_add(&config->local_mailer->flags, (unsigned char)*flag);
		flag_set_add(&config->prog_mailer->flags, 'o');
	}
}
