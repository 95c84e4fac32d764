#include "conf/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/safefile.h"
#include "net/dns.h"
#include "option_row.h"
#include "reading.h"

enum { CONFIG_LEVEL = 10, FILE_MAXIMUM = 16 * 1024 * 1024 };

const char *
config_expand_now(struct config *config, const char *text)
{
	struct str *scratch = &config->reading->scratch;

	if (strchr(text, '$') == NULL)
		return text;
	str_clear(scratch);
	if (!macro_expand(config->names, config->macros, text, scratch))
		config_error(config, EX_SOFTWARE, "expand: recursion too deep (10 max)");
	return str_text(scratch);
}

long
config_number(const char *text)
{
	return strtol(text, NULL, 10);
}

/* What each letter starts.  Rulesets and rules stand first: they are nine lines out of ten. */
static const struct directive {
	char letter;
	void (*read)(struct config *, const char *text);
} directives[] = {
    {'R', config_read_rule},	    /* rewriting rule */
    {'S', config_read_ruleset},	    /* start of a ruleset */
    {'D', config_read_macro},	    /* define a macro */
    {'C', config_read_class},	    /* add words to a class */
    {'F', config_read_class_file},  /* add words of a file, program or map to a class */
    {'M', config_read_mailer},	    /* define a mailer */
    {'H', config_read_header},	    /* a header field, or its check */
    {'O', config_read_option},	    /* set an option */
    {'K', config_read_map},	    /* declare a map */
    {'P', config_read_priority},    /* a word of Precedence: */
    {'T', config_read_trusted},	    /* trusted users */
    {'E', config_read_environment}, /* environment of mailers */
    {'V', config_read_version},	    /* level of the file */
    {'Q', config_read_queue_group}, /* a queue group */
    {'X', config_read_filter},	    /* a mail filter */
};

static bool
check_name(struct config *config, const char *text)
{
	const char *end, *error = NULL;
	int id = macro_name_parse(config->names, text, &end, config->arena, &error);

	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
	return id != MACRO_NONE;
}

/*
 * Complains of `${...}` names that are none, as V8 does for all lines before it looks at their kind.
 * What is no name at all swallows the rest of the line.
 */
static void
check_names(struct config *config, char *line)
{
	for (char *at = strchr(line, '{'); at != NULL; at = strchr(at + 1, '{')) {
		const char *before = at;

		if (before > line && strchr("&?=~", before[-1]) != NULL)
			before--;
		if ((before > line && before[-1] == '$' &&
			(before - 1 == line || before[-2] != '$')) ||
		    (at == line + 1 && strchr("DCF", line[0]) != NULL)) {
			if (!check_name(config, at) && at > line + 1) {
				/* V8: its own byte for the `$` is the last of the line */
				if (before == at)
					at[-1] = '\001';
				*at = '\0';
				break;
			}
		}
	}
	for (const char *at = strstr(line, "$="); at != NULL; at = strstr(at + 2, "$=")) {
		if (at[2] == '\0' && line[0] != 'R')
			check_name(config, at + 2);
	}
}

/*
 * V8, from level 3 on: a `#` starts a comment in any line, with the blanks before it, unless it is an
 * operator ($#) or stands behind a backslash, which goes.  Continuations of the line are no part of it.
 */
static void
cut_comments(char *line)
{
	char *to = line;

	if (strchr(line, '#') == NULL)
		return;
	for (const char *from = line; *from != '\0'; from++) {
		if (*from != '#' || from == line || from[-1] == '$') {
			*to++ = *from;
		} else if (from[-1] == '\\') {
			to[-1] = '#';
		} else {
			while (
			    to > line + 1 && to[-1] != '\n' && text_is_space((unsigned char)to[-1]))
				to--;
			from += strcspn(from, "\n");
			if (*from == '\0')
				break;
			*to++ = '\n';
		}
	}
	*to = '\0';
}

static void
read_line(struct config *config, char *line)
{
	if (line[0] == '#')
		return;
	if (config->level >= 3)
		cut_comments(line);
	check_names(config, line);
	for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++) {
		if (directives[i].letter == line[0]) {
			directives[i].read(config, line + 1);
			return;
		}
	}
	config_error(config, EX_SOFTWARE, "unknown configuration line \"%s\"", line);
}

/*
 * Cuts the next logical line out of `text`, in place: a line that starts with a blank goes on from the
 * one before, with the line break kept.  Returns what is after it; NULL at the end.
 */
static char *
cut_line(char *text, char **line, int *line_number)
{
	char *read = text, *write = text;

	if (*text == '\0')
		return NULL;
	*line = text;
	for (;;) {
		size_t length = strcspn(read, "\n"), kept = length;

		if (kept > 0 && read[kept - 1] == '\r')
			kept--;
		if (write != read)
			memmove(write, read, kept);
		write += kept;
		read += length;
		if (*read == '\0')
			break;
		(*line_number)++;
		read++;
		if (*read != ' ' && *read != '\t')
			break;
		*write++ = '\n';
	}
	*write = '\0';
	/* V8: blanks at the end are off, but the first character stays whatever it is */
	while (write > text + 1 && text_is_space((unsigned char)write[-1]))
		*--write = '\0';
	return read;
}

static void
read_lines(struct config *config, char *text)
{
	struct config_reading *reading = config->reading;
	int line_number = 0;
	char *line;

	while (!config->is_fatal && (text = cut_line(text, &line, &line_number)) != NULL) {
		reading->line_number = line_number;
		if (line[0] != '\0')
			read_line(config, line);
	}
}

/* As a string: a NUL byte ends no file. */
static char *
end_text(char *text, size_t length)
{
	text[length] = '\0';
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	return text;
}

/* The file's content, NUL-terminated; NULL and the reason when it cannot be had. */
static char *
slurp(const char *file, bool *is_exposed, const char **reason)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	char *text = NULL;
	size_t length = 0;

	if (fd < 0 || fstat(fd, &status) < 0) {
		*reason = NULL;
	} else if (!S_ISREG(status.st_mode)) {
		*reason = "not a plain file";
	} else if ((status.st_mode & (S_IRUSR | S_IRGRP | S_IROTH)) == 0) {
		/* V8: not for root either */
		*reason = NULL;
		errno = EACCES;
	} else if (status.st_size > FILE_MAXIMUM) {
		*reason = "file too large";
	} else {
		*is_exposed = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
		text = check_malloc((size_t)status.st_size + 1);
		while (length < (size_t)status.st_size) {
			ssize_t got = read(fd, text + length, (size_t)status.st_size - length);

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				break;
			length += (size_t)got;
		}
		end_text(text, length);
	}
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return text;
}

static char *
given_text(const struct config_request *request)
{
	char *text = check_malloc(request->text_length + 1);

	memcpy(text, request->text, request->text_length);
	return end_text(text, request->text_length);
}

static void
apply_command_line(struct config *config)
{
	const struct config_request *request = config->reading->request;
	enum option_source source = request->is_safe_caller ? OPTION_FROM_COMMAND_LINE_SAFE
							    : OPTION_FROM_COMMAND_LINE_UNSAFE;

	for (size_t i = 0; request->macro_settings != NULL && request->macro_settings[i] != NULL;
	     i++) {
		const char *end, *error = NULL;
		int id = macro_name_parse(
		    config->names, request->macro_settings[i], &end, config->arena, &error);

		if (error != NULL)
			config_error_lines(config, EX_SOFTWARE, error);
		/* plain text: a `$` from the command line is a dollar */
		if (id != MACRO_NONE)
			macro_set(config->macros, id, end);
	}
	for (size_t i = 0; request->option_settings != NULL && request->option_settings[i] != NULL;
	     i++) {
		const char *setting = request->option_settings[i];

		if (setting[0] == '-')
			option_set(config, (unsigned char)setting[1], NULL,
			    setting[1] != '\0' ? setting + 2 : "", source);
		else
			option_set_line(config, setting, source);
	}
}

static void
add_class_words(struct config *config, const char *name, const char *words)
{
	config_add_words(config, macro_id(config->names, name), words);
}

static void
set_built_in(struct config *config)
{
	macro_set_template(config->macros, 'n', "MAILER-DAEMON");
	add_class_words(config, "e", "7bit 8bit binary");
	add_class_words(config, "n", "multipart/signed");
	add_class_words(config, "s", "rfc822");
	add_class_words(config, "t", "root");
	add_class_words(config, "persistentMacros", "_ r s {daemon_flags} {if_addr}");
	add_class_words(config, "checkMIMETextHeaders", "content-description");
	add_class_words(config, "checkMIMEHeaders",
	    "content-type content-disposition content-transfer-encoding content-id mime-version");
	add_class_words(config, "checkMIMEFieldHeaders", "content-type content-disposition");
}

bool
config_shows_messages(const struct config *config)
{
	const struct config_request *request = config->reading->request;

	return request->is_test_mode || request->is_verbose || config->options.verbose ||
	       (request->operation_mode != '\0' && strchr("tiC", request->operation_mode) != NULL);
}

static void
check_level(struct config *config)
{
	if (config->level > CONFIG_LEVEL)
		config_note(config, EX_SOFTWARE,
		    "Warning: .cf version level (%d) exceeds sendmail version %s functionality "
		    "(%d)",
		    config->level, config_macro(config, config->macros, "v"), CONFIG_LEVEL);
	else if (config->level < CONFIG_LEVEL && config_shows_messages(config))
		config_note(config, EX_OK,
		    "Warning: .cf file is out of date: sendmail %s supports version %d, "
		    ".cf file is version %d",
		    config_macro(config, config->macros, "v"), CONFIG_LEVEL, config->level);
}

static void
check_queue_paths(struct config *config)
{
	const char *top = config->options.queue_directory;
	size_t length = strcspn(top, "*");

	/* with a wildcard the folder that has them all counts: /var/spool/mqueue of /var/spool/mqueue/main* */
	if (top[length] == '*') {
		while (length > 1 && top[length - 1] != '/')
			length--;
	}
	while (length > 1 && top[length - 1] == '/')
		length--;
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		if (group->path != NULL &&
		    (strncmp(group->path, top, length) != 0 ||
			(group->path[length] != '\0' && group->path[length] != '/')))
			config_note(config, EX_CONFIG,
			    "QueuePath %s not subpath of QueueDirectory %.*s/: No such file or "
			    "directory",
			    group->path, (int)length, top);
	}
}

/* V8 has the map `host` for $[ $] without a K line. */
static void
add_host_map(struct config *config)
{
	const char *error = NULL;

	if (map_find(config->maps, "host") == NULL && map_class_exists("host"))
		map_declare(config->maps, "host", "host", "-a.", config->arena, &error);
}

/* For all questions of this process from now on; words that this system's library has no flag for have no effect. */
static void
use_resolver_options(const struct config *config)
{
	const struct options *options = &config->options;
	struct dns_settings settings = {
	    .retransmit_seconds = (int)options->timeouts.resolver_retrans,
	    .retry = (int)options->timeouts.resolver_retry,
	    .asks_for_validation = options->dane,
	};
	const char *word = options->resolver_options;

	while (word != NULL && *(word = text_skip_space(word)) != '\0') {
		bool is_off = *word == '-';
		size_t length;

		word += *word == '+' || *word == '-';
		length = strcspn(word, " \t\n");
		dns_set_flag(&settings, word, length, !is_off);
		word += length;
	}
	dns_configure(&settings);
}

static void
finish(struct config *config)
{
	config->reading->file = NULL;
	check_level(config);
	option_finish(config);
	add_host_map(config);
	config_read_service_switch(config);
	config_set_host_classes(config);
	use_resolver_options(config);
	config_check_mailers(config);
	config_check_filters(config);
	if (!config->reading->request->is_test_mode && config->options.queue_directory == NULL)
		config_note(config, EX_CONFIG, "QueueDirectory (Q) option must be set");
	else if (!config->reading->request->is_test_mode)
		check_queue_paths(config);
}

static const char *
check_map_file(void *context, const char *path)
{
	const struct config *config = context;

	return safefile_check_kind(path, SAFEFILE_MAP, &config->options);
}

struct config *
config_read(const struct config_request *request)
{
	const char *host_error = NULL;
	struct arena *arena = arena_create();
	struct config *config = ARENA_NEW(arena, struct config);
	struct config_reading reading = {.request = request, .ruleset = RULESET_NONE};
	const char *reason = NULL;
	char *text;
	int open_error;

	config->arena = arena;
	config->file = arena_strdup(arena, request->file);
	config->reading = &reading;
	config->names = macro_names_create();
	config->macros = macro_env_create(NULL);
	config->classes = class_set_create();
	config->maps = map_set_create();
	/* $[ $] without a K line of that name */
	map_declare(config->maps, "host", "host", "-a.", arena, &host_error);
	config->rulesets = ARENA_ARRAY(arena, struct ruleset, RULESET_MAXIMUM);
	config->ruleset_names = table_create(TABLE_CASE);
	config->next_named_ruleset = RULESET_MAXIMUM - 1;
	for (int i = 0; i < RULESET_MAXIMUM; i++)
		config->rulesets[i].number = i;
	reading.last_header = &config->headers;
	reading.last_priority = &config->priorities;
	reading.last_group = &config->queue_groups;
	reading.last_filter = &config->filters;
	map_set_file_check(config->maps, check_map_file, config);
	text = request->text != NULL ? given_text(request)
				     : slurp(request->file, &config->is_exposed, &reason);
	open_error = errno;
	option_set_defaults(config);
	set_built_in(config);
	if (request->operation_mode != '\0')
		config_set_macro(
		    config, config->macros, "opMode", (char[2]){request->operation_mode, '\0'});
	config_set_host_names(config, text != NULL && strstr(text, "\nDj") == NULL);
	config_add_builtin_mailers(config);
	apply_command_line(config);
	reading.file = config->file;
	if (text == NULL && reason == NULL)
		config_error(config, EX_OSFILE, "cannot open: %s", strerror(open_error));
	else if (text == NULL)
		config_error(config, EX_OSFILE, "%s", reason);
	else
		read_lines(config, text);
	config->is_fatal |= text == NULL;
	free(text);
	if (text != NULL && !config->is_fatal)
		finish(config);
	str_free(&reading.scratch);
	config->reading = NULL;
	return config;
}

void
config_destroy(struct config *config)
{
	if (config == NULL)
		return;
	map_set_destroy(config->maps);
	class_set_destroy(config->classes);
	macro_env_destroy(config->macros);
	macro_names_destroy(config->names);
	table_destroy(config->ruleset_names);
	arena_destroy(config->arena);
}

const char *
config_expand(const struct config *config, const struct macro_env *macros, const char *template,
    struct arena *arena)
{
	struct str out = {0};
	const char *text;

	macro_expand(config->names, macros, template, &out);
	text = arena_memdup(arena, str_text(&out), out.length);
	str_free(&out);
	return text;
}

const char *
config_macro(const struct config *config, const struct macro_env *macros, const char *name)
{
	int id = macro_id_find(config->names, name);

	return id != MACRO_NONE ? macro_expanded(config->names, macros, id) : NULL;
}

void
config_set_macro(
    const struct config *config, struct macro_env *macros, const char *name, const char *value)
{
	macro_set(macros, macro_id(config->names, name), value);
}
