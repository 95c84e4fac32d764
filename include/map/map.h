/*
 * map: keyed look-ups, the K lines of a configuration (Operations Guide 5.3.9).
 *
 * A map is declared once (from a K line, an alias file or another internal use) and opened at its
 * first look-up.  A file that changed since (device, inode, size or time) is opened again by
 * itself, so new credentials and aliases act at once.  Every look-up takes a shared lock.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

struct map;
struct map_set; /* the maps of one configuration, by name */

/* What look-ups may need of the world above; the rewriting engine fills it in. */
struct map_hooks {
	void *context;
	void (*set_macro)(void *context, const char *name, const char *value); /* map class macro; value NULL: clear */
	/* a switch map's methods: fills at most `size` names, returns how many (ServiceSwitchFile) */
	size_t (*switch_methods)(void *context, const char *service, const char *methods[], size_t size);
	bool is_deferred; /* delivery mode d: maps with -D are not asked */
};

struct map_result {
	int status;	  /* EX_OK found; EX_UNAVAILABLE / EX_NOUSER / EX_NOHOST ... not found; EX_TEMPFAIL */
	bool found;
	const char *value; /* when found: value with %0..%9 replaced and -a added; in the caller's arena.  On a
			      temporary failure the -T text, or NULL. */
	const char *message; /* a line to tell the administrator ("hash map "x": missing map file ..."), or NULL */
};

struct map_set *map_set_create(void);
void map_set_destroy(struct map_set *);

/*
 * Declares a map: `class_name` "hash", `arguments` what follows it on the K line.  NULL and *error
 * (in `arena`) when the class is unknown or an argument is wrong, in sendmail's words without
 * "file: line N:".  A second declaration of a name replaces the first.
 */
struct map *map_declare(
    struct map_set *, const char *name, const char *class_name, const char *arguments, struct arena *arena, const char **error);
bool map_class_exists(const char *class_name);
struct map *map_find(const struct map_set *, const char *name);
const char *map_name(const struct map *);
const char *map_class_name(const struct map *);
const char *map_file(const struct map *); /* path argument, NULL when it has none */

/*
 * Looks `key` up with arguments %1.. (`arguments[0]` is %1).  Keys are folded to lower case and
 * unquoted as the map's options say.  Never crashes or blocks longer than the map's own limit,
 * whatever a file or server answers.
 */
void map_lookup(struct map *, const char *key, const char *const arguments[], size_t argument_count,
    const struct map_hooks *, struct arena *, struct map_result *);

/* Puts a value's %0..%9 %% templates in (used by host and dequote as well): %0 is the key. */
void map_format(struct arena *, const char *value, const char *key, const char *const arguments[], size_t argument_count,
    const char **result);

/*
 * For a process without root's rights: look-ups of hash, btree and text files it may not read go to
 * the look-up twin over this socket; -1 for none.
 */
void map_set_twin(int socket_fd);

#endif
