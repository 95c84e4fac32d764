/* What -d9, -d38 and -d39 show of maps, as V8 prints it. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/trace.h"
#include "map_internal.h"

static const char *
file_of(const struct map *map)
{
	return map->file != NULL && map->class->trace_name != NULL && !map->class->has_no_file
		   ? map->file
		   : "NULL";
}

void
map_trace_open(const struct map *map, bool is_valid)
{
	if (!trace_on(38, 4))
		return;
	trace_print("openmap()\t%s:%s %s: %s%s\n", map->class->name, map->name, file_of(map),
	    is_valid ? "valid" : "invalid",
	    !is_valid && map->options.is_optional ? ": No such file or directory" : "");
}

void
map_trace_file(const struct map *map)
{
	if (!trace_on(38, 2))
		return;
	trace_print("%s_map_open(%s, %s, 0)\n", map->class->name, map->name, map->file);
}

static void
trace_arguments(const char *before, const struct map_call *call)
{
	trace_print("%s_map_lookup: arg '%s'\n", before, call->key);
	for (size_t i = 0; i < call->argument_count; i++)
		trace_print("%s_map_lookup: arg '%s'\n", before, call->arguments[i]);
}

void
map_trace_lookup(const struct map *map, const struct map_call *call)
{
	if (map->class == &map_class_arith) {
		if (trace_on(38, 2)) {
			trace_print("arith_map_lookup: key '%s'\n", call->key);
			trace_arguments("arith", call);
		}
	} else if (!trace_on(38, 20)) {
		return;
	} else if (map->class == &map_class_regex) {
		trace_print("regex_map_lookup: name=%s, key='%s'\n", map->name, call->key);
		trace_arguments("regex", call);
	} else if (map->class->trace_name != NULL) {
		trace_print(
		    "%s_map_lookup(%s, %s)\n", map->class->trace_name, map->name, call->key);
	}
}

void
map_trace_rewrite(
    const struct map *map, const struct map_call *call, const char *value, const char *result)
{
	if (map->class->rewriting == MAP_REWRITES_NOT || !trace_on(39, 1))
		return;
	trace_print("map_rewrite(%s), av =", value);
	if (map->class->rewriting == MAP_REWRITES_PLAINLY) {
		trace_print(" (nullv)\n");
	} else {
		trace_print("\n\t%s", call->key);
		for (size_t i = 0; i < call->argument_count; i++)
			trace_print("\n\t%s", call->arguments[i]);
		trace_print("\n");
	}
	trace_print("map_rewrite => %s\n", result);
}

/* V8 goes through the chains of its symbol table. */
enum { SYMBOL_CHAINS = 2003, MAP_SYMBOL = 6 };

static size_t
symbol_chain(const char *name)
{
	size_t chain = MAP_SYMBOL;

	for (; *name != '\0'; name++)
		chain = ((chain << 1) ^ (size_t)text_lower((unsigned char)*name)) % SYMBOL_CHAINS;
	return chain;
}

static int
compare_chains(const void *left, const void *right)
{
	size_t one = symbol_chain((*(const struct map *const *)left)->name),
	       other = symbol_chain((*(const struct map *const *)right)->name);

	return (one > other) - (one < other);
}

/* V8's bits of an open map. */
static unsigned
flags_of(const struct map *map)
{
	enum {
		IS_VALID = 0x1,
		ONLY_WITH_NUL = 0x2,
		IS_OPTIONAL = 0x4,
		KEEPS_CASE = 0x8,
		MATCHES_ONLY = 0x10,
		IS_OPEN = 0x20,
		IS_ALIAS = 0x80,
		TRIES_PLAIN = 0x100,
		TRIES_WITH_NUL = 0x200,
		IS_IMPLICIT = 0x1000,
		KEEPS_QUOTES = 0x10000,
		HIDES_FAILURE = 0x20000,
		IS_PUT_OFF = 0x80000,
		IS_CLOSING = 0x1000000,
	};
	const struct map_options *options = &map->options;
	unsigned kinds = map->class->key_kinds(map), flags = IS_VALID | IS_OPEN | IS_CLOSING;

	flags |= options->only_with_nul || map->is_alias ? ONLY_WITH_NUL : 0;
	flags |= options->is_optional ? IS_OPTIONAL : 0;
	flags |= options->keeps_case ? KEEPS_CASE : 0;
	flags |= options->matches_only ? MATCHES_ONLY : 0;
	flags |= options->keeps_quotes ? KEEPS_QUOTES : 0;
	flags |= options->hides_failure ? HIDES_FAILURE : 0;
	flags |= options->is_put_off ? IS_PUT_OFF : 0;
	flags |= map->is_alias ? IS_ALIAS : 0;
	flags |= kinds & MAP_KEYS_PLAIN ? TRIES_PLAIN : 0;
	flags |= kinds & MAP_KEYS_WITH_NUL ? TRIES_WITH_NUL : 0;
	return flags | (map->class == &map_class_implicit ? IS_IMPLICIT : 0);
}

static void
trace_close(const struct map *map)
{
	if (map->class == &map_class_implicit)
		trace_print("impl_map_close(%s, %s, %x)\n", map->name, map->file, flags_of(map));
	trace_print("db_map_close(%s, %s, %x)\n", map->name, map->file, flags_of(map));
}

void
map_set_trace_end(const struct map_set *set)
{
	size_t position = 0, count = 0;
	const struct map **maps;
	const char *name;
	void *value;

	if (!trace_on(38, 5))
		return;
	maps = check_malloc((table_count(set->maps) + 1) * sizeof *maps);
	while (table_next(set->maps, &position, &name, &value)) {
		const struct map *map = value;

		/* one that should be there and is not counts as open */
		if (map->is_open || (map->said_failure && !map->options.is_optional))
			maps[count++] = map;
	}
	qsort(maps, count, sizeof *maps, compare_chains);
	for (size_t i = 0; i < count; i++) {
		trace_print("closemaps: closing %s (%s)\n", maps[i]->name, file_of(maps[i]));
		if (maps[i]->is_open && maps[i]->class->key_kinds != NULL && trace_on(38, 9))
			trace_close(maps[i]);
	}
	free(maps);
}
