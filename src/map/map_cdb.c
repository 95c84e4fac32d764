/*
 * Class cdb: constant databases, FILE.cdb, as tinycdb and sendmail's makemap with CDB write them.
 *
 * The format (cr.yp.to/cdb/cdb.txt) is read here: 256 pairs of (position, slots) of hash tables, records,
 * the tables with pairs of (hash, position of the record).  All numbers are 32 bits, little-endian.
 * Nothing that a file says is believed: positions outside of it end the look-up.
 */
#include "map_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { TABLES = 256, PAIR = 8, HASH_START = 5381, VALUE_MAXIMUM = 1024 * 1024 };

struct cdb_state {
	const char *path; /* with .cdb */
	int fd;
	struct map_stamp stamp;
	bool knows_kind, keys_have_nul;
};

static uint32_t
hash_of(const char *key, size_t length)
{
	uint32_t hash = HASH_START;

	for (size_t i = 0; i < length; i++)
		hash = ((hash << 5) + hash) ^ (unsigned char)key[i];
	return hash;
}

static bool
read_at(const struct cdb_state *state, uint64_t position, void *bytes, size_t length)
{
	char *to = bytes;

	if (position + length > (uint64_t)state->stamp.size)
		return false;
	while (length > 0) {
		ssize_t got = pread(state->fd, to, length, (off_t)position);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		position += (uint64_t)got;
		length -= (size_t)got;
	}
	return true;
}

static uint32_t
number_of(const unsigned char *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static bool
read_pair(const struct cdb_state *state, uint64_t position, uint32_t *first, uint32_t *second)
{
	unsigned char bytes[PAIR];

	if (!read_at(state, position, bytes, sizeof bytes))
		return false;
	*first = number_of(bytes);
	*second = number_of(bytes + 4);
	return true;
}

enum cdb_result { CDB_FOUND, CDB_MISSING, CDB_BROKEN };

/* Is the record at `position` that of the key?  Then its value, NUL-terminated. */
static enum cdb_result
read_record(const struct cdb_state *state, uint32_t position, const char *key, size_t length,
    struct arena *arena, char **value)
{
	uint32_t key_length, value_length;
	char *found;

	if (!read_pair(state, position, &key_length, &value_length))
		return CDB_BROKEN;
	if (key_length != length)
		return CDB_MISSING;
	found = arena_alloc(arena, length + 1);
	if (!read_at(state, (uint64_t)position + PAIR, found, length))
		return CDB_BROKEN;
	if (memcmp(found, key, length) != 0)
		return CDB_MISSING;
	if (value_length > VALUE_MAXIMUM)
		return CDB_BROKEN;
	*value = arena_alloc(arena, (size_t)value_length + 1);
	(*value)[value_length] = '\0';
	return read_at(state, (uint64_t)position + PAIR + length, *value, value_length)
		   ? CDB_FOUND
		   : CDB_BROKEN;
}

static enum cdb_result
get(const struct cdb_state *state, const char *key, size_t length, struct arena *arena,
    char **value)
{
	uint32_t hash = hash_of(key, length), table, slots, slot_hash, position;

	if (!read_pair(state, (uint64_t)(hash % TABLES) * PAIR, &table, &slots))
		return CDB_BROKEN;
	if (slots > (uint64_t)state->stamp.size / PAIR)
		return CDB_BROKEN;
	for (uint32_t i = 0; i < slots; i++) {
		uint64_t slot = ((uint64_t)hash / TABLES + i) % slots;
		enum cdb_result result;

		if (!read_pair(state, table + slot * PAIR, &slot_hash, &position))
			return CDB_BROKEN;
		if (position == 0)
			return CDB_MISSING;
		if (slot_hash != hash)
			continue;
		result = read_record(state, position, key, length, arena, value);
		if (result != CDB_MISSING)
			return result;
	}
	return CDB_MISSING;
}

static void
close_cdb(struct map *map)
{
	struct cdb_state *state = map->state;

	if (state != NULL && state->fd >= 0)
		close(state->fd);
	if (state != NULL) {
		state->fd = -1;
		state->knows_kind = false;
	}
}

static bool
declare_cdb(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct cdb_state *state = ARENA_NEW(map->set->arena, struct cdb_state);

	state->fd = -1;
	map->state = state;
	if (!map_declare_file(map, arguments, errors))
		return false;
	state->path = text_ends_nocase(map->file, ".cdb")
			  ? map->file
			  : arena_printf(map->set->arena, "%s.cdb", map->file);
	return true;
}

static bool
open_cdb(struct map *map, struct map_call *call)
{
	struct cdb_state *state = map->state;
	struct stat status;
	const char *unsafe;

	close_cdb(map);
	state->fd = open(state->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (state->fd < 0 && errno == ENOENT && map->options.is_optional)
		return map_open_failed(map, call, "%s", "");
	if (state->fd < 0)
		return map_open_denied(map, call, "cdb map \"%s\": %s map file %s: %s", map->name,
		    errno == ENOENT ? "missing" : "unsafe", state->path, strerror(errno));
	unsafe = map_unsafe_file(map, state->path);
	if (unsafe == NULL && (fstat(state->fd, &status) < 0 || !S_ISREG(status.st_mode)))
		unsafe = "Regular files only";
	if (unsafe != NULL) {
		close_cdb(map);
		return map_open_denied(map, call, "cdb map \"%s\": unsafe map file %s: %s",
		    map->name, state->path, unsafe);
	}
	map_stamp_take(&state->stamp, &status);
	return true;
}

/* Databases are replaced whole: another file, or another state of it, is opened anew. */
static bool
refresh(struct map *map, struct map_call *call)
{
	struct cdb_state *state = map->state;
	struct map_stamp now;
	struct stat status;

	if (stat(state->path, &status) < 0)
		return true; /* what is open is better than nothing */
	map_stamp_take(&now, &status);
	if (!map_stamp_equal(&now, &state->stamp))
		map->is_open = open_cdb(map, call);
	return map->is_open;
}

static enum cdb_result
get_either(struct map *map, struct map_call *call, const char *key, char **value)
{
	struct cdb_state *state = map->state;
	size_t length = strlen(key);
	bool tries_plain =
		 !map->options.only_with_nul && (!state->knows_kind || !state->keys_have_nul),
	     tries_nul = !map->options.only_plain && (!state->knows_kind || state->keys_have_nul);
	enum cdb_result result = CDB_MISSING;

	if (tries_plain)
		result = get(state, key, length, call->arena, value);
	if (result == CDB_MISSING && tries_nul) {
		result = get(state, key, length + 1, call->arena, value);
		if (result == CDB_FOUND)
			state->keys_have_nul = true;
	} else if (result == CDB_FOUND) {
		state->keys_have_nul = false;
	}
	state->knows_kind |= result == CDB_FOUND;
	return result;
}

static void
lookup_cdb(struct map *map, struct map_call *call)
{
	struct cdb_state *state = map->state;
	char *value = NULL;

	if (!refresh(map, call)) {
		map_miss(call, map->options.is_optional ? EX_OK : EX_TEMPFAIL);
		return;
	}
	switch (get_either(map, call, map_fold_key(map, call), &value)) {
	case CDB_FOUND:
		map_give(map, call, value);
		break;
	case CDB_MISSING:
		map_miss(call, EX_OK);
		break;
	case CDB_BROKEN:
		map_say(call, "cdb map \"%s\": %s: damaged", map->name, state->path);
		map_miss(call, EX_TEMPFAIL);
		break;
	}
}

const struct map_class map_class_cdb = {.name = "cdb",
    .declare = declare_cdb,
    .open = open_cdb,
    .lookup = lookup_cdb,
    .close = close_cdb,
    .trace_name = "db"};
