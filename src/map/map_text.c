/* Class text: the first line of a file whose key column is the key. */
#include "map_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/trace.h"

struct text_state {
	long key_column, value_column;
};

static bool
read_columns(struct map *map, struct map_call *call, struct text_state *state)
{
	const char *key = map->options.key_column, *value = map->options.value_column;

	state->key_column = 0;
	state->value_column = 0;
	if (key != NULL && !text_to_number(key, 0, 10000, &state->key_column))
		return map_open_failed(map, call,
		    "text map \"%s\", file %s: -k should specify a number, not %s", map->name,
		    map->file, key);
	if (value != NULL && !text_to_number(value, 0, 10000, &state->value_column))
		return map_open_failed(map, call,
		    "text map \"%s\", file %s: -v should specify a number, not %s", map->name,
		    map->file, value);
	return true;
}

static bool
open_text(struct map *map, struct map_call *call)
{
	struct stat status;
	bool is_missing;

	if (map_twin_is_there() && faccessat(AT_FDCWD, map->file, R_OK, AT_EACCESS) < 0 &&
	    errno == EACCES)
		return true;
	if (map->state == NULL)
		map->state = ARENA_NEW(map->set->arena, struct text_state);
	if (!map->said_failure)
		map_trace_file(map);
	if (*map->file != '/') /* V8 */
		return map_open_failed(
		    map, call, "text map \"%s\": file name must be fully qualified", map->name);
	/* V8 says no reason here */
	is_missing = stat(map->file, &status) < 0 && errno == ENOENT;
	if (is_missing && map->options.is_optional)
		return map_open_failed(map, call, "%s", "");
	if (is_missing || map_unsafe_file(map, map->file) != NULL)
		return map_open_failed(
		    map, call, "text map \"%s\": unsafe map file %s", map->name, map->file);
	if (trace_on(38, 2) && map->options.has_delimiter)
		trace_print("text_map_open(%s, %s): delimiter = %c\n", map->name, map->file,
		    map->options.delimiter);
	else if (trace_on(38, 2))
		trace_print(
		    "text_map_open(%s, %s): delimiter = (white space)\n", map->name, map->file);
	return read_columns(map, call, map->state);
}

/* Column `number` of a line, cut out in place; NULL: the line has not so many. */
static char *
cut_column(char *line, long number, bool has_delimiter, char delimiter)
{
	char *at = line;

	if (!has_delimiter) {
		/* V8: blanks at the start of a line belong to column 0, but end it when another one is asked for */
		for (; number > 0; number--) {
			at += strcspn(at, " \t\r\n\f\v");
			at = text_skip_space(at);
		}
		at = text_skip_space(at);
		if (*at == '\0')
			return NULL;
		at[strcspn(at, " \t\r\n\f\v")] = '\0';
		return at;
	}
	for (; number > 0; number--) {
		at = strchr(at, delimiter);
		if (at == NULL)
			return NULL;
		at++;
	}
	if (delimiter != '\0' && strchr(at, delimiter) != NULL)
		*strchr(at, delimiter) = '\0';
	return at;
}

static void
search_text(struct map *map, struct map_call *call, FILE *file)
{
	const struct text_state *state = map->state;
	bool has_delimiter = map->options.has_delimiter;
	char *line = NULL, delimiter = map->options.delimiter;
	size_t size = 0;

	map_miss(call, MAP_NOT_FOUND);
	while (getline(&line, &size, file) >= 0) {
		char *value, *copy, *column;
		bool is_key;

		if (*line == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		copy = check_strdup(line);
		column = cut_column(copy, state->key_column, has_delimiter, delimiter);
		/* V8: -f keeps the case of the key that is passed on, the file is read without regard to it */
		is_key = column != NULL && text_equal_nocase(column, call->key);
		free(copy);
		if (!is_key)
			continue;
		value = cut_column(line, state->value_column, has_delimiter, delimiter);
		if (value != NULL)
			map_give(map, call, value);
		break;
	}
	free(line);
}

static void
lookup_text(struct map *map, struct map_call *call)
{
	int fd = open(map->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	FILE *file;

	if (fd < 0 && errno == EACCES && map_twin_is_there()) {
		map->is_open = false;
		map_twin_ask(map, call);
		return;
	}
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || !map_lock_shared(fd) ||
	    (file = fdopen(fd, "r")) == NULL) {
		map_say(call, "text map \"%s\": cannot read %s: %s", map->name, map->file,
		    strerror(errno));
		map_miss(call, EX_TEMPFAIL);
		if (fd >= 0)
			close(fd);
		return;
	}
	search_text(map, call, file);
	fclose(file);
}

const struct map_class map_class_text = {.name = "text",
    .declare = map_declare_file,
    .open = open_text,
    .lookup = lookup_text,
    .trace_name = "text"};
