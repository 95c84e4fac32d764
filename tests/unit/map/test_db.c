#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "map/build.h"
#include "map/map.h"
#include "os/os.h"

static char directory[64], path[96];
static struct arena *arena;
static struct map_set *set;
static struct map_result result;

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test_db.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/m.db", directory);
	arena = arena_create();
	set = map_set_create();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	map_set_destroy(set);
	arena_destroy(arena);
	unlink(path);
	return rmdir(directory); /* fails when a builder left something behind */
}

static struct map_build *
start_build(enum map_build_type type, bool keeps_old)
{
	struct map_build_request request = {
	    .path = path, .type = type, .keeps_old = keeps_old, .mode = 0640};
	int error;
	struct map_build *build = map_build_open(&request, &error);

	assert_int_equal(error, 0);
	assert_non_null(build);
	return build;
}

static int
put(struct map_build *build, const char *key, const char *value, bool replaces)
{
	return map_build_put(build, key, strlen(key), value, strlen(value), replaces);
}

static void
build_one(enum map_build_type type, const char *key, const char *value)
{
	struct map_build *build = start_build(type, false);

	assert_int_equal(put(build, key, value, false), 0);
	assert_int_equal(map_build_finish(build), 0);
}

static struct map *
declare(const char *class, const char *options)
{
	const char *error;
	struct map *map = map_declare(
	    set, "m", class, arena_printf(arena, "%s %s/m", options, directory), arena, &error);

	assert_null(error);
	return map;
}

static const char *
ask(struct map *map, const char *key)
{
	map_lookup(map, key, NULL, 0, NULL, arena, &result);
	return result.found ? result.value : arena_printf(arena, "-%d", result.status);
}

static void
a_new_database_is_noticed(void **state)
{
	struct map *map = declare("hash", "-T<TMP>");

	(void)state;
	assert_string_equal(ask(map, "key"), "-75");
	build_one(MAP_BUILD_HASH, "key", "one");
	assert_string_equal(ask(map, "KEY"), "one");
	assert_string_equal(ask(map, "other"), "-0");
	build_one(MAP_BUILD_HASH, "key", "two");
	assert_string_equal(ask(map, "key"), "two");
	unlink(path);
	assert_string_equal(ask(map, "key"), "-75");
	build_one(MAP_BUILD_HASH, "key", "three");
	assert_string_equal(ask(map, "key"), "three");
}

static void
readers_have_the_old_map_until_the_new_one_is_whole(void **state)
{
	struct map *map = declare("btree", "");
	struct map_build *build;

	(void)state;
	build_one(MAP_BUILD_BTREE, "key", "old");
	assert_string_equal(ask(map, "key"), "old");
	build = start_build(MAP_BUILD_BTREE, false);
	assert_int_equal(put(build, "key", "new", false), 0);
	assert_string_equal(ask(map, "key"), "old");
	map_build_abandon(build);
	assert_string_equal(ask(map, "key"), "old");
	build = start_build(MAP_BUILD_BTREE, false);
	assert_int_equal(put(build, "key", "new", false), 0);
	assert_int_equal(map_build_finish(build), 0);
	assert_string_equal(ask(map, "key"), "new");
}

/* Real sendmail keeps a descriptor and looks at that one's time. */
static void
who_has_the_old_file_open_sees_its_time_change(void **state)
{
	struct stat before, after;
	struct timespec old_times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	int fd;

	(void)state;
	build_one(MAP_BUILD_HASH, "key", "old");
	fd = open(path, O_RDONLY);
	futimens(fd, old_times);
	fstat(fd, &before);
	build_one(MAP_BUILD_HASH, "key", "new");
	fstat(fd, &after);
	assert_true(after.st_mtime > before.st_mtime);
	close(fd);
}

static void
mode_is_kept(void **state)
{
	struct stat status;

	(void)state;
	build_one(MAP_BUILD_HASH, "key", "one");
	stat(path, &status);
	assert_int_equal(status.st_mode & 07777, 0640);
	chmod(path, 0600);
	build_one(MAP_BUILD_HASH, "key", "two");
	stat(path, &status);
	assert_int_equal(status.st_mode & 07777, 0600);
}

static void
duplicates_are_told_or_replaced(void **state)
{
	struct map_build *build = start_build(MAP_BUILD_HASH, false);

	(void)state;
	assert_int_equal(put(build, "a", "1", false), 0);
	assert_int_equal(put(build, "a", "2", false), MAP_BUILD_DUPLICATE);
	assert_int_equal(put(build, "b", "1", false), 0);
	assert_int_equal(put(build, "b", "2", true), 0);
	assert_int_equal(map_build_finish(build), 0);
	assert_string_equal(ask(declare("hash", ""), "a"), "1");
	assert_string_equal(ask(declare("hash", ""), "b"), "2");
}

static void
editing_keeps_the_rest(void **state)
{
	struct map_build *build = start_build(MAP_BUILD_HASH, false);

	(void)state;
	assert_int_equal(put(build, "a", "1", false), 0);
	assert_int_equal(put(build, "b", "2", false), 0);
	assert_int_equal(map_build_finish(build), 0);
	build = start_build(MAP_BUILD_HASH, true);
	assert_int_equal(map_build_delete(build, "a", 1), 0);
	assert_int_equal(map_build_delete(build, "x", 1), MAP_BUILD_NO_KEY);
	assert_int_equal(put(build, "c", "3", false), 0);
	assert_int_equal(map_build_finish(build), 0);
	assert_string_equal(ask(declare("hash", ""), "a"), "-0");
	assert_string_equal(ask(declare("hash", ""), "b"), "2");
	assert_string_equal(ask(declare("hash", ""), "c"), "3");
}

static void
keys_with_and_without_nul(void **state)
{
	struct map_build *build = start_build(MAP_BUILD_HASH, false);

	(void)state;
	assert_int_equal(map_build_put(build, "nul", 4, "value", 6, false), 0);
	assert_int_equal(map_build_finish(build), 0);
	assert_string_equal(ask(declare("hash", ""), "nul"), "value");
	assert_string_equal(ask(declare("hash", "-N"), "nul"), "value");
	assert_string_equal(ask(declare("hash", "-O"), "nul"), "-0");
	build_one(MAP_BUILD_HASH, "plain", "value");
	assert_string_equal(ask(declare("hash", ""), "plain"), "value");
	assert_string_equal(ask(declare("hash", "-N"), "plain"), "-0");
	assert_string_equal(ask(declare("hash", "-O -f -a.x"), "plain"), "value.x");
}

static void
wrong_types_and_garbage_are_temporary_failures(void **state)
{
	FILE *file;

	(void)state;
	build_one(MAP_BUILD_BTREE, "key", "one");
	assert_string_equal(ask(declare("hash", ""), "key"), "-75");
	assert_non_null(strstr(result.message, "Cannot open hash database"));
	file = fopen(path, "w");
	for (int i = 0; i < 5000; i++)
		fputc(i * 7 & 0xff, file);
	fclose(file);
	assert_string_equal(ask(declare("btree", ""), "key"), "-75");
	truncate(path, 0);
	assert_string_equal(ask(declare("hash", ""), "key"), "-75");
	unlink(path);
	mkdir(path, 0700);
	assert_string_equal(ask(declare("hash", ""), "key"), "-75");
	rmdir(path);
	mkfifo(path, 0600);
	assert_string_equal(ask(declare("hash", ""), "key"), "-75");
}

/* A damaged file is refused or answers anything; it never ends the process. */
static void
damaged_files_do_no_harm(void **state)
{
	struct map_build *build = start_build(MAP_BUILD_BTREE, false);
	char key[16], good[65536], bad[65536];
	uint32_t seed = 20261120;
	size_t length;
	FILE *file;

	(void)state;
	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(put(build, key, key, false), 0);
	}
	assert_int_equal(map_build_finish(build), 0);
	file = fopen(path, "r");
	length = fread(good, 1, sizeof good, file);
	fclose(file);
	for (int round = 0; round < 60; round++) {
		memcpy(bad, good, length);
		for (int i = 0; i <= round % 8; i++) {
			seed = seed * 1103515245 + 12345;
			bad[(seed >> 8) % 512 + (seed >> 20) % (length / 4096) * 4096] =
			    (char)(seed >> 24);
		}
		file = fopen(path, "w");
		fwrite(bad, 1, length, file);
		fclose(file);
		for (int i = 0; i < 400; i += 37) {
			snprintf(key, sizeof key, "key%d", i);
			ask(declare("btree", ""), key);
		}
	}
}

/* A writer like real makemap: locks, empties and fills the very file; readers wait for it. */
static void
readers_wait_for_a_writer_in_place(void **state)
{
	struct map *map = declare("hash", "");
	int ends[2], fd, copy;
	char buffer[65536], byte;
	ssize_t length;
	pid_t child;

	(void)state;
	build_one(MAP_BUILD_HASH, "key", "two");
	copy = open(path, O_RDONLY);
	length = read(copy, buffer, sizeof buffer);
	close(copy);
	unlink(path);
	build_one(MAP_BUILD_HASH, "key", "one");
	assert_string_equal(ask(map, "key"), "one");
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct timespec while_they_wait = {.tv_nsec = 100 * 1000 * 1000};

		fd = open(path, O_RDWR);
		if (os_lock(fd, OS_LOCK_EXCLUSIVE, true) < 0 || ftruncate(fd, 0) < 0)
			_exit(1);
		byte = (char)write(ends[1], "x", 1);
		nanosleep(&while_they_wait, NULL);
		_exit(write(fd, buffer, (size_t)length) == length && byte == 1 ? 0 : 1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_string_equal(ask(map, "key"), "two");
	waitpid(child, &fd, 0);
	assert_int_equal(fd, 0);
	close(ends[0]);
	close(ends[1]);
}

static void
build_many(enum map_build_type type, int count, const char *value)
{
	struct map_build *build = start_build(type, false);
	char key[32];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_int_equal(put(build, key, value, false), 0);
	}
	assert_int_equal(map_build_finish(build), 0);
}

/* Small files are read whole, large ones are asked each time: nobody can tell which. */
static void
sizes_make_no_difference(void **state)
{
	static const int counts[] = {10, 20000, 10, 1};
	struct map *map = declare("hash", "");
	struct stat status;

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		const char *value = arena_printf(arena, "value%zu", i);
		const char *last = arena_printf(arena, "key%d", counts[i] - 1);

		build_many(MAP_BUILD_HASH, counts[i], value);
		assert_int_equal(stat(path, &status), 0);
		assert_true((status.st_size > 128 * 1024) == (counts[i] == 20000));
		assert_string_equal(ask(map, "KEY0"), value);
		assert_string_equal(ask(map, last), value);
		assert_string_equal(ask(map, arena_printf(arena, "key%d", counts[i])), "-0");
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sizes_make_no_difference),
	    TEST(a_new_database_is_noticed),
	    TEST(readers_have_the_old_map_until_the_new_one_is_whole),
	    TEST(who_has_the_old_file_open_sees_its_time_change),
	    TEST(mode_is_kept),
	    TEST(duplicates_are_told_or_replaced),
	    TEST(editing_keeps_the_rest),
	    TEST(keys_with_and_without_nul),
	    TEST(wrong_types_and_garbage_are_temporary_failures),
	    TEST(damaged_files_do_no_harm),
	    TEST(readers_wait_for_a_writer_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
