#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "submit/finish.h"
#include "submit/submission.h"

static void
addresses_are_bared(void **state)
{
	static const struct {
		const char *text, *bare;
	} cases[] = {
	    {"alice", "alice"},
	    {" x@y.example (Comment)", "x@y.example"},
	    {"Alice Foo <alice>", "alice"},
	    {"\"x, <y>\" <bob@mail.example.com>", "bob@mail.example.com"},
	    {"friends: alice", "alice"},
	    {"bob;", "bob"},
	    {"(a (nested) one) c@d (e)", "c@d"},
	    {"\"a:b\"@c", "\"a:b\"@c"},
	    {"host!user", "host!user"},
	    {"host::user", "host::user"},
	    {"@a:b@c", "@a:b@c"},
	    {"<>", ""},
	    {"Foo <>", ""},
	    {"<unbalanced", "unbalanced"},
	    {"(open", ""},
	    {"\\(a", "\\(a"},
	    {"", ""},
	    {":", ":"},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(submission_bare_address(arena, cases[i].text), cases[i].bare);
	arena_destroy(arena);
}

static void
xtext_protects(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	assert_string_equal(submission_xtext(arena, "alice+detail"), "alice+2Bdetail");
	assert_string_equal(submission_xtext(arena, "a b=\344"), "a+20b+3D+E4");
	assert_string_equal(submission_xtext(arena, ""), "");
	arena_destroy(arena);
}

/* As 8.17 writes them into From:. */
static void
names_are_quoted_where_needed(void **state)
{
	static const struct {
		const char *name, *quoted;
	} cases[] = {
	    {"Alice Adams", "Alice Adams"},
	    {"Alice A. Adams", "\"Alice A. Adams\""},
	    {"Carol O'Hara (Dr.)", "\"Carol O'Hara (Dr.)\""},
	    {"Bob (the) Brown", "Bob (the) Brown"},
	    {"Bob \"Bobby\" Brown", "Bob \"Bobby\" Brown"},
	    {"\"A. B\"", "\"A. B\""},
	    {"a \" b", "\"a \\\" b\""},
	    {"J\344rg", "J\344rg"},
	    {"a@b", "\"a@b\""},
	    {"", ""},
	};
	struct arena *arena = arena_create();
	struct config config = {.options = {.must_quote_chars = NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
		    finish_quote_name(&config, arena, cases[i].name), cases[i].quoted);
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_bared),
	    cmocka_unit_test(xtext_protects),
	    cmocka_unit_test(names_are_quoted_where_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
