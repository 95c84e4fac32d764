#include "map/alias.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/table.h"
#include "base/text.h"
#include "map/build.h"
#include "map_internal.h"
#include "os/os.h"

enum {
	LINE_MAXIMUM = 8191,
	SHOWN_LINE = 40
}; /* V8: a line with its continuations, with line ends */

struct reading {
	const struct alias_reader *reader;
	FILE *file;
	struct str line;
	unsigned long number; /* of the last physical line */
	struct alias_totals *totals;
};

static void
say(struct reading *reading, bool is_error, const char *format, const char *first,
    const char *second)
{
	struct str message = {0};

	str_printf(&message, "%s: line %lu: ", reading->reader->file, reading->number);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			str_add_char(&message, *format);
			continue;
		}
		str_add_text(&message, first);
		first = second;
	}
	reading->reader->say(reading->reader->context, str_text(&message), is_error);
	str_free(&message);
}

/* Adds one physical line without its end; false at the end of the file. */
static bool
add_physical(struct reading *reading)
{
	bool any = false;
	int byte;

	while ((byte = getc(reading->file)) != EOF) {
		any = true;
		if (byte == '\n')
			break;
		/* what is far too long need not be kept */
		if (reading->line.length <= LINE_MAXIMUM)
			str_add_char(&reading->line, (char)byte);
	}
	reading->number += any;
	return any;
}

static bool
ends_in_backslash(const struct str *line)
{
	return line->length > 0 && line->data[line->length - 1] == '\\';
}

static bool
next_is_continuation(FILE *file)
{
	int byte = getc(file);

	if (byte != EOF)
		ungetc(byte, file);
	return byte == ' ' || byte == '\t';
}

/* A line with its continuations, also those of comments; false at the end of the file. */
static bool
read_logical(struct reading *reading)
{
	str_clear(&reading->line);
	if (!add_physical(reading))
		return false;
	while (ends_in_backslash(&reading->line)) {
		str_truncate(&reading->line, reading->line.length - 1);
		if (!add_physical(reading))
			break;
	}
	while (reading->line.length > 0 && next_is_continuation(reading->file))
		add_physical(reading);
	return true;
}

/* The colon that ends the left side: not within quotes, comments or angle brackets; NULL: none. */
static char *
find_colon(char *line)
{
	bool quoted = false;
	int comments = 0, angles = 0;

	for (char *at = line; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '"' && comments == 0)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (*at == '(')
			comments++;
		else if (*at == ')' && comments > 0)
			comments--;
		else if (comments > 0)
			continue;
		else if (*at == '<')
			angles++;
		else if (*at == '>' && angles > 0)
			angles--;
		else if (*at == ':' && angles == 0)
			return at;
	}
	return NULL;
}

/* Comments off, and of "words <address>" the address. */
static void
reduce_name(struct str *out, const char *name)
{
	bool quoted = false;
	int comments = 0;

	for (const char *at = name; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0') {
			if (comments == 0)
				str_add(out, at, 2);
			at++;
			continue;
		}
		if (*at == '"' && comments == 0)
			quoted = !quoted;
		if (!quoted && *at == '(') {
			comments++;
		} else if (!quoted && *at == ')' && comments > 0) {
			comments--;
		} else if (comments == 0) {
			if (!quoted && *at == '<')
				str_clear(out);
			else if (!quoted && *at == '>')
				return;
			else
				str_add_char(out, *at);
		}
	}
}

/* "x y" keeps its quotes, "xy" does not need them (V8's ruleset 0 dequotes what it can). */
static void
drop_needless_quotes(char *name)
{
	size_t length = strlen(name);

	if (length < 3 || name[0] != '"' || name[length - 1] != '"' ||
	    strcspn(name, " \t()<>,;:@") < length || (length > 1 && name[length - 2] == '\\'))
		return;
	memmove(name, name + 1, length - 2);
	name[length - 2] = '\0';
}

/* The key of a left side that is local: its local part in lower case, blanks between words as BlankSub. */
static char *
make_key(const char *left)
{
	struct str name = {0}, key = {0};
	bool quoted = false, blank = false;
	char *at_sign = NULL;

	reduce_name(&name, left);
	for (const char *at = text_skip_space(str_text(&name)); *at != '\0'; at++) {
		if (!quoted && text_is_space((unsigned char)*at)) {
			blank = true;
			continue;
		}
		if (blank)
			str_add_char(&key, '.');
		blank = false;
		if (*at == '"' && (key.length == 0 || key.data[key.length - 1] != '\\'))
			quoted = !quoted;
		str_add_char(&key, *at);
		if (!quoted && *at == '@')
			at_sign = key.data + key.length - 1;
	}
	str_free(&name);
	if (key.data == NULL)
		return check_strdup("");
	at_sign = strrchr(key.data, '@');
	if (at_sign != NULL && strchr(at_sign, '"') == NULL)
		*at_sign = '\0';
	text_to_lower(key.data);
	drop_needless_quotes(key.data);
	return key.data;
}

static enum map_alias_name
check_name(struct reading *reading, const char *name)
{
	const struct alias_reader *reader = reading->reader;

	if (reader->check_name == NULL)
		return strchr(name, '@') == NULL ? MAP_ALIAS_LOCAL : MAP_ALIAS_NOT_LOCAL;
	if (reader->before_check != NULL) {
		struct str place = {0};

		str_printf(&place, "%s: line %lu: ", reader->file, reading->number);
		reader->before_check(reader->context, str_text(&place));
		str_free(&place);
	}
	return reader->check_name(reader->check_context, name);
}

static void
store(struct reading *reading, const char *left, const char *key, const char *value)
{
	struct alias_totals *totals = reading->totals;
	size_t length = strlen(value);

	if (reading->reader->add(reading->reader->context, key, value))
		say(reading, false, "%... Warning: duplicate alias name %", left, key);
	totals->count++;
	totals->bytes += strlen(key) + length;
	if (length > totals->longest)
		totals->longest = length;
}

/*
 * V8: "bad<: alice" has no colon outside its brackets; the bracket is closed at the end of the line,
 * and what is in it becomes the name.
 */
static void
take_unbalanced(struct reading *reading, char *line)
{
	char *inside = strchr(line, '<') + 1, *colon = strchr(inside, ':');
	struct str key = {0};

	say(reading, false, "%... Unbalanced '<'", line, "");
	if (colon == NULL)
		return;
	for (const char *at = inside; *at != '\0'; at++) {
		if (!text_is_space((unsigned char)*at))
			str_add_char(&key, (char)text_lower((unsigned char)*at));
	}
	store(reading, line, str_text(&key), text_skip_space(colon + 1));
	str_free(&key);
}

static void
take_line(struct reading *reading)
{
	char *line = reading->line.data, *colon, *value, *key, *left, shown[SHOWN_LINE + 1];

	text_copy(shown, sizeof shown, line);
	if (strchr(line, ':') == NULL) {
		say(reading, true, "missing colon", "", "");
		return;
	}
	colon = find_colon(line);
	if (colon == NULL && strchr(line, '<') != NULL) {
		take_unbalanced(reading, line);
		return;
	}
	if (colon == NULL)
		colon = strchr(line, ':');
	*colon = '\0';
	left = line;
	text_trim_end(left);
	value = text_skip_space(colon + 1);
	if (*text_skip_space(left) == '\0') {
		say(reading, true, "%... illegal alias name", shown, "");
		return;
	}
	switch (check_name(reading, left)) {
	case MAP_ALIAS_LOCAL:
		break;
	case MAP_ALIAS_NOT_LOCAL:
		say(reading, true, "%... cannot alias non-local names", left, "");
		return;
	case MAP_ALIAS_ILLEGAL:
		say(reading, true, "%... illegal alias name", shown, "");
		return;
	}
	if (*value == '\0') {
		say(reading, true, "%... missing value for alias", shown, "");
		return;
	}
	if (reading->reader->check_value != NULL)
		reading->reader->check_value(reading->reader->context, value);
	key = make_key(left);
	store(reading, left, key, value);
	free(key);
}

void
alias_read(FILE *file, const struct alias_reader *reader, struct alias_totals *totals)
{
	struct reading reading = {.reader = reader, .file = file, .totals = totals};

	*totals = (struct alias_totals){0};
	while (read_logical(&reading)) {
		/* a NUL ends a line, as it does in V8 */
		if (reading.line.length == 0 || reading.line.data[0] == '#' ||
		    reading.line.data[0] == '\0')
			continue;
		if (reading.line.length >= LINE_MAXIMUM)
			say(&reading, true, "alias line too long", "", "");
		else if (reading.line.data[0] == ' ' || reading.line.data[0] == '\t')
			say(&reading, true, "Non-continuation line starts with space", "", "");
		else
			take_line(&reading);
	}
	str_free(&reading.line);
}

const char *
alias_describe_totals(const char *file, const struct alias_totals *totals, struct arena *arena)
{
	return arena_printf(arena, "%s: %lu aliases, longest %lu bytes, %lu bytes total", file,
	    (unsigned long)totals->count, (unsigned long)totals->longest,
	    (unsigned long)totals->bytes);
}

/* --- the database */

struct builder {
	const struct alias_reader *outer;
	struct map_build *build;
	int error;
};

static bool
add_to_database(void *context, const char *name, const char *value)
{
	struct builder *builder = context;
	int error =
	    map_build_put(builder->build, name, strlen(name) + 1, value, strlen(value) + 1, false);
	bool was_there = error == MAP_BUILD_DUPLICATE;

	if (was_there)
		error = map_build_put(
		    builder->build, name, strlen(name) + 1, value, strlen(value) + 1, true);
	if (builder->error == 0)
		builder->error = error;
	return was_there;
}

static void
pass_message(void *context, const char *message, bool is_error)
{
	struct builder *builder = context;

	builder->outer->say(builder->outer->context, message, is_error);
}

static void
pass_place(void *context, const char *place)
{
	struct builder *builder = context;

	if (builder->outer->before_check != NULL)
		builder->outer->before_check(builder->outer->context, place);
}

static void
pass_value(void *context, const char *value)
{
	struct builder *builder = context;

	builder->outer->check_value(builder->outer->context, value);
}

/* Locked exclusively where the system lets us: an exclusive fcntl lock needs a descriptor to write. */
static FILE *
open_text(const char *path, int *error)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file;

	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		*error = errno;
		return NULL;
	}
	if (os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0 &&
	    (errno == EWOULDBLOCK || errno == EAGAIN)) {
		*error = EWOULDBLOCK;
		close(fd);
		return NULL;
	}
	file = fdopen(fd, "r");
	if (file == NULL) {
		*error = errno;
		close(fd);
	}
	return file;
}

int
alias_build(const struct alias_reader *reader, const struct map_build_request *request,
    struct alias_totals *totals)
{
	struct builder builder = {.outer = reader};
	struct alias_reader inner = *reader;
	int error = 0;
	FILE *file = open_text(reader->file, &error);

	if (file == NULL)
		return error;
	builder.build = map_build_open(request, &error);
	if (builder.build == NULL) {
		fclose(file);
		return error;
	}
	inner.add = add_to_database;
	inner.say = pass_message;
	inner.before_check = pass_place;
	if (reader->check_value != NULL)
		inner.check_value = pass_value;
	inner.context = &builder;
	alias_read(file, &inner, totals);
	if (ferror(file) && builder.error == 0)
		builder.error = EIO;
	/* the pair that says: complete */
	if (builder.error == 0)
		builder.error = map_build_put(builder.build, "@", 2, "@", 2, true);
	if (builder.error == 0)
		error = map_build_finish(builder.build);
	else
		map_build_abandon(builder.build);
	fclose(file);
	return builder.error != 0 ? builder.error : error;
}
