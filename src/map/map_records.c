/* The records of a small database file, read whole. */
#include "map_internal.h"

#include <db.h>
#include <stdlib.h>
#include <string.h>

struct map_records {
	struct arena *arena;
	struct table *plain, *with_nul; /* makemap writes keys with a NUL behind them, or without */
};

static bool
keep(struct map_records *records, const DBT *key, const DBT *value)
{
	const char *bytes = key->data;
	size_t length = key->size;
	struct table *table = records->plain;
	char *text;

	if (length > 0 && bytes[length - 1] == '\0') {
		table = records->with_nul;
		length--;
	}
	if (memchr(bytes, '\0', length) != NULL)
		return false; /* nobody can ask for it, but the file is not what it seems */
	text = arena_memdup(records->arena, bytes, length);
	/* of several with one key the first is the one that get() finds */
	if (table_get(table, text) == NULL)
		table_set(table, text, arena_memdup(records->arena, value->data, value->size));
	return true;
}

struct map_records *
map_records_read(void *database)
{
	DB *db = database;
	struct map_records *records = check_malloc(sizeof *records);
	DBT key = {0}, value = {0};
	DBC *cursor;
	int error;

	*records = (struct map_records){
	    .arena = arena_create(),
	    .plain = table_create(TABLE_CASE),
	    .with_nul = table_create(TABLE_CASE),
	};
	error = db->cursor(db, NULL, &cursor, 0);
	if (error == 0) {
		while ((error = cursor->get(cursor, &key, &value, DB_NEXT)) == 0) {
			if (!keep(records, &key, &value))
				break;
		}
		cursor->close(cursor);
	}
	if (error == DB_NOTFOUND)
		return records;
	map_records_free(records);
	return NULL;
}

const char *
map_records_get(const struct map_records *records, const char *key, bool with_nul)
{
	return table_get(with_nul ? records->with_nul : records->plain, key);
}

void
map_records_free(struct map_records *records)
{
	if (records == NULL)
		return;
	table_destroy(records->plain);
	table_destroy(records->with_nul);
	arena_wipe(records->arena); /* some are passwords */
	free(records);
}
