#include "conf/advice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/safefile.h"
#include "option_row.h"

/* The second look at a file that was read: its lines one by one, for what only looks right. */
struct advice {
	const struct config *config;
	config_advice *tell;
	void *context;
	struct arena *arena;
	int line_number;
	bool uses_smart_host; /* a rule has $S */
	int smart_host_line;
};

static void advise(struct advice *advice, const char *format, ...) PRINTF_LIKE(2, 3);

static void
advise(struct advice *advice, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	advice->tell(
	    advice->context, advice->line_number, arena_vprintf(advice->arena, format, arguments));
	va_end(arguments);
}

/* The letters, digits, `_`, `-` and `.` at the start of text. */
static const char *
cut_name(struct advice *advice, const char *text)
{
	size_t length = 0;

	while (text_is_alnum((unsigned char)text[length]) ||
	       (text[length] != '\0' && strchr("_-.*", text[length]) != NULL))
		length++;
	return arena_memdup(advice->arena, text, length);
}

/* -- rules -- */

static void
check_ruleset(struct advice *advice, const char *where, const char *name)
{
	int number = *name != '\0' ? ruleset_find(advice->config, name) : RULESET_NONE;

	if (*name == '\0' ||
	    (number != RULESET_NONE && advice->config->rulesets[number].is_defined))
		return;
	/* V8 has these without a line, and takes addresses as they are */
	if (number != RULESET_NONE && number < 5)
		return;
	advise(advice, "%s%s: no such ruleset", where, name);
}

static void
check_calls(struct advice *advice, const char *rule)
{
	for (const char *at = strstr(rule, "$>"); at != NULL; at = strstr(at + 2, "$>"))
		check_ruleset(advice, "$>", cut_name(advice, text_skip_space(at + 2)));
	for (const char *at = strstr(rule, "$#"); at != NULL; at = strstr(at + 2, "$#")) {
		const char *name = cut_name(advice, text_skip_space(at + 2));

		/* hooks return single letters (srv_features) and numbers (greet_pause) */
		if (strlen(name) > 1 && name[strspn(name, "0123456789")] != '\0' &&
		    config_find_mailer(advice->config, name) == NULL &&
		    !text_equal_nocase(name, "error") && !text_equal_nocase(name, "discard") &&
		    !text_equal_nocase(name, "OK") && !text_equal_nocase(name, "TEMP"))
			advise(advice, "$#%s: no such mailer", name);
	}
	for (const char *at = strstr(rule, "$("); at != NULL; at = strstr(at + 2, "$(")) {
		const char *name = cut_name(advice, text_skip_space(at + 2));

		if (*name != '\0' && map_find(advice->config->maps, name) == NULL)
			advise(advice, "$(%s: no such map", name);
	}
}

static void
check_rule(struct advice *advice, const char *text)
{
	const char *right = strchr(text, '\t');

	advice->uses_smart_host |= strstr(text, "$S") != NULL || strstr(text, "${S}") != NULL ||
				   strstr(text, "$&S") != NULL || strstr(text, "$&{S}") != NULL;
	if (right == NULL) {
		advise(advice, "the fields of a rule are apart by tabs, not by blanks");
		return;
	}
	right += strspn(right, "\t");
	/* the comment is no rule */
	check_calls(advice, arena_memdup(advice->arena, right, strcspn(right, "\t\n")));
}

/* -- files -- */

/* Is there more than comments in the text of a map? */
static bool
has_entries(const char *path)
{
	FILE *file = fopen(path, "r");
	bool found = false, is_start = true;
	int byte;

	while (file != NULL && !found && (byte = getc(file)) != EOF) {
		if (is_start && byte == '#') {
			while (byte != '\n' && byte != EOF)
				byte = getc(file);
		}
		found = !text_is_space((unsigned char)byte) && byte != EOF;
		is_start = byte == '\n';
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static void
check_password_file(struct advice *advice, const char *what, const char *path)
{
	struct stat status;

	if (strstr(path, "auth") != NULL && stat(path, &status) == 0 &&
	    (status.st_mode & S_IROTH) != 0)
		advise(advice, "%s: everybody can read %s, which may hold passwords", what, path);
}

/* A database that is there, is no older than its text, and nobody else can write, or read where it has passwords. */
static void
check_map_file(struct advice *advice, const struct map *map, const char *what)
{
	const char *class = map_class_name(map), *file = map_file(map), *path = file, *reason;
	bool is_database = text_equal_nocase(class, "hash") || text_equal_nocase(class, "btree") ||
			   text_equal_nocase(class, "implicit");
	struct stat text, status;
	bool has_text;

	if (file == NULL || *file != '/')
		return;
	if (is_database && !text_ends_nocase(file, ".db"))
		path = arena_printf(advice->arena, "%s.db", file);
	else if (text_equal_nocase(class, "cdb") && !text_ends_nocase(file, ".cdb"))
		path = arena_printf(advice->arena, "%s.cdb", file);
	else if (!is_database && !text_equal_nocase(class, "text") &&
		 !text_equal_nocase(class, "stab"))
		return;
	has_text =
	    path != file && stat(file, &text) == 0 && S_ISREG(text.st_mode) && has_entries(file);
	if (has_text)
		check_password_file(advice, what, file);
	if (stat(path, &status) < 0) {
		if (map_is_optional(map) && has_text)
			advise(advice, "%s: %s is not there, though %s has entries (makemap)", what,
			    path, file);
		/* newaliases makes it; without it the text is read */
		if (!map_is_optional(map) &&
		    !(text_equal_nocase(class, "implicit") && access(file, R_OK) == 0))
			advise(advice, "%s: %s is not there", what, path);
		return;
	}
	if (path != file && stat(file, &text) == 0 && S_ISREG(text.st_mode) &&
	    text.st_mtime > status.st_mtime)
		advise(advice, "%s: %s is older than %s", what, path, file);
	reason = safefile_check_kind(path, SAFEFILE_MAP, &advice->config->options);
	if (reason != NULL)
		advise(advice, "%s: %s: %s", what, path, reason);
	else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		advise(advice, "%s: %s can be written by others than its owner", what, path);
	check_password_file(advice, what, path);
}

static void
check_map_line(struct advice *advice, const char *text)
{
	const char *name = cut_name(advice, text_skip_space(text));
	const struct map *map = map_find(advice->config->maps, name);

	if (map != NULL)
		check_map_file(advice, map, arena_printf(advice->arena, "map %s", name));
}

static void
check_mailer_line(struct advice *advice, const char *text)
{
	const char *name = cut_name(advice, text);
	const struct mailer *mailer = config_find_mailer(advice->config, name);
	struct stat status;

	if (mailer == NULL)
		return;
	for (const char *at = strchr(text, '='); at != NULL; at = strchr(at + 1, '=')) {
		if (at[-1] != 'S' && at[-1] != 'R')
			continue;
		if (at - 2 >= text && !text_is_space((unsigned char)at[-2]) && at[-2] != ',')
			continue;
		for (const char *set = text_skip_space(at + 1); *set != '\0';
		     set += strcspn(set, "/, ") + 1) {
			check_ruleset(advice,
			    arena_printf(advice->arena, "mailer %s, %c=", name, at[-1]),
			    cut_name(advice, set));
			if (set[strcspn(set, "/, ")] != '/')
				break;
		}
	}
	if (mailer->path != NULL && *mailer->path == '/' && stat(mailer->path, &status) < 0)
		advise(advice, "mailer %s: %s is not there", name, mailer->path);
}

/* -- the whole -- */

static void
check_option_line(struct advice *advice, const char *text)
{
	const char *name = option_name_of(advice->arena, text), *value = strchr(text, '=');

	value = text[0] != ' ' ? text + 1 : value != NULL ? text_skip_space(value + 1) : "";
	if (name != NULL && option_is_idle(name, value))
		advise(advice, "option %s has no effect here", name);
}

static void
check_header_line(struct advice *advice, const char *text)
{
	const char *call = strstr(text, "$>");

	if (call != NULL)
		check_ruleset(
		    advice, "$>", cut_name(advice, text_skip_space(call + 2 + (call[2] == '+'))));
}

static void
check_line(struct advice *advice, const char *line)
{
	switch (line[0]) {
	case 'R':
		check_rule(advice, line + 1);
		break;
	case 'K':
		check_map_line(advice, line + 1);
		break;
	case 'M':
		check_mailer_line(advice, line + 1);
		break;
	case 'O':
		check_option_line(advice, line + 1);
		break;
	case 'H':
		check_header_line(advice, line + 1);
		break;
	case 'D':
		if (line[1] == 'S' && line[2] != '\0' && line[2] != '\n')
			advice->smart_host_line = advice->line_number;
		break;
	}
}

/* DS without the mailer, brackets and further hosts; "" when there is none. */
static const char *
smart_host(struct advice *advice)
{
	const char *value = config_macro(advice->config, advice->config->macros, "S"), *colon;

	if (value == NULL)
		return "";
	colon = strchr(value, ':');
	if (colon != NULL && value[0] != '[') {
		const char *mailer = arena_memdup(advice->arena, value, (size_t)(colon - value));

		if (config_find_mailer(advice->config, mailer) != NULL)
			value = colon + 1;
	}
	if (*value == '[')
		return arena_memdup(advice->arena, value + 1, strcspn(value + 1, "]"));
	return arena_memdup(advice->arena, value, strcspn(value, ": "));
}

static void
check_smart_host(struct advice *advice)
{
	const struct config *config = advice->config;
	const char *host = smart_host(advice);
	int class_id = macro_id_find(config->names, "w");

	advice->line_number = advice->smart_host_line;
	if (*host == '\0')
		return;
	if (!advice->uses_smart_host)
		advise(advice, "DS is set, and no rule uses $S: mail does not go to %s", host);
	if (class_id != MACRO_NONE &&
	    (class_has(config->classes, class_id, host, strlen(host)) ||
		class_has(config->classes, class_id, arena_printf(advice->arena, "[%s]", host),
		    strlen(host) + 2)))
		advise(advice, "the smart host %s is this host ($=w): mail would go in a circle",
		    host);
}

static void
check_names(struct advice *advice)
{
	const struct config *config = advice->config;
	const char *full = config_macro(config, config->macros, "j"),
		   *host = config_macro(config, config->macros, "w"),
		   *domain = config_macro(config, config->macros, "m");
	size_t length = host != NULL ? strlen(host) : 0;

	advice->line_number = 0;
	if (full == NULL || *full == '\0') {
		advise(advice, "$j, the name of this host, is empty");
		return;
	}
	/* one without a domain V8 warns of itself */
	if (strchr(full, '.') != NULL && domain != NULL && *domain != '\0' &&
	    !text_ends_nocase(full, domain))
		advise(advice, "$j is %s, and $m is %s, which is not its domain", full, domain);
	if (length > 0 &&
	    (!text_starts_nocase(full, host) || (full[length] != '.' && full[length] != '\0')))
		advise(advice, "$j is %s, and $w is %s, which is not its first part", full, host);
}

/* Certificates and the like; two of them may stand in one value. */
static void
check_file(struct advice *advice, const char *option, const char *value)
{
	struct stat status;

	while (value != NULL && *value != '\0') {
		size_t length = strcspn(value, ",");
		const char *path = arena_memdup(advice->arena, value, length);

		if (*path == '/' && stat(path, &status) < 0)
			advise(advice, "%s: %s: %s", option, path, strerror(errno));
		value += length + (value[length] == ',');
	}
}

static void
check_certificates(struct advice *advice)
{
	const struct options *options = &advice->config->options;
	const struct {
		const char *option, *value;
	} files[] = {{"CACertFile", options->ca_cert_file}, {"CACertPath", options->ca_cert_path},
	    {"CRLFile", options->crl_file}, {"ServerCertFile", options->server_cert_file},
	    {"ServerKeyFile", options->server_key_file},
	    {"ClientCertFile", options->client_cert_file},
	    {"ClientKeyFile", options->client_key_file}};

	advice->line_number = 0;
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		check_file(advice, files[i].option, files[i].value);
}

static void
check_places(struct advice *advice)
{
	const struct config *config = advice->config;
	const char *queue = config->options.queue_directory;
	struct stat status;

	advice->line_number = 0;
	if (config->is_exposed)
		advise(advice, "this file can be written by others than its owner");
	if (queue == NULL || strchr(queue, '*') != NULL)
		return;
	if (stat(queue, &status) < 0)
		advise(advice, "QueueDirectory: %s is not there", queue);
	else if (!S_ISDIR(status.st_mode))
		advise(advice, "QueueDirectory: %s is no directory", queue);
	else if ((status.st_mode & S_IWOTH) != 0)
		advise(advice, "QueueDirectory: everybody can write to %s", queue);
}

/* Is a filter in one of the lists? */
static bool
is_asked(struct advice *advice, const struct filter_conf *filter)
{
	const struct config *config = advice->config;
	const struct daemon_port *port = config->options.daemon_ports;
	const char *at = config->options.input_mail_filters, *name;

	for (;;) {
		while (at != NULL) {
			if (config_next_filter(config, &at, &name, advice->arena) == filter)
				return true;
		}
		while (port != NULL && port->input_mail_filters == NULL)
			port = port->next;
		if (port == NULL)
			return false;
		at = port->input_mail_filters;
		port = port->next;
	}
}

static void
check_filters(struct advice *advice)
{
	const struct filter_conf *one;
	const char *path, *port, *host;
	struct stat status;
	int family;

	advice->line_number = 0;
	for (one = advice->config->filters; one != NULL; one = one->next) {
		if (!is_asked(advice, one)) {
			advise(advice,
			    "X%s: no InputMailFilters has it: mail does not go through it",
			    one->name);
			continue;
		}
		path = config_filter_path(one, advice->arena, &family, &port, &host);
		if (path == NULL)
			continue;
		if (stat(path, &status) < 0)
			advise(advice, "X%s: local socket name %s missing: %s", one->name, path,
			    strerror(errno));
		else if (!S_ISSOCK(status.st_mode))
			advise(advice, "X%s: %s is no socket", one->name, path);
		else if ((status.st_mode & S_IWOTH) == 0)
			advise(advice,
			    "X%s: %s admits its owner (uid %ld) and group (gid %ld) alone: the "
			    "user "
			    "who takes mail must be one of them",
			    one->name, path, (long)status.st_uid, (long)status.st_gid);
	}
}

static void
check_aliases(struct advice *advice)
{
	const struct map *map;

	advice->line_number = 0;
	for (size_t i = 0; i < advice->config->options.alias_files.count; i++) {
		map = map_find(advice->config->maps, arena_printf(advice->arena, "Alias%zu", i));
		if (map != NULL)
			check_map_file(advice, map, "AliasFile");
	}
}

void
config_advise(const struct config *config, config_advice *tell, void *context)
{
	struct advice advice = {
	    .config = config, .tell = tell, .context = context, .arena = arena_create()};
	FILE *file = fopen(config->file, "r");
	struct str line = {0};
	int number = 0, byte;

	/* lines with their continuations, numbered as errors are: by their last part */
	while (file != NULL && (byte = getc(file)) != EOF) {
		if (byte == '\0' || byte == '\r')
			continue;
		if (byte != '\n') {
			str_add_char(&line, (char)byte);
			continue;
		}
		number++;
		byte = getc(file);
		if (byte != EOF)
			ungetc(byte, file);
		if (byte == ' ' || byte == '\t') {
			str_add_char(&line, '\n');
			continue;
		}
		advice.line_number = number;
		check_line(&advice, str_text(&line));
		str_clear(&line);
	}
	advice.line_number = number + 1;
	check_line(&advice, str_text(&line));
	str_free(&line);
	if (file != NULL)
		fclose(file);
	check_smart_host(&advice);
	check_names(&advice);
	check_aliases(&advice);
	check_certificates(&advice);
	check_places(&advice);
	check_filters(&advice);
	arena_destroy(advice.arena);
}
