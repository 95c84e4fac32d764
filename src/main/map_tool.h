/*
 * map_tool: what makemap, editmap, praliases and mailstats have in common: the few lines of sendmail.cf
 * that they read, the checks of a map's file, names of types.
 */
#ifndef MAIN_MAP_TOOL_H
#define MAIN_MAP_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "map/build.h"

enum { MAP_TOOL_MAILERS = 25 };

struct map_tool {
	const char *program; /* for messages */
	struct arena *arena;
	uid_t trusted_uid;	 /* TrustedUser; root when there is none */
	const char *alias_files; /* values of AliasFile, joined by commas; NULL: none */
	const char *status_file; /* StatusFile; NULL: none */
	const char *mailers[MAP_TOOL_MAILERS]; /* names by number; NULL: no such mailer */
	int mailer_count;
};

/*
 * Reads TrustedUser, AliasFile, StatusFile and the names of the mailers.  EX_OK, or EX_NOINPUT after a message; `is_needed` false: a file that is
 * not there is no error.
 */
int map_tool_read_cf(struct map_tool *, const char *cf, bool is_needed);

/* "hash", "btree", "implicit": true. */
bool map_tool_type(const char *name, enum map_build_type *);

/*
 * The class that the cf's K line of a map has: the map whose file, the last word of its line, is
 * `map_name`, or where `knows_names` whose name it is.  NULL: there is none.  V8: makemap's types cf and CF.
 */
const char *map_tool_type_in_cf(
    struct map_tool *, const char *cf, const char *map_name, bool knows_names);

/* Says that there is no such type, in the words of V8's tools; returns EX_CANTCREAT. */
int map_tool_no_type(struct map_tool *, const char *type, const char *name);

/* NAME or NAME.db to NAME.db. */
const char *map_tool_path(struct map_tool *, const char *name);

/*
 * NULL, or why the file must not be used.  Directories that others may write to are told on
 * standard error, twice as V8 does, and used nevertheless.
 */
const char *map_tool_check(struct map_tool *, const char *path, bool is_written);

/* "PROGRAM: error opening type TYPE map NAME: REASON"; returns EX_CANTCREAT. */
int map_tool_open_failed(struct map_tool *, const char *type, const char *name, const char *reason);

#endif
