/*
 * class_file: F lines: words for a class from a file, a program or a map.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/safefile.h"
#include "reading.h"

enum { LINE_SIZE = 1024 };

/* -- formats: the part of scanf(3) that finds one text -- */

/* Does the set of a `%[...]` have this byte?  `set` is behind the bracket, *end is set to what is behind the other. */
static bool
in_set(const char *set, int byte, const char **end)
{
	bool is_negated = *set == '^', found = false;

	set += is_negated;
	for (const char *first = set; *set != '\0' && (*set != ']' || set == first); set++) {
		if (set[1] == '-' && set[2] != ']' && set[2] != '\0') {
			found |= byte >= (unsigned char)set[0] && byte <= (unsigned char)set[2];
			set += 2;
		} else {
			found |= byte == (unsigned char)*set;
		}
	}
	*end = *set == ']' ? set + 1 : set;
	return found != is_negated;
}

/* Takes what one conversion matches, at most `width` bytes; returns how many, and where the format goes on. */
static size_t
match_conversion(const char *format, const char *text, size_t width, const char **rest)
{
	size_t length = 0;

	*rest = format + 1;
	switch (*format) {
	case '[':
		while (length < width && text[length] != '\0' &&
		       in_set(format + 1, (unsigned char)text[length], rest))
			length++;
		in_set(format + 1, 0, rest);
		return length;
	case 's':
		while (length < width && text[length] != '\0' &&
		       !text_is_space((unsigned char)text[length]))
			length++;
		return length;
	case 'd':
	case 'u':
	case 'i':
		length = *text == '-' || *text == '+';
		while (length < width && text_is_digit((unsigned char)text[length]))
			length++;
		return length;
	case 'c':
		return *text != '\0';
	default:
		return 0;
	}
}

/* The text of a line that a format like `%[^:]` or `%*s %s` picks; false: the line does not fit. */
static bool
pick(const char *format, const char *text, char word[LINE_SIZE])
{
	while (*format != '\0') {
		bool is_skipped;
		size_t width = 0, length;

		if (text_is_space((unsigned char)*format)) {
			format++;
			text = text_skip_space(text);
			continue;
		}
		if (*format != '%' || format[1] == '%') {
			format += *format == '%';
			if (*text != *format)
				return false;
			format++;
			text++;
			continue;
		}
		format++;
		is_skipped = *format == '*';
		format += is_skipped;
		for (; text_is_digit((unsigned char)*format) && width < LINE_SIZE; format++)
			width = width * 10 + (size_t)(*format - '0');
		while (*format == 'l' || *format == 'h')
			format++;
		if (*format != '[' && *format != 'c')
			text = text_skip_space(text);
		if (*format == '\0')
			return false;
		length = match_conversion(
		    format, text, width > 0 && width < LINE_SIZE ? width : LINE_SIZE - 1, &format);
		if (length == 0)
			return false;
		if (!is_skipped) {
			memcpy(word, text, length);
			word[length] = '\0';
			return true;
		}
		text += length;
	}
	return false;
}

static void
read_words(struct config *config, int class_id, FILE *file, const char *format)
{
	char line[LINE_SIZE], word[LINE_SIZE];

	while (fgets(line, sizeof line, file) != NULL) {
		if (line[0] == '#' || line[0] == '\n' || !pick(format, line, word))
			continue;
		for (char *at = word; *(at = text_skip_space(at)) != '\0';) {
			char *end = at;

			while (*end != '\0' && !text_is_space((unsigned char)*end))
				end++;
			if (*end != '\0')
				*end++ = '\0';
			class_add(config->classes, class_id, at);
			at = end;
		}
	}
}

/* -- where the lines come from -- */

static void
cannot_open(struct config *config, const char *name, const char *reason)
{
	config_error(config, EX_OSERR, "fileclass: cannot open '%s': %s", name, reason);
}

static void
read_file(
    struct config *config, int class_id, const char *path, const char *format, bool is_optional)
{
	const char *reason;
	FILE *file;
	int fd;

	reason = safefile_check_kind(path, SAFEFILE_CLASS, &config->options);
	if (reason != NULL) {
		if (!is_optional)
			cannot_open(config, path, reason);
		return;
	}
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (file == NULL) {
		cannot_open(config, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	read_words(config, class_id, file, format);
	fclose(file);
}

static void
become_program(char **arguments, int output)
{
	int null = open("/dev/null", O_RDONLY);

	/* a program of the cf gets the caller's rights, never ours */
	if (setgid(getgid()) < 0 || setuid(getuid()) < 0)
		_exit(EX_OSERR);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	execv(arguments[0], arguments);
	_exit(EX_UNAVAILABLE);
}

/* V8: the program gets no arguments, whatever stands there, and one that cannot be run has no words. */
static void
read_program(struct config *config, int class_id, char *path, const char *format)
{
	char *arguments[] = {path, NULL};
	int ends[2], status;
	FILE *file;
	pid_t child;

	path[strcspn(path, " \t\n")] = '\0';
	if (pipe(ends) < 0) {
		cannot_open(config, path, strerror(errno));
		return;
	}
	child = fork();
	if (child == 0)
		become_program(arguments, ends[1]);
	close(ends[1]);
	file = child > 0 ? fdopen(ends[0], "r") : NULL;
	if (file == NULL) {
		cannot_open(config, path, strerror(errno));
		close(ends[0]);
	} else {
		read_words(config, class_id, file, format);
		fclose(file);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
}

/* @LDAP: the schema that sendmail's cf/README gives for classes. */
static const char *
default_ldap_class(struct config *config, const char *class_name)
{
	const char *cluster = config_macro(config, config->macros, "sendmailMTACluster"),
		   *host = config_macro(config, config->macros, "j");

	return arena_printf(config->arena,
	    "-k (&(objectClass=sendmailMTAClass)(sendmailMTAClassName=%s)"
	    "(|(sendmailMTACluster=%s)(sendmailMTAHost=%s))) -v "
	    "sendmailMTAClassValue,sendmailMTAClassSearch:FILTER:sendmailMTAClass,"
	    "sendmailMTAClassURL:URL:sendmailMTAClass -z,",
	    class_name, cluster != NULL ? cluster : "", host != NULL ? host : "");
}

/* `key@class:spec`: the values that a map has for a key, which is the class's name when none is given. */
static void
read_from_map(
    struct config *config, int class_id, const char *text, const char *class_name, bool is_optional)
{
	const char *at = strchr(text, '@'), *colon = strchr(at, ':'), *error = NULL, *key;
	const char *map_class = arena_memdup(
	    config->arena, at + 1, colon != NULL ? (size_t)(colon - at - 1) : strlen(at + 1));
	const char *arguments;
	struct map_hooks hooks = {0};
	struct map_result result = {0};
	struct map *map;
	bool is_open;
	char *words;

	if (!map_class_exists(map_class)) {
		config_error(config, EX_SOFTWARE, "fileclass: F{%s}: class %s not available",
		    class_name, map_class);
		return;
	}
	key = at > text ? arena_memdup(config->arena, text, (size_t)(at - text)) : class_name;
	arguments = colon != NULL ? colon + 1 : default_ldap_class(config, class_name);
	/* all values, not the first alone */
	if (text_equal_nocase(map_class, "ldap"))
		arguments = arena_printf(config->arena, "-z\\n %s", arguments);
	map = map_declare(config->maps, class_name, map_class, arguments, config->arena, &error);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
	if (map == NULL)
		return;
	is_open = map_is_open(map, &hooks, config->arena, &result) && result.message == NULL;
	if (is_open)
		map_lookup(map, key, NULL, 0, &hooks, config->arena, &result);
	if (error != NULL && !is_open)
		return; /* said already */
	if (result.message != NULL && !result.found) {
		config_error_lines(config, EX_OSERR, result.message);
		is_open = false;
	}
	if (!is_open) {
		if (!is_optional)
			config_error(
			    config, EX_SOFTWARE, "fileclass: F{%s}: map open failed", class_name);
		return;
	}
	if (!result.found || result.value == NULL)
		return;
	words = arena_strdup(config->arena, result.value);
	for (char *word = words; *(word += strspn(word, " \t\n,")) != '\0';) {
		size_t length = strcspn(word, " \t\n,");
		bool is_last = word[length] == '\0';

		word[length] = '\0';
		class_add(config->classes, class_id, word);
		word += length + !is_last;
	}
}

/* `key@class:spec`, or the one that stands for its own. */
static bool
is_map_source(const char *text)
{
	const char *at = strchr(text, '@');

	if (*text == '/' || *text == '|' || at == NULL)
		return false;
	return strchr(at, ':') != NULL || text_equal_nocase(at, "@LDAP");
}

void
config_read_class_file(struct config *config, const char *text)
{
	const char *end, *error = NULL, *format = "%s", *class_name;
	int id = macro_name_parse(config->names, text, &end, config->arena, &error);
	bool is_optional;
	char *file;

	if (id == MACRO_NONE) {
		if (text[0] == '\0')
			config_error_lines(config, EX_SOFTWARE, error);
		return;
	}
	text = text_skip_space(end);
	is_optional = text[0] == '-' && text[1] == 'o';
	if (is_optional)
		text = text_skip_space(
		    text + 2); /* the blank after -o may be missing, as in AIX's articles */
	if (*text == '\0') {
		config_error(config, EX_SOFTWARE, "fileclass: missing file name");
		return;
	}
	class_name = macro_name(config->names, id);
	if (class_name[0] == '{')
		class_name = arena_memdup(config->arena, class_name + 1, strlen(class_name) - 2);
	if (is_map_source(text)) {
		read_from_map(config, id,
		    arena_strdup(config->arena, config_expand_now(config, text)), class_name,
		    is_optional);
		return;
	}
	file = arena_strdup(config->arena, config_show(config, text));
	/* V8 runs a name that starts with a blank in vain */
	if (*file == '|' && text_is_space((unsigned char)file[1]))
		return;
	if (*file == '|') {
		read_program(config, id, file + 1, format);
		return;
	}
	end = file;
	file = config_unquote(config, &end, ' ');
	text = text_skip_space(end);
	if (*text != '\0')
		format = text;
	file[strcspn(file, "\n")] = '\0';
	read_file(config, id, file, format, is_optional);
}
