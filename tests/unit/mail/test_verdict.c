#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>
#include <cmocka.h>

#include "mail/verdict.h"

static void
text_is_one_clean_line(void **state)
{
	struct arena *arena = arena_create();
	struct verdict verdict =
	    verdict_make(arena, 550, "5.1.1", EX_NOUSER, "%s", "a\r\nb\tc\033[1m\177 \n");

	(void)state;
	assert_string_equal(verdict.text, "a b c?[1m?");
	assert_string_equal(verdict.dsn, "5.1.1");
	assert_true(verdict_is_permanent(&verdict));
	assert_false(verdict_is_temporary(&verdict));
	assert_false(verdict_is_success(&verdict));
	verdict = verdict_make(arena, 250, NULL, EX_OK, "ok");
	assert_string_equal(verdict.dsn, "");
	assert_true(verdict_is_success(&verdict));
	verdict = verdict_make(arena, 451, "4.0.0", EX_TEMPFAIL, "later");
	assert_true(verdict_is_temporary(&verdict));
	arena_destroy(arena);
}

/* Expected values: exit status of `sendmail -bv` 8.17 with `$#error $@ DSN $: text`. */
static void
exit_status_follows_the_dsn(void **state)
{
	static const struct {
		const char *dsn;
		int exit_status;
	} rows[] = {{"2.1.5", 0}, {"4.1.1", 75}, {"5.0.0", 69}, {"5.1.0", 65}, {"5.1.1", 67},
	    {"5.1.2", 68}, {"5.1.3", 64}, {"5.1.4", 69}, {"5.1.5", 78}, {"5.1.6", 67},
	    {"5.1.7", 64}, {"5.1.8", 68}, {"5.1.10", 69}, {"5.2.2", 69}, {"5.2.3", 65},
	    {"5.3.5", 71}, {"5.4.0", 74}, {"5.4.1", 75}, {"5.4.4", 76}, {"5.4.6", 78},
	    {"5.4.7", 69}, {"5.5.4", 76}, {"5.6.0", 69}, {"5.7.1", 65}, {"5.8.1", 69}, {"", 69},
	    {"5", 69}, {"x.y.z", 69}, {"3.1.1", 69}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(verdict_exit_from_dsn(rows[i].dsn), rows[i].exit_status);
}

static void
exit_status_has_words(void **state)
{
	(void)state;
	assert_string_equal(verdict_text_from_exit(EX_NOUSER), "User unknown");
	assert_string_equal(verdict_dsn_from_exit(EX_NOHOST), "5.1.2");
	assert_string_equal(verdict_dsn_from_exit(99), "5.3.0");
	assert_int_equal(verdict_code_from_exit(EX_TEMPFAIL), 450);
	assert_int_equal(verdict_exit_from_code(550), EX_NOUSER);
	assert_int_equal(verdict_exit_from_code(421), EX_TEMPFAIL);
	assert_int_equal(verdict_exit_from_code(554), EX_UNAVAILABLE);
	assert_int_equal(verdict_exit_from_code(250), EX_OK);
	assert_int_equal(verdict_exit_from_code(0), EX_PROTOCOL);
}

static void
enhanced_codes_are_cut_off(void **state)
{
	static const struct {
		const char *text, *rest, *dsn; /* dsn NULL: none there */
	} rows[] = {{"5.1.1 no such user", "no such user", "5.1.1"}, {"4.7.0", "", "4.7.0"},
	    {"5.1.10  x", "x", "5.1.10"}, {"5.1.1x", "5.1.1x", NULL},
	    {"192.0.2.1 is bad", "192.0.2.1 is bad", NULL}, {"5.1", "5.1", NULL},
	    {"5.1.1234 x", "5.1.1234 x", NULL}, {"3.0.0 x", "3.0.0 x", NULL}, {"", "", NULL}};
	char dsn[VERDICT_DSN_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *text = rows[i].text;

		assert_int_equal(verdict_parse_dsn(&text, dsn), rows[i].dsn != NULL);
		assert_string_equal(text, rows[i].rest);
		if (rows[i].dsn != NULL)
			assert_string_equal(dsn, rows[i].dsn);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_one_clean_line),
	    cmocka_unit_test(exit_status_follows_the_dsn),
	    cmocka_unit_test(exit_status_has_words),
	    cmocka_unit_test(enhanced_codes_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
