#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "map/map.h"

enum { FILE_MAXIMUM = 4096, TABLE = 2048 };

static unsigned char bytes[FILE_MAXIMUM];
static size_t length;
static char path[64];

static void
put_number(size_t at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		bytes[at + i] = (unsigned char)(number >> 8 * i);
}

static uint32_t
hash_of(const char *key, size_t size)
{
	uint32_t hash = 5381;

	for (size_t i = 0; i < size; i++)
		hash = (hash * 33) ^ (unsigned char)key[i];
	return hash;
}

/* Records one behind the other; each table has room for two of them. */
static void
add(const char *key, size_t key_size, const char *value)
{
	uint32_t hash = hash_of(key, key_size);
	size_t slot;

	put_number(length, (uint32_t)key_size);
	put_number(length + 4, (uint32_t)strlen(value));
	memcpy(bytes + length + 8, key, key_size);
	memcpy(bytes + length + 8 + key_size, value, strlen(value));
	slot = length;
	length += 8 + key_size + strlen(value);
	/* the table of this hash stands behind all records */
	put_number(hash % 256 * 8, (uint32_t)length);
	put_number(hash % 256 * 8 + 4, 2);
	put_number(length + hash / 256 % 2 * 8, hash);
	put_number(length + hash / 256 % 2 * 8 + 4, (uint32_t)slot);
	length += 16;
}

static void
save(void)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

static int
set_up(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof bytes);
	length = TABLE;
	snprintf(path, sizeof path, "/tmp/test_cdb.%ld.cdb", (long)getpid());
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* What the map says of a key: its value, "-" for none, "?" for now not. */
static const char *
look_up(struct map *map, const char *key, struct arena *arena)
{
	struct map_result result;

	map_lookup(map, key, NULL, 0, NULL, arena, &result);
	return result.found ? result.value : result.status == EX_TEMPFAIL ? "?" : "-";
}

static struct map *
declare(struct map_set *set, const char *options, struct arena *arena)
{
	char arguments[128];
	const char *error;
	struct map *map;

	/* the suffix may be there or not */
	snprintf(arguments, sizeof arguments, "%s %.*s", options, (int)strlen(path) - 4, path);
	map = map_declare(set, "m", "cdb", arguments, arena, &error);
	assert_null(error);
	return map;
}

static void
keys_with_and_without_nul_are_found(void **state)
{
	struct arena *arena = arena_create();
	struct map_set *set = map_set_create();
	struct map *map;

	(void)state;
	add("alpha", 5, "one");
	add("beta", 5, "two"); /* with its NUL */
	save();
	map = declare(set, "", arena);
	assert_string_equal(look_up(map, "Alpha", arena), "one");
	assert_string_equal(look_up(map, "gamma", arena), "-");
	/* as with hash: the kind that hit first is kept */
	assert_string_equal(look_up(map, "beta", arena), "-");
	map_set_destroy(set);
	set = map_set_create();
	map = declare(set, "-N -a.", arena);
	assert_string_equal(look_up(map, "beta", arena), "two.");
	assert_string_equal(look_up(map, "alpha", arena), "-");
	map_set_destroy(set);
	arena_destroy(arena);
}

static void
a_new_file_is_noticed(void **state)
{
	struct arena *arena = arena_create();
	struct map_set *set = map_set_create();
	struct map *map = declare(set, "-o", arena);

	(void)state;
	assert_string_equal(look_up(map, "alpha", arena), "-");
	add("alpha", 5, "one");
	save();
	assert_string_equal(look_up(map, "alpha", arena), "one");
	unlink(path);
	add("delta", 5, "four");
	save();
	assert_string_equal(look_up(map, "delta", arena), "four");
	map_set_destroy(set);
	arena_destroy(arena);
}

/* Every byte changed, every length: an answer, never a crash. */
static void
damaged_files_do_no_harm(void **state)
{
	struct arena *arena = arena_create();
	size_t whole;

	(void)state;
	add("alpha", 5, "one");
	whole = length;
	for (size_t cut = 0; cut < whole; cut += 97) {
		struct map_set *set = map_set_create();

		length = cut;
		save();
		look_up(declare(set, "", arena), "alpha", arena);
		map_set_destroy(set);
	}
	length = whole;
	for (size_t at = hash_of("alpha", 5) % 256 * 8; at < whole;
	     at = at < TABLE ? (at % 8 == 7 ? TABLE : at + 1) : at + 1) {
		struct map_set *set = map_set_create();
		unsigned char kept = bytes[at];

		bytes[at] = 0xff;
		save();
		assert_non_null(look_up(declare(set, "", arena), "alpha", arena));
		bytes[at] = kept;
		map_set_destroy(set);
		arena_reset(arena);
	}
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(keys_with_and_without_nul_are_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_new_file_is_noticed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(damaged_files_do_no_harm, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
