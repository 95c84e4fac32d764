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

struct fixture {
	struct arena *arena;
	struct map_set *set;
	struct map_result result;
	char macro_name[32], macro_value[32];
	bool macro_cleared;
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	fixture->arena = arena_create();
	fixture->set = map_set_create();
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	map_set_destroy(fixture->set);
	arena_destroy(fixture->arena);
	free(fixture);
	return 0;
}

static struct map *
declare(struct fixture *fixture, const char *class, const char *arguments)
{
	const char *error;
	struct map *map;

	/* a set of its own: a second K line of a name keeps options of the first */
	map_set_destroy(fixture->set);
	fixture->set = map_set_create();
	map = map_declare(fixture->set, "m", class, arguments, fixture->arena, &error);

	assert_non_null(map);
	if (error != NULL)
		fail_msg("%s", error);
	return map;
}

/* The value, or "-STATUS" when there is none. */
static const char *
ask(struct fixture *fixture, struct map *map, const char *key, const char *first,
    const char *second)
{
	const char *arguments[] = {first, second};

	map_lookup(map, key, arguments, second != NULL ? 2 : first != NULL, NULL, fixture->arena,
	    &fixture->result);
	return fixture->result.found ? fixture->result.value
				     : arena_printf(fixture->arena, "-%d", fixture->result.status);
}

static void
format_replaces_key_and_arguments(void **state)
{
	struct fixture *fixture = *state;
	const char *arguments[] = {"one", "two"}, *result;

	map_format(fixture->arena, "%0/%1/%2/%3/%%/%x/%", "key", arguments, 2, &result);
	assert_string_equal(result, "key/one/two//%/%x/%");
}

static void
arith_calculates(void **state)
{
	static const struct {
		const char *operation, *left, *right, *result;
	} cases[] = {
	    {"+", "1", "2", "3"},
	    {"-", "5", "7", "-2"},
	    {"*", "-3", "4", "-12"},
	    {"/", "-7", "2", "-3"},
	    {"%", "-7", "2", "-1"},
	    {"/", "7", "0", "-78"},
	    {"%", "7", "0", "-78"},
	    {"/", "-9223372036854775808", "-1", "-78"},
	    {"|", "6", "3", "7"},
	    {"&", "6", "3", "2"},
	    {"l", "3", "4", "TRUE"},
	    {"l", "4", "4", "FALSE"},
	    {"=", "4", "0x4", "TRUE"},
	    {"+", "010", "0", "8"},
	    {"+", "1x", "2y", "3"},
	    {"+", "99999999999", "1", "100000000000"},
	    {"r", "10", "3", "-78"},
	    {"r", "4", "4", "4"},
	    {"plus", "1", "1", "-78"},
	};
	struct fixture *fixture = *state;
	struct map *map = declare(fixture, "arith", "");

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
		    ask(fixture, map, cases[i].operation, cases[i].left, cases[i].right),
		    cases[i].result);
	for (int i = 0; i < 200; i++) {
		int number = atoi(ask(fixture, map, "r", "3", "10"));

		assert_in_range(number, 3, 10);
	}
	assert_string_equal(ask(fixture, map, "+", "1", NULL), "-78");
}

static void
dequote_takes_quotes_off_only_where_it_is_harmless(void **state)
{
	static const char *const cases[][2] = {
	    {"\"a\"", "a"},
	    {"a", "-0"},
	    {"\"a b\"", "-0"},
	    {"\"a@b\"", "a@b"},
	    {"\"a\"\"b\"c", "abc"},
	    {"\"a\\\"b\"", "a\\\"b"},
	    {"\"\"", ""},
	    {"\"a", "-0"},
	    {"\"a(b\"", "-0"},
	    {"\"a(b)\"", "a(b)"},
	    {"\"a)\"", "-0"},
	    {"\"<b>\"", "<b>"},
	    {"\"b>\"", "-0"},
	    {"\"a\\", "-0"},
	};
	struct fixture *fixture = *state;
	struct map *map = declare(fixture, "dequote", "");

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(ask(fixture, map, cases[i][0], NULL, NULL), cases[i][1]);
	map = declare(fixture, "dequote", "-s_ -a.x");
	assert_string_equal(ask(fixture, map, "\"a  b\"", NULL, NULL), "a__b.x");
	assert_int_equal(map_space_substitute(map), '_');
}

static bool
remember_macro(void *context, const char *name, const char *value)
{
	struct fixture *fixture = context;

	snprintf(fixture->macro_name, sizeof fixture->macro_name, "%s", name);
	snprintf(
	    fixture->macro_value, sizeof fixture->macro_value, "%s", value != NULL ? value : "");
	fixture->macro_cleared = value == NULL;
	return true;
}

static void
macro_sets_and_clears(void **state)
{
	struct fixture *fixture = *state;
	struct map_hooks hooks = {.context = fixture, .set_macro = remember_macro};
	const char *arguments[] = {"value", "more"};
	struct map *map = declare(fixture, "macro", "");

	map_lookup(map, "{name}", arguments, 2, &hooks, fixture->arena, &fixture->result);
	assert_true(fixture->result.found);
	assert_string_equal(fixture->result.value, "");
	assert_string_equal(fixture->macro_name, "{name}");
	assert_string_equal(fixture->macro_value, "value");
	map_lookup(map, "{name}", NULL, 0, &hooks, fixture->arena, &fixture->result);
	assert_true(fixture->macro_cleared);
}

static void
regex_has_fields_and_negation(void **state)
{
	struct fixture *fixture = *state;
	const char *error;

	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-s1,2 -a<OK> -d| ^([a-z]+)-([a-z]+)@"),
		"ab-cd@host", NULL, NULL),
	    "ab|cd<OK>");
	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-s2,1 -d+ ^a(b)(c)$"), "ABC", NULL, NULL),
	    "C+B");
	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-n -aNOT ^x"), "ax", NULL, NULL), "NOT");
	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-n -aNOT ^x"), "xa", NULL, NULL), "-0");
	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-f -aY ABC"), "abc", NULL, NULL), "-0");
	assert_string_equal(
	    ask(fixture, declare(fixture, "regex", "-m -aM ^a"), "Ax", NULL, NULL), "AxM");
	assert_non_null(map_declare(fixture->set, "bad", "regex", "[", fixture->arena, &error));
	assert_true(strncmp(error, "pattern-compile-error: ", 23) == 0);
	assert_false(
	    map_is_open(map_find(fixture->set, "bad"), NULL, fixture->arena, &fixture->result));
	map_declare(fixture->set, "bad", "regex", "-s9 (a)", fixture->arena, &error);
	assert_string_equal(error, "field (9) out of range, only 2 substrings in pattern");
}

static void
text_splits_columns(void **state)
{
	struct fixture *fixture = *state;
	char path[] = "/tmp/test_map.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct map *map;

	fputs("tk:tv:third\nsp ace:val ue\n:novalue\n# c\ndup:1\ndup:2\nlast:one", file);
	fclose(file);
	map = declare(fixture, "text", arena_printf(fixture->arena, "-z: -k0 -v1 %s", path));
	assert_string_equal(ask(fixture, map, "TK", NULL, NULL), "tv");
	assert_string_equal(ask(fixture, map, "sp ace", NULL, NULL), "val ue");
	assert_string_equal(ask(fixture, map, "dup", NULL, NULL), "1");
	assert_string_equal(ask(fixture, map, "last", NULL, NULL), "one");
	assert_string_equal(ask(fixture, map, "none", NULL, NULL), "-68");
	map = declare(fixture, "text", arena_printf(fixture->arena, "-k1 %s", path));
	assert_string_equal(ask(fixture, map, "ace:val", NULL, NULL), "sp");
	map = declare(fixture, "text", arena_printf(fixture->arena, "-m -z: -v9 %s", path));
	assert_string_equal(ask(fixture, map, "tk", NULL, NULL), "-68");
	unlink(path);
}

static void
a_second_line_keeps_what_it_does_not_say(void **state)
{
	struct fixture *fixture = *state;
	const char *error;

	declare(fixture, "regex", "-aX ^a");
	map_declare(fixture->set, "M", "regex", "^b", fixture->arena, &error);
	assert_string_equal(ask(fixture, map_find(fixture->set, "m"), "b", NULL, NULL), "X");
	assert_string_equal(ask(fixture, map_find(fixture->set, "m"), "a", NULL, NULL), "-0");
}

static void
wrong_lines_are_told_in_sendmails_words(void **state)
{
	struct fixture *fixture = *state;
	const char *error;

	assert_null(map_declare(fixture->set, "x", "nosuch", "", fixture->arena, &error));
	assert_string_equal(error, "readcf: map x: class nosuch not available");
	assert_non_null(map_declare(fixture->set, "x", "hash", "-@", fixture->arena, &error));
	assert_string_equal(error, "Illegal option @ map x\nNo file name for hash map x");
	assert_non_null(map_declare(fixture->set, "x", "null", "-@", fixture->arena, &error));
	assert_string_equal(error, "Illegal option @ map x");
	assert_string_equal(ask(fixture, map_find(fixture->set, "X"), "k", NULL, NULL), "-68");
}

static void
a_missing_file_is_told_once_and_found_when_it_comes(void **state)
{
	struct fixture *fixture = *state;
	struct map *map = declare(fixture, "hash", "-T<TMP> /nonexistent/file");

	assert_string_equal(ask(fixture, map, "k", NULL, NULL), "-75");
	assert_string_equal(fixture->result.value, "<TMP>");
	assert_string_equal(fixture->result.message,
	    "hash map \"m\": missing map file /nonexistent/file.db: No such file or directory");
	assert_string_equal(ask(fixture, map, "k", NULL, NULL), "-75");
	assert_null(fixture->result.message);
	map = declare(fixture, "hash", "-o /nonexistent/file");
	assert_string_equal(ask(fixture, map, "k", NULL, NULL), "-0");
	assert_false(map_is_open(map, NULL, fixture->arena, &fixture->result));
}

static void
a_put_off_map_is_not_asked_in_deferred_mode(void **state)
{
	struct fixture *fixture = *state;
	struct map_hooks hooks = {.is_deferred = true};
	struct map *map = declare(fixture, "regex", "-D -aX a");

	map_lookup(map, "a", NULL, 0, &hooks, fixture->arena, &fixture->result);
	assert_false(fixture->result.found);
	assert_int_equal(fixture->result.status, EX_TEMPFAIL);
	assert_string_equal(ask(fixture, map, "a", NULL, NULL), "X");
}

static size_t
give_methods(void *context, const char *service, const char *methods[], size_t size)
{
	(void)context;
	assert_true(size >= 2);
	if (strcmp(service, "hosts") == 0) {
		methods[0] = "files";
		return 1;
	}
	if (strcmp(service, "both") == 0) {
		methods[0] = "one";
		methods[1] = "two";
		return 2;
	}
	return 0;
}

static const char *
ask_with(struct fixture *fixture, struct map *map, const char *key, const struct map_hooks *hooks)
{
	map_lookup(map, key, NULL, 0, hooks, fixture->arena, &fixture->result);
	return fixture->result.found ? fixture->result.value
				     : arena_printf(fixture->arena, "-%d", fixture->result.status);
}

static void
host_reads_the_hosts_file(void **state)
{
	static const char *const cases[][2] = {
	    {"relay", "relay.example.net."},
	    {"RELAY.example.net", "relay.example.net."},
	    {"relay.example.net.", "relay.example.net."},
	    {"relay.example", "relay.example.net."},	 /* the first labels of $m */
	    {"relay.example.com", "relay.example.net."}, /* in $m */
	    {"relay.example.", "-68"},
	    {"relay.exam", "-68"},
	    {"aa", "bb.cc.dd."},
	    {"ee", "ee.example.com."},
	    {"ff", "ee.example.com."},
	    {"comment", "-68"},
	    {"[bad", "-0"},
	    {"[nothing]", "-69"},
	    {"", "-68"},
	};
	struct fixture *fixture = *state;
	char path[] = "/tmp/test_map.XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");
	struct map_hooks hooks = {
	    .switch_methods = give_methods, .hosts_file = path, .domain = "example.com"};
	struct map *map = declare(fixture, "host", "-a.");

	fputs("192.0.2.20 relay.example.net relay\n192.0.2.77 aa bb.cc.dd # "
	      "comment\n192.0.2.78\tee ff\n",
	    file);
	fclose(file);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(ask_with(fixture, map, cases[i][0], &hooks), cases[i][1]);
	unlink(path);
}

static void
sequence_and_switch_ask_their_members_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct map_hooks hooks = {.switch_methods = give_methods};
	const char *error;

	map_declare(fixture->set, "s.one", "regex", "-a1 ^a", fixture->arena, &error);
	map_declare(fixture->set, "s.two", "regex", "-a2 ^[ab]", fixture->arena, &error);
	map_declare(fixture->set, "q", "sequence", "s.one nosuch s.two", fixture->arena, &error);
	assert_string_equal(error, "Sequence map q: unknown member map nosuch");
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "q"), "a", &hooks), "1");
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "q"), "b", &hooks), "2");
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "q"), "c", &hooks), "-68");
	map_declare(fixture->set, "s", "switch", "both", fixture->arena, &error);
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "s"), "b", &hooks), "2");
	map_declare(fixture->set, "s", "switch", "unknown", fixture->arena, &error);
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "s"), "b", &hooks), "-75");
	assert_null(fixture->result.message);
	map_declare(fixture->set, "t", "switch", "hosts", fixture->arena, &error);
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "t"), "b", &hooks), "-68");
	assert_string_equal(fixture->result.message, "Switch map t: unknown member map t.files");
	/* a map that contains itself ends */
	map_declare(fixture->set, "loop", "regex", "x", fixture->arena, &error);
	map_declare(fixture->set, "inner", "switch", "both", fixture->arena, &error);
	map_declare(fixture->set, "inner.one", "sequence", "inner", fixture->arena, &error);
	assert_string_equal(ask_with(fixture, map_find(fixture->set, "inner"), "b", &hooks), "-75");
}

static void
user_gives_columns(void **state)
{
	struct fixture *fixture = *state;
	struct map_result *result = &fixture->result;

	assert_string_equal(
	    ask(fixture, declare(fixture, "user", "-m -a<U>"), "ROOT", NULL, NULL), "root<U>");
	assert_string_equal(
	    ask(fixture, declare(fixture, "user", "-vuid"), "root", NULL, NULL), "0");
	assert_string_equal(
	    ask(fixture, declare(fixture, "user", ""), "no such user", NULL, NULL), "-67");
	assert_string_equal(
	    ask(fixture, declare(fixture, "user", "-v6"), "root", NULL, NULL), "-75");
	assert_string_equal(result->message, "User map m: unknown column name 6");
}

static void
program_gives_its_first_line(void **state)
{
	struct fixture *fixture = *state;

	assert_string_equal(ask(fixture, declare(fixture, "program", "-a.P /bin/echo one two"),
				"Key x", NULL, NULL),
	    "one two Key x.P");
	assert_string_equal(
	    ask(fixture, declare(fixture, "program", "/bin/false"), "k", NULL, NULL), "-1");
	assert_string_equal(
	    ask(fixture, declare(fixture, "program", "/bin/true"), "k", NULL, NULL), "-0");
	assert_string_equal(
	    ask(fixture, declare(fixture, "program", "/nonexistent"), "k", NULL, NULL), "-78");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(format_replaces_key_and_arguments),
	    TEST(arith_calculates),
	    TEST(dequote_takes_quotes_off_only_where_it_is_harmless),
	    TEST(macro_sets_and_clears),
	    TEST(regex_has_fields_and_negation),
	    TEST(text_splits_columns),
	    TEST(a_second_line_keeps_what_it_does_not_say),
	    TEST(wrong_lines_are_told_in_sendmails_words),
	    TEST(a_missing_file_is_told_once_and_found_when_it_comes),
	    TEST(a_put_off_map_is_not_asked_in_deferred_mode),
	    TEST(host_reads_the_hosts_file),
	    TEST(sequence_and_switch_ask_their_members_in_order),
	    TEST(user_gives_columns),
	    TEST(program_gives_its_first_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
