/* Class stab: an alias file in memory; also what implicit alias maps are without their database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "map/alias.h"
#include "map_internal.h"

struct stab_state {
	struct map_stamp stamp;
	struct arena *arena;
	struct table *names; /* key -> value */
};

struct stab_reading {
	struct stab_state *state;
	struct map_call *call;
};

static struct stab_state *
state_of(struct map *map)
{
	if (map->text == NULL)
		map->text = ARENA_NEW(map->set->arena, struct stab_state);
	return map->text;
}

static bool
add_name(void *context, const char *name, const char *value)
{
	struct stab_reading *reading = context;
	struct stab_state *state = reading->state;

	/* V8 tells of duplicates where it makes a database alone */
	table_set(state->names, name, arena_strdup(state->arena, value));
	return false;
}

static void
pass_message(void *context, const char *message, bool is_error)
{
	struct stab_reading *reading = context;

	if (reading->call->hooks->report != NULL)
		reading->call->hooks->report(
		    reading->call->hooks->context, message, is_error ? EX_SOFTWARE : EX_OK);
	else if (is_error)
		map_say(reading->call, "%s", message);
	else
		map_notice(reading->call, "%s", message);
}

void
map_stab_close(struct map *map)
{
	struct stab_state *state = map->text;

	if (state == NULL)
		return;
	table_destroy(state->names);
	arena_destroy(state->arena);
	state->names = NULL;
	state->arena = NULL;
}

bool
map_stab_open(struct map *map, struct map_call *call)
{
	struct stab_state *state = state_of(map);
	struct stab_reading reading = {.state = state, .call = call};
	struct alias_reader reader = {.file = map->file,
	    .check_name = call->hooks->check_alias_name,
	    .check_context = call->hooks->context,
	    .add = add_name,
	    .say = pass_message,
	    .context = &reading};
	struct alias_totals totals;
	struct stat status;
	int fd;
	FILE *file;

	if (map_unsafe_file(map, map->file) != NULL)
		return map_open_failed(map, call, "%s", "");
	fd = open(map->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return map_open_failed(map, call, "%s", "");
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || !map_lock_shared(fd) ||
	    (file = fdopen(fd, "r")) == NULL) {
		close(fd);
		return map_open_failed(map, call, "%s", "");
	}
	map_stab_close(map);
	state->arena = arena_create();
	state->names = table_create(TABLE_NOCASE); /* V8: with -f as well */
	map_stamp_take(&state->stamp, &status);
	alias_read(file, &reader, &totals);
	fclose(file);
	if (map->class == &map_class_stab)
		pass_message(
		    &reading, alias_describe_totals(map->file, &totals, call->arena), false);
	return true;
}

void
map_stab_lookup(struct map *map, struct map_call *call)
{
	struct stab_state *state = map->text;
	struct map_stamp now;
	struct stat status;
	const char *value;

	if (stat(map->file, &status) == 0) {
		map_stamp_take(&now, &status);
		if (!map_stamp_equal(&now, &state->stamp) && !map_stab_open(map, call)) {
			map->is_open = false;
			map_miss(call, EX_TEMPFAIL);
			return;
		}
	}
	value = table_get(state->names, map_fold_key(map, call));
	if (value != NULL)
		map_give(map, call, value);
	else
		map_miss(call, EX_OK);
}

const struct map_class map_class_stab = {.name = "stab",
    .declare = map_declare_file,
    .open = map_stab_open,
    .lookup = map_stab_lookup,
    .close = map_stab_close,
    .trace_name = "stab",
    .rewriting = MAP_REWRITES_NOT};
