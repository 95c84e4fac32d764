/*
 * alias: the text form of alias files (aliases(5)), read for newaliases, for class stab and for alias
 * files whose database is missing.
 */
#ifndef MAP_ALIAS_H
#define MAP_ALIAS_H

#include <stdio.h>

#include "base/arena.h"
#include "map/map.h"

struct alias_reader {
	const char *file; /* for messages */
	/* may `name` be a left side? NULL: what has an @ may not.  What it finds wrong it tells itself, after before_check */
	enum map_alias_name (*check_name)(void *check_context, const char *name);
	void *check_context;
	/* what it has to say about a right side; NULL: it is taken as it is */
	void (*check_value)(void *context, const char *value);
	/* NULL, or called before each check_name with the start of what it may tell: "FILE: line N: " */
	void (*before_check)(void *context, const char *place);
	/* true: the name was there already, and has the new value now */
	bool (*add)(void *context, const char *name, const char *value);
	/* "FILE: line N: TEXT"; is_error false: a warning */
	void (*say)(void *context, const char *message, bool is_error);
	void *context;
};

struct alias_totals {
	size_t count, longest, bytes;
};

/* Reads to the end; what is wrong with a line is told, the rest is taken. */
void alias_read(FILE *, const struct alias_reader *, struct alias_totals *);

/* "FILE: N aliases, longest L bytes, T bytes total" */
const char *alias_describe_totals(const char *file, const struct alias_totals *, struct arena *);

/*
 * Makes FILE.db from an alias file: keys and values with their NUL, `@` last.  The text is locked meanwhile.
 * 0; EWOULDBLOCK: another one rebuilds it; another error as in map/build.h.  A text that cannot be
 * opened is ENOENT, EACCES, ...
 */
struct map_build_request;
int alias_build(
    const struct alias_reader *, const struct map_build_request *, struct alias_totals *);

#endif
