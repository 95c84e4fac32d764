#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/str.h"
#include "map/alias.h"
#include "map/build.h"
#include "os/os.h"

static struct str seen; /* "name=value;" of each alias, "[message]" of each message */

static bool
add(void *context, const char *name, const char *value)
{
	struct str pattern = {0};
	bool was_there;

	(void)context;
	str_printf(&pattern, ";%s=", name);
	was_there = strstr(str_text(&seen), str_text(&pattern)) != NULL;
	str_free(&pattern);
	str_printf(&seen, ";%s=%s", name, value);
	return was_there;
}

static void
say(void *context, const char *message, bool is_error)
{
	(void)context;
	str_printf(&seen, "[%s%s]", is_error ? "" : "note ", message);
}

static void
expect(const char *text, const char *result)
{
	struct alias_reader reader = {.file = "F", .add = add, .say = say};
	struct alias_totals totals;
	char *copy = strdup(text);
	FILE *file = fmemopen(copy, strlen(copy) + (*copy == '\0'), "r");

	str_clear(&seen);
	alias_read(file, &reader, &totals);
	assert_string_equal(str_text(&seen), result);
	fclose(file);
	free(copy);
	str_free(&seen);
}

static void
lines_of_all_kinds(void **state)
{
	(void)state;
	expect("a: b\n", ";a=b");
	expect("a: b", ";a=b");
	expect("Upper Case:  two  words  \n", ";upper.case=two  words  ");
	expect("\"Quoted Name\": x\n\"a\\\"b\": y\n\"plain\": z\n",
	    ";\"quoted name\"=x;a\\\"b=y;plain=z");
	expect("(c) q (d): e\nf <G>: h\n", ";q=e;g=h");
	expect("error:x: y\n\\z: x\n*: y\n[1.2.3.4]: z\n", ";error=x: y;\\z=x;*=y;[1.2.3.4]=z");
	expect("a: x\na: y\nA: z\n",
	    ";a=x;a=y[note F: line 2: a... Warning: duplicate alias name a]"
	    ";a=z[note F: line 3: A... Warning: duplicate alias name a]");
}

static void
continuations_and_comments(void **state)
{
	(void)state;
	expect("a: b,\n\tc\n", ";a=b,\tc");
	expect("a:\n  b, c\n", ";a=b, c");
	expect("a: b\n \n  x\nc: d\n", ";a=b   x;c=d");
	expect("a: b\\\nc: d\n", ";a=bc: d");
	expect("# c\n  after comment\nc: d\n", ";c=d");
	expect("  first\na: b\n\n  second\n",
	    "[F: line 1: Non-continuation line starts with space]"
	    ";a=b[F: line 4: Non-continuation line starts with space]");
	expect("bad line\n  goes on\na: b\n", "[F: line 2: missing colon];a=b");
}

static void
wrong_lines_are_told(void **state)
{
	(void)state;
	expect(": nothing\n", "[F: line 1: : nothing... illegal alias name]");
	expect("f:\n", "[F: line 1: f:... missing value for alias]");
	expect(
	    "u@other.example: x\n", "[F: line 1: u@other.example... cannot alias non-local names]");
	expect("bad<: alice\n", "[note F: line 1: bad<: alice... Unbalanced '<'];:alice=alice");
	expect("bad<\n", "[F: line 1: missing colon]");
	expect("<:\n", "[note F: line 1: <:... Unbalanced '<'];:=");
	expect(":\n", "[F: line 1: :... illegal alias name]");
	expect("\"a: b\n", ";\"a=b");
}

static void
long_lines_are_refused_whole(void **state)
{
	struct str text = {0};

	(void)state;
	str_add_text(&text, "big: ");
	for (int i = 0; i < 20000; i++)
		str_add_char(&text, 'x');
	str_add_text(&text, "\nok: y\n");
	expect(str_text(&text), "[F: line 1: alias line too long];ok=y");
	str_free(&text);
}

static void
a_database_is_complete_or_the_old_one(void **state)
{
	char directory[] = "/tmp/test_alias.XXXXXX", text[64], path[64];
	struct alias_reader reader = {.file = text, .add = add, .say = say};
	struct map_build_request request = {.path = path, .mode = 0640};
	struct alias_totals totals;
	struct map_set *set = map_set_create();
	struct arena *arena = arena_create();
	struct map_result result;
	struct map *map;
	const char *error;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(text, sizeof text, "%s/aliases", directory);
	snprintf(path, sizeof path, "%s/aliases.db", directory);
	map = map_declare(set, "Alias0", "implicit", text, arena, &error);
	map_mark_alias(map);
	assert_int_equal(alias_build(&reader, &request, &totals), ENOENT);
	file = fopen(text, "w");
	fputs("team: a, b\nroot: c\n", file);
	fclose(file);
	/* without the database, the text is read */
	map_lookup(map, "Team", NULL, 0, NULL, arena, &result);
	assert_true(result.found);
	assert_string_equal(result.value, "a, b");
	assert_int_equal(alias_build(&reader, &request, &totals), 0);
	assert_int_equal(totals.count, 2);
	assert_int_equal(totals.longest, 4);
	assert_int_equal(totals.bytes, 13);
	map_lookup(map, "root", NULL, 0, NULL, arena, &result);
	assert_string_equal(result.value, "c");
	map_lookup(map, "@", NULL, 0, NULL, arena, &result);
	assert_string_equal(result.value, "@");
	file = fopen(text, "r+");
	assert_int_equal(os_lock(fileno(file), OS_LOCK_EXCLUSIVE, true), 0);
	assert_int_equal(alias_build(&reader, &request, &totals), EWOULDBLOCK);
	fclose(file);
	map_set_destroy(set);
	arena_destroy(arena);
	str_free(&seen);
	unlink(text);
	unlink(path);
	rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_all_kinds),
	    cmocka_unit_test(continuations_and_comments),
	    cmocka_unit_test(wrong_lines_are_told),
	    cmocka_unit_test(long_lines_are_refused_whole),
	    cmocka_unit_test(a_database_is_complete_or_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
