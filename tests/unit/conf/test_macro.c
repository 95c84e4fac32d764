#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>

#include "conf/macro.h"

static struct macro_names *names;
static struct macro_env *global, *session;

static int
set_up(void **state)
{
	(void)state;
	names = macro_names_create();
	global = macro_env_create(NULL);
	session = macro_env_create(global);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	macro_env_destroy(session);
	macro_env_destroy(global);
	macro_names_destroy(names);
	return 0;
}

static void
expands(const char *template, const char *expected)
{
	struct str out = {0};

	macro_expand(names, session, template, &out);
	assert_string_equal(str_text(&out), expected);
	str_free(&out);
}

static void
expands_line(const char *line, const char *expected)
{
	struct str out = {0};

	macro_expand_line(names, session, line, &out);
	assert_string_equal(str_text(&out), expected);
	str_free(&out);
}

static void
names_are_read_as_v8_reads_them(void **state)
{
	struct arena *arena = arena_create();
	const char *end, *error = NULL;
	int id;

	(void)state;
	assert_int_equal(macro_name_parse(names, "xval", &end, arena, &error), 'x');
	assert_string_equal(end, "val");
	assert_int_equal(macro_name_parse(names, "{x}val", &end, arena, &error), 'x');
	id = macro_name_parse(names, "{client_addr}", &end, arena, &error);
	assert_true(id >= 128);
	assert_string_equal(end, "");
	assert_int_equal(macro_id(names, "client_addr"), id);
	assert_int_equal(macro_id_find(names, "client_name"), MACRO_NONE);
	assert_string_equal(macro_name(names, id), "{client_addr}");
	assert_string_equal(macro_name(names, 'j'), "j");
	assert_null(error);

	assert_int_equal(macro_name_parse(names, "", &end, arena, &error), MACRO_NONE);
	assert_string_equal(error, "Name required for macro/class");
	assert_int_equal(macro_name_parse(names, "{}x", &end, arena, &error), MACRO_NONE);
	assert_string_equal(error, "Name required for macro/class");
	assert_int_equal(macro_name_parse(names, "{foo", &end, arena, &error), MACRO_NONE);
	assert_string_equal(
	    error, "Unbalanced { on foo\nUnable to assign macro/class ID (mid = 0xffffffff)");
	assert_int_equal(
	    macro_name_parse(names, "{foo bar}x", &end, arena, &error), macro_id(names, "foobar"));
	assert_string_equal(error, "Invalid macro/class character  ");
	assert_string_equal(end, "x");
	assert_int_equal(
	    macro_name_parse(names, "{abcdefghijklmnopqrstuvwxyz}", &end, arena, &error),
	    MACRO_NONE);
	assert_non_null(strstr(error, "too long (25 chars max)"));
	arena_destroy(arena);
}

static void
values_come_from_the_nearest_environment(void **state)
{
	int id = macro_id(names, "client_name");

	(void)state;
	assert_null(macro_get(session, id));
	macro_set(global, id, "global");
	assert_string_equal(macro_get(session, id), "global");
	macro_set(session, id, "session");
	assert_string_equal(macro_get(session, id), "session");
	assert_string_equal(macro_get(global, id), "global");
	macro_set(session, id, macro_get(session, id)); /* its own old value */
	assert_string_equal(macro_get(session, id), "session");
	macro_set(session, id, NULL);
	assert_null(macro_get(session, id));
	macro_env_clear(session);
	assert_string_equal(macro_get(session, id), "global");
}

static void
templates_are_expanded_and_data_is_not(void **state)
{
	(void)state;
	macro_set_template(global, 'w', "host");
	macro_set_template(global, 'm', "example.com");
	macro_set_template(global, 'j', "$w.$m");
	macro_set(session, 'f', "$w$$@x");
	expands("<$f> by $j", "<$w$$@x> by host.example.com");
	expands("$$w costs $$5", "$w costs $5");
	expands("${w}-$&w-$&{w}", "host-host-host");
	expands("$1 $* $=w $[a$] $", "$1 $* $=w $[a$] $");
	expands("${unknown}$Q.", ".");
	assert_true(macro_is_template(session, 'j'));
	assert_false(macro_is_template(session, 'f'));
	macro_set_template(global, 'B', "$B$B$B$B$B$B$B$B$B$B$B$B");
	expands("$B", ""); /* 12 to the 10th, were it not for a bound */
	macro_set_template(global, 'l', "a$l");
	expands("$?X$l", ""); /* an open conditional hides the rest */
	{
		struct str out = {0};

		macro_expand(names, session, "$l", &out); /* a loop of macros ends */
		assert_true(out.length > 1 && out.length < 100);
		str_free(&out);
	}
}

static void
conditionals_nest(void **state)
{
	(void)state;
	macro_set_template(global, 'X', "one");
	macro_set_template(global, 'E', "");
	expands("$?X$X$| none$.!", "one!");
	expands("$?E set$| unset$.", " unset");
	expands("$?X X$?E E$| nE$. $?n nope$| no$. end$| nX$. tail", " X nE  no end tail");
	expands("$?E $?X a$| b$. $| c$.d", " cd");
	expands("$?E $?E a$| b$.$| $?X y$| z$.$.", "  y");
	expands(" a$.b$|c", " a$.b$|c");
	expands("$?{X}abc", "abc");
}

static void
lines_keep_their_operators(void **state)
{
	(void)state;
	macro_set_template(global, 'X', "one");
	macro_set_template(global, 'A', "$&X");
	macro_set_template(global, 'Q', "a$$b$?X yes$| no$.");
	macro_set(global, 'd', "5$");
	expands_line("$*<@$=w>$*\t\t$>3 $1 $X $A $Q $d $@ $| $&{client}",
	    "$*<@$=w>$*\t\t$>3 $1 one $&X a$$b yes 5$$ $@ $| $&{client}");
}

static void
classes_know_phrases_in_any_case(void **state)
{
	struct class_set *set = class_set_create();
	size_t position = 0;
	const char *phrase;

	(void)state;
	assert_false(class_has(set, 'w', "a", 1));
	class_add(set, 'w', "Mail.Example.COM");
	class_add(set, 'w', "localhost");
	class_add(set, 'w', "mail.example.com");
	class_add(set, 3000, "x");
	assert_true(class_has(set, 'w', "MAIL.example.com", 16));
	assert_true(class_has(set, 'w', "localhost.x", 9));
	assert_false(class_has(set, 'w', "mail", 4));
	assert_int_equal(class_count(set, 'w'), 2);
	assert_int_equal(class_longest(set, 'w'), 16);
	assert_int_equal(class_count(set, 'q'), 0);
	assert_int_equal(class_count(set, 3000), 1);
	assert_true(class_next(set, 'w', &position, &phrase));
	assert_string_equal(phrase, "Mail.Example.COM");
	assert_true(class_next(set, 'w', &position, &phrase));
	assert_false(class_next(set, 'w', &position, &phrase));
	class_set_destroy(set);
}

/* As sendmail 8.17 printed these words. */
static void
classes_are_shown_in_v8s_order(void **state)
{
	static const char *const words[] = {"one", "two", "a,b", "A.Very.Long.Name.Example.COM",
	    "zz", "z1", "[1.2.3.4]", "x@y"},
				 *const expected[] = {"zz", "[1.2.3.4]", "z1", "one", "x@y", "two",
				     "A.Very.Long.Name.Example.COM", "a,b"};
	struct class_set *set = class_set_create();
	struct arena *arena = arena_create();
	const char *const *shown;
	size_t count;

	(void)state;
	for (size_t i = 0; i < 8; i++)
		class_add(set, 'w', words[i]);
	shown = class_list(set, 'w', arena, &count);
	assert_int_equal(count, 8);
	for (size_t i = 0; i < 8; i++)
		assert_string_equal(shown[i], expected[i]);
	class_list(set, 'x', arena, &count);
	assert_int_equal(count, 0);
	arena_destroy(arena);
	class_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(names_are_read_as_v8_reads_them, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		values_come_from_the_nearest_environment, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		templates_are_expanded_and_data_is_not, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(conditionals_nest, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lines_keep_their_operators, set_up, tear_down),
	    cmocka_unit_test(classes_know_phrases_in_any_case),
	    cmocka_unit_test(classes_are_shown_in_v8s_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
