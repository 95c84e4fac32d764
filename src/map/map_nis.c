/*
 * Classes nis and nisplus, where no NIS is running: a cf that names them is read, and what it looks up
 * there waits, as with V8.  There is no client for NIS in here.
 */
#include "map_internal.h"

static bool
open_nis(struct map *map, struct map_call *call)
{
	if (map->class == &map_class_nisplus)
		return map_open_failed(map, call, "%s", "");
	return map_open_failed(map, call, "NIS map %s specified, but NIS not running", map->file);
}

/* Never reached: neither opens. */
static void
lookup_nis(struct map *map, struct map_call *call)
{
	(void)map;
	map_miss(call, EX_TEMPFAIL);
}

const struct map_class map_class_nis = {.name = "nis",
    .declare = map_declare_file,
    .open = open_nis,
    .lookup = lookup_nis,
    .has_no_file = true};

const struct map_class map_class_nisplus = {.name = "nisplus",
    .declare = map_declare_file,
    .open = open_nis,
    .lookup = lookup_nis,
    .has_no_file = true};
