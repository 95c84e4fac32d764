/* Classes sequence and switch: other maps, one after the other. */
#include "map_internal.h"

#include <string.h>

#include "base/text.h"
#include "base/trace.h"

enum { MEMBERS_MAXIMUM = 64, METHODS_MAXIMUM = 12 /* V8's MAXMAPSTACK */ };

struct chain_state {
	struct map *members[MEMBERS_MAXIMUM];
	size_t count;
};

static bool
is_name_byte(int byte)
{
	return text_is_alnum(byte) || byte == '_' || byte == '.';
}

static bool
declare_sequence(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct chain_state *state = ARENA_NEW(map->set->arena, struct chain_state);
	const char *at = arguments;

	map->state = state;
	if (trace_on(38, 2))
		trace_print("seq_map_parse(%s, %s)\n", map->name, arguments);
	for (;;) {
		const char *name;
		size_t length = 0;
		struct map *member;

		while (*at != '\0' && !is_name_byte((unsigned char)*at))
			at++;
		if (*at == '\0')
			return true;
		while (is_name_byte((unsigned char)at[length]) || (length > 0 && at[length] == '-'))
			length++;
		name = arena_memdup(map->set->arena, at, length);
		at += length;
		member = map_find(map->set, name);
		if (member == NULL)
			map_add_error(
			    errors, "Sequence map %s: unknown member map %s", map->name, name);
		else if (state->count == MEMBERS_MAXIMUM)
			map_add_error(errors, "Sequence map %s: too many member maps (%d max)",
			    map->name, MEMBERS_MAXIMUM);
		else
			state->members[state->count++] = member;
	}
}

static void
lookup_chain(struct map *map, struct map_call *call)
{
	const struct chain_state *state = map->state;
	bool failed = false;

	for (size_t i = 0; i < state->count; i++) {
		map_lookup_member(state->members[i], call);
		if (call->result->found)
			return;
		failed = failed || call->result->status == EX_TEMPFAIL;
	}
	map_miss(call, failed ? EX_TEMPFAIL : MAP_NOT_FOUND);
}

const struct map_class map_class_sequence = {
    .name = "sequence", .declare = declare_sequence, .lookup = lookup_chain, .trace_name = "seq"};

/* Its members are NAME.METHOD for the methods that the service switch has for `file`. */
static bool
open_switch(struct map *map, struct map_call *call)
{
	const char *methods[METHODS_MAXIMUM];
	struct chain_state *state = ARENA_NEW(map->set->arena, struct chain_state);
	size_t count = 0;

	if (call->hooks->switch_methods != NULL)
		count = call->hooks->switch_methods(
		    call->hooks->context, map->file, methods, METHODS_MAXIMUM);
	if (count == 0)
		return map_open_failed(map, call, "%s", "");
	map->state = state;
	for (size_t i = 0; i < count; i++) {
		const char *name = arena_printf(call->arena, "%s.%s", map->name, methods[i]);
		struct map *member = map_find(map->set, name);

		if (member != NULL)
			state->members[state->count++] = member;
		else
			map_say(call, "Switch map %s: unknown member map %s", map->name, name);
	}
	return true;
}

const struct map_class map_class_switch = {.name = "switch",
    .declare = map_declare_file,
    .open = open_switch,
    .lookup = lookup_chain,
    .trace_name = "seq"};
