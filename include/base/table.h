/*
 * table: a hash table from text to pointers.  Keys are copied; case counts, unless the table was
 * made with TABLE_NOCASE.  table_next walks in the order of insertion.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;
enum table_case { TABLE_CASE, TABLE_NOCASE };

struct table *table_create(enum table_case);
void table_destroy(struct table *); /* not what its values point to; NULL is allowed */

void *table_get(const struct table *, const char *key); /* NULL: not there */
void *table_get_bytes(const struct table *, const char *key, size_t length);
const char *table_spelling(
    const struct table *, const char *key); /* as it was set first; NULL: not there */
void table_set(struct table *, const char *key, void *value); /* replaces; value is not NULL */
bool table_remove(struct table *, const char *key);
size_t table_count(const struct table *);

/* Walks: set *position to 0 first; false at the end.  The table must not change meanwhile. */
bool table_next(const struct table *, size_t *position, const char **key, void **value);

#endif
