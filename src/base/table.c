#include "base/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

/*
 * Entries stand in one array in the order they came; `slots` maps a hash to an index + 1 by
 * linear probing.  A removed entry keeps its slot with key NULL until the next growth.
 */
struct entry {
	char *key;
	void *value;
	uint32_t hash;
};

struct table {
	struct entry *entries;
	uint32_t *slots;
	size_t count, used, capacity; /* capacity of entries; slots are twice that, a power of two */
	enum table_case letter_case;
};

static uint32_t
hash_bytes(const struct table *table, const char *key, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++) {
		int byte = (unsigned char)key[i];

		hash = (hash ^ (uint32_t)(table->letter_case == TABLE_NOCASE ? text_lower(byte) : byte)) * 16777619u;
	}
	return hash;
}

struct table *
table_create(enum table_case letter_case)
{
	struct table *table = check_malloc(sizeof *table);

	*table = (struct table){.letter_case = letter_case};
	return table;
}

void
table_destroy(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->used; i++)
		free(table->entries[i].key);
	free(table->entries);
	free(table->slots);
	free(table);
}

static bool
same_key(const struct table *table, const char *stored, const char *key, size_t length)
{
	if (strlen(stored) != length)
		return false;
	if (table->letter_case == TABLE_CASE)
		return memcmp(stored, key, length) == 0;
	for (size_t i = 0; i < length; i++) {
		if (text_lower((unsigned char)stored[i]) != text_lower((unsigned char)key[i]))
			return false;
	}
	return true;
}

static struct entry *
find(const struct table *table, const char *key, size_t length)
{
	size_t mask = 2 * table->capacity - 1;
	uint32_t hash;

	if (table->count == 0)
		return NULL;
	hash = hash_bytes(table, key, length);
	for (size_t slot = hash & mask; table->slots[slot] != 0; slot = (slot + 1) & mask) {
		struct entry *entry = &table->entries[table->slots[slot] - 1];

		if (entry->key != NULL && entry->hash == hash && same_key(table, entry->key, key, length))
			return entry;
	}
	return NULL;
}

void *
table_get_bytes(const struct table *table, const char *key, size_t length)
{
	struct entry *entry = find(table, key, length);

	return entry != NULL ? entry->value : NULL;
}

void *
table_get(const struct table *table, const char *key)
{
	return table_get_bytes(table, key, strlen(key));
}

const char *
table_spelling(const struct table *table, const char *key)
{
	struct entry *entry = find(table, key, strlen(key));

	return entry != NULL ? entry->key : NULL;
}

static void
put_slot(struct table *table, size_t index)
{
	size_t mask = 2 * table->capacity - 1, slot = table->entries[index].hash & mask;

	while (table->slots[slot] != 0)
		slot = (slot + 1) & mask;
	table->slots[slot] = (uint32_t)index + 1;
}

static void
grow(struct table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->used; i++) {
		if (table->entries[i].key != NULL)
			table->entries[kept++] = table->entries[i];
	}
	table->used = kept;
	table->capacity = kept < 8 ? 16 : 2 * kept <= table->capacity ? table->capacity : 2 * table->capacity;
	table->entries = check_realloc(table->entries, table->capacity * sizeof *table->entries);
	free(table->slots);
	table->slots = check_malloc(2 * table->capacity * sizeof *table->slots);
	memset(table->slots, 0, 2 * table->capacity * sizeof *table->slots);
	for (size_t i = 0; i < kept; i++)
		put_slot(table, i);
}

void
table_set(struct table *table, const char *key, void *value)
{
	struct entry *entry = find(table, key, strlen(key));

	check(value != NULL);
	if (entry != NULL) {
		entry->value = value;
		return;
	}
	if (table->used == table->capacity)
		grow(table);
	table->entries[table->used] =
	    (struct entry){.key = check_strdup(key), .value = value, .hash = hash_bytes(table, key, strlen(key))};
	put_slot(table, table->used++);
	table->count++;
}

bool
table_remove(struct table *table, const char *key)
{
	struct entry *entry = find(table, key, strlen(key));

	if (entry == NULL)
		return false;
	free(entry->key);
	entry->key = NULL;
	table->count--;
	return true;
}

size_t
table_count(const struct table *table)
{
	return table->count;
}

bool
table_next(const struct table *table, size_t *position, const char **key, void **value)
{
	while (*position < table->used) {
		const struct entry *entry = &table->entries[(*position)++];

		if (entry->key == NULL)
			continue;
		*key = entry->key;
		*value = entry->value;
		return true;
	}
	return false;
}
