#include "map_internal.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"

void
map_add_error(struct map_errors *errors, const char *format, ...)
{
	va_list arguments;
	const char *line;

	va_start(arguments, format);
	line = arena_vprintf(errors->arena, format, arguments);
	va_end(arguments);
	errors->text =
	    errors->text == NULL ? line : arena_printf(errors->arena, "%s\n%s", errors->text, line);
}

char
map_read_delimiter(const char *value)
{
	if (*value != '\\')
		return *value;
	switch (value[1]) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return '\\';
	}
}

/* The options that every class understands; true: it was one. */
bool
map_take_general(struct map *map, char letter, const char *value)
{
	struct map_options *options = &map->options;

	switch (letter) {
	case 'N':
		options->only_with_nul = true;
		return true;
	case 'O':
		options->only_plain = true;
		return true;
	case 'o':
		options->is_optional = true;
		return true;
	case 'f':
		options->keeps_case = true;
		return true;
	case 'm':
		options->matches_only = true;
		return true;
	case 'q':
		options->keeps_quotes = true;
		return true;
	case 't':
		options->hides_failure = true;
		return true;
	case 'D':
		options->is_put_off = true;
		return true;
	case 'A': /* collecting duplicates concerns only those who store */
	case 'd': /* V8 takes and ignores it where a class has no use for it */
		return true;
	case 'a':
		options->append = arena_strdup(map->set->arena, value);
		return true;
	case 'T':
		options->temporary = arena_strdup(map->set->arena, value);
		return true;
	case 'k':
		options->key_column = arena_strdup(map->set->arena, text_skip_space(value));
		return true;
	case 'v':
		options->value_column = arena_strdup(map->set->arena, text_skip_space(value));
		return true;
	case 'z':
		options->has_delimiter = *value != '\0';
		options->delimiter = map_read_delimiter(value);
		return true;
	case 'S':
		options->space = *value;
		return true;
	default:
		return false;
	}
}

/* The columns, and the type of a dns map, may stand behind a blank. */
static bool
takes_next_word(const struct map *map, char letter)
{
	return letter == 'k' || letter == 'v' || (letter == 'R' && map->class == &map_class_dns);
}

const char *
map_read_options(struct map *map, const char *arguments, map_own_option *own, bool unknown_is_error,
    struct map_errors *errors)
{
	const char *at = arguments;

	for (;;) {
		size_t length;
		const char *word;

		at = text_skip_space(at);
		if (*at != '-')
			return at;
		length = strcspn(at, " \t\r\n\f\v");
		word = arena_memdup(map->set->arena, at, length);
		at += length;
		if (length == 2 && takes_next_word(map, word[1])) {
			const char *next = text_skip_space(at);
			size_t next_length = strcspn(next, " \t\r\n\f\v");

			word =
			    arena_printf(map->set->arena, "%s%.*s", word, (int)next_length, next);
			at = next + next_length;
			length += next_length;
		}
		if (own != NULL && own(map, word[1], length > 1 ? word + 2 : "", errors))
			continue;
		if (length > 1 && map_take_general(map, word[1], word + 2))
			continue;
		if (unknown_is_error)
			/* V8 prints the byte behind a lone dash; where that is the NUL, nothing after it */
			map_add_error(errors,
			    length > 1 || *at != '\0' ? "Illegal option %c map %s"
						      : "Illegal option ",
			    length > 1 ? word[1] : ' ', map->name);
	}
}

bool
map_take_file(struct map *map, const char *arguments, struct map_errors *errors)
{
	const char *at = text_skip_space(arguments);
	size_t length = strcspn(at, " \t\r\n\f\v");

	if (length == 0) {
		map_add_error(errors, "No file name for %s map %s", map->class->name, map->name);
		return false;
	}
	map->file = arena_memdup(map->set->arena, at, length);
	map->rest = arena_strdup(map->set->arena, text_skip_space(at + length));
	return true;
}

bool
map_declare_file(struct map *map, const char *arguments, struct map_errors *errors)
{
	return map_take_file(map, map_read_options(map, arguments, NULL, true, errors), errors);
}

bool
map_declare_plain(struct map *map, const char *arguments, struct map_errors *errors)
{
	map_read_options(map, arguments, NULL, true, errors);
	return true;
}
