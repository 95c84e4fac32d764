/*
 * build: writes the database files that map classes hash and btree read (makemap, editmap,
 * newaliases), and reads them through (makemap -u, praliases).
 *
 * A new database is written beside the old one and takes its name when it is complete, so readers
 * have the old map or the new one, whole.  The old file is locked exclusively for that moment, as
 * real sendmail's tools lock it, and its time is set anew: a real sendmail that has it open looks
 * at the time of what it has open, and opens the name again.
 */
#ifndef MAP_BUILD_H
#define MAP_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum map_build_type { MAP_BUILD_HASH, MAP_BUILD_BTREE };

/* Beside 0 and errno values; map_build_strerror knows them all. */
enum { MAP_BUILD_DUPLICATE = -1, MAP_BUILD_NO_KEY = -2 };

struct map_build_request {
	const char *path; /* with .db */
	enum map_build_type type;
	bool keeps_old;	    /* starts from what is there; ENOENT when there is nothing */
	bool duplicates;    /* keys may be there several times */
	size_t cache_bytes; /* 0: 1 MB */
	mode_t mode;	    /* of a new file; an old one's mode and owner are kept */
	bool sets_owner;    /* gives a new file to `owner` */
	uid_t owner;
};

struct map_build;
struct map_build *map_build_open(const struct map_build_request *, int *error); /* NULL: *error */
/* MAP_BUILD_DUPLICATE: the key is there, and `replaces` is false. */
int map_build_put(struct map_build *, const void *key, size_t key_length, const void *value,
    size_t value_length, bool replaces);
int map_build_delete(struct map_build *, const void *key, size_t key_length); /* MAP_BUILD_NO_KEY */
int map_build_finish(struct map_build *);   /* frees; on failure the old map is as it was */
void map_build_abandon(struct map_build *); /* frees, nothing happened; NULL is allowed */

/* Reading under the shared lock, in the order of the file. `type` is a hint where `any_type` is true. */
struct map_dump;
struct map_dump *map_dump_open(const char *path, enum map_build_type, bool any_type, int *error);
/* What it points to is valid until the next call; false: the end, or *error is set. */
bool map_dump_next(struct map_dump *, const char **key, size_t *key_length, const char **value,
    size_t *value_length, int *error);
int map_dump_get(struct map_dump *, const void *key, size_t key_length, const char **value,
    size_t *value_length);
void map_dump_close(struct map_dump *);

const char *map_build_strerror(int error);

#endif
