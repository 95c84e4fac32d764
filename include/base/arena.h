/*
 * arena: memory by scope.  What is taken from an arena lives until the arena is reset or
 * destroyed; nothing is freed one by one.  Scopes are a configuration, a session, a message, a
 * piece of scratch work.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/check.h"

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *); /* NULL is allowed */
void arena_wipe(struct arena *);    /* destroys it, and overwrites all that it held */

/* Forgets everything taken so far, keeps one block for the next use. */
void arena_reset(struct arena *);

/* Bytes handed out since the arena was made or reset. */

/* Zeroed memory, aligned for any object. */
void *arena_alloc(struct arena *, size_t size);

/* Grows the newest allocation in place where it can; the old content is kept, the rest is zeroed. */
void *arena_grow(struct arena *, void *old, size_t old_size, size_t new_size);

/* Copies, NUL-terminated. arena_strdup(a, NULL) is NULL. */
char *arena_strdup(struct arena *, const char *text);
char *arena_memdup(struct arena *, const void *bytes, size_t length);
char *arena_printf(struct arena *, const char *format, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *, const char *format, va_list);

/* ARENA_NEW(a, struct thing): one zeroed object; ARENA_ARRAY(a, struct thing, n): n of them. */
#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), (count) * sizeof(type)))

#endif
