/* Class regex: POSIX patterns on keys. */
#include "map_internal.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/text.h"
#include "base/trace.h"

enum { SUBSTRINGS_MAXIMUM = 20 };

struct regex_state {
	regex_t pattern;
	bool is_compiled, is_negated, is_basic, is_case_kept;
	const char *fields_text;
	int fields[SUBSTRINGS_MAXIMUM];
	size_t field_count;
	char delimiter;
};

static bool
take_regex_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	struct regex_state *state = map->state;

	(void)errors;
	switch (letter) {
	case 'n':
		state->is_negated = true;
		return true;
	case 'f':
		state->is_case_kept = true;
		return false; /* and the general meaning */
	case 'b':
		state->is_basic = true;
		return true;
	case 's':
		state->fields_text = arena_strdup(map->set->arena, value);
		return true;
	case 'd':
		state->delimiter = map_read_delimiter(value);
		return true;
	case 'o':
	case 'N':
	case 'O':
		return true; /* without meaning here */
	default:
		return false;
	}
}

/* "1,2,4" to numbers; a bare -s (or nothing) means all that the pattern has.  false: one is out of range. */
static bool
read_fields(struct map *map, struct map_errors *errors)
{
	struct regex_state *state = map->state;
	size_t available = state->pattern.re_nsub + 1;
	const char *at = state->fields_text;

	if (at == NULL)
		return true;
	if (*at == '\0') {
		for (size_t i = 0; i < available && state->field_count < SUBSTRINGS_MAXIMUM; i++)
			state->fields[state->field_count++] = (int)i;
		return true;
	}
	while (at != NULL && state->field_count < SUBSTRINGS_MAXIMUM) {
		long field =
		    strtol(at, NULL, 10); /* nothing, as behind the last comma: the whole match */

		if (field < 0 || (size_t)field >= available) {
			map_add_error(errors,
			    "field (%ld) out of range, only %lu substrings in pattern", field,
			    (unsigned long)available);
			return false;
		}
		state->fields[state->field_count++] = (int)field;
		at = strchr(at, ',');
		at += at != NULL;
	}
	return true;
}

static bool
declare_regex(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct regex_state *state = ARENA_NEW(map->set->arena, struct regex_state);
	char *pattern;
	int flags, error;

	map->state = state;
	state->delimiter = map->set->space;
	if (trace_on(38, 2))
		trace_print("regex_map_init: mapname '%s', args '%s'\n", map->name, arguments);
	pattern = arena_strdup(
	    map->set->arena, map_read_options(map, arguments, take_regex_option, false, errors));
	text_trim_end(pattern);
	flags = (state->is_basic ? 0 : REG_EXTENDED) | (state->is_case_kept ? 0 : REG_ICASE) |
		(state->fields_text == NULL ? REG_NOSUB : 0);
	if (trace_on(38, 3))
		trace_print("regex_map_init: compile '%s' 0x%x\n", pattern, (unsigned)flags);
	error = regcomp(&state->pattern, pattern, flags);
	if (error != 0) {
		char reason[256];

		regerror(error, &state->pattern, reason, sizeof reason);
		map_add_error(errors, "pattern-compile-error: %s", reason);
		return false;
	}
	state->is_compiled = true;
	return read_fields(map, errors);
}

static void
lookup_regex(struct map *map, struct map_call *call)
{
	struct regex_state *state = map->state;
	regmatch_t matches[SUBSTRINGS_MAXIMUM + 1];
	struct str value = {0};
	const char *text;
	bool matched = regexec(&state->pattern, call->key,
			   state->field_count > 0 ? SUBSTRINGS_MAXIMUM + 1 : 0, matches, 0) == 0;

	if (matched == state->is_negated) {
		map_miss(call, EX_OK);
		return;
	}
	if (matched && state->field_count > 0 && !map->options.matches_only) {
		for (size_t i = 0; i < state->field_count; i++) {
			const regmatch_t *match = &matches[state->fields[i]];

			if (i > 0 && state->delimiter != '\0')
				str_add_char(&value, state->delimiter);
			if (state->fields[i] <= SUBSTRINGS_MAXIMUM && match->rm_so >= 0)
				str_add(&value, call->key + match->rm_so,
				    (size_t)(match->rm_eo - match->rm_so));
		}
	}
	text = arena_strdup(call->arena, str_text(&value));
	str_free(&value);
	map_give_literal(map, call, text);
}

static void
forget_regex(struct map *map)
{
	struct regex_state *state = map->state;

	if (state != NULL && state->is_compiled)
		regfree(&state->pattern);
}

const struct map_class map_class_regex = {
    .name = "regex", .declare = declare_regex, .lookup = lookup_regex, .forget = forget_regex};
