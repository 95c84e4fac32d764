/* The packets of the filter protocol, and the reply codes in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/wire.h"

static void
packets_are_what_libmilter_reads(void **state)
{
	struct str out = {0};

	(void)state;
	milter_add_head(&out, MILTER_NEGOTIATE, 12);
	milter_add_number(&out, MILTER_VERSION);
	milter_add_number(&out, MILTER_ACTIONS);
	milter_add_number(&out, 0xfedcba98);
	assert_int_equal(out.length, 17);
	assert_memory_equal(out.data, "\0\0\0\15O\0\0\0\6\0\0\1\377\376\334\272\230", 17);
	str_clear(&out);
	milter_add_head(&out, MILTER_HELO, 5);
	milter_add_text(&out, "host");
	assert_memory_equal(out.data, "\0\0\0\6Hhost\0", 10);
	str_free(&out);
}

static void
nothing_is_read_beyond_a_packet(void **state)
{
	/* the text has no NUL within the packet, though one stands behind it */
	struct milter_packet packet = {.letter = 'm', .at = "\0\0\1\2Name\0value\0", .left = 14};
	const char *text = "unset";
	uint32_t number = 7;

	(void)state;
	assert_true(milter_take_number(&packet, &number));
	assert_int_equal(number, 258);
	assert_true(milter_take_text(&packet, &text));
	assert_string_equal(text, "Name");
	assert_false(milter_take_text(&packet, &text));
	assert_string_equal(text, "Name");
	assert_int_equal(packet.left, 5);
	packet.left = 3;
	assert_false(milter_take_number(&packet, &number));
	packet.left = 0;
	assert_false(milter_take_text(&packet, &text));
}

static void
reply_codes_are_read_as_sendmail_does(void **state)
{
	static const struct {
		const char *text;
		int code; /* 0: none */
		const char *dsn, *lines;
	} rows[] = {
	    {"550 5.7.1 go away", 550, "5.7.1", "go away"},
	    {"550 go away", 550, "5.0.0", "go away"},
	    {"451 4.7.1 later", 451, "4.7.1", "later"},
	    {"450 later", 450, "4.0.0", "later"},
	    {"550", 550, "5.0.0", ""},
	    {"550 5.7.1", 550, "5.7.1", ""},
	    {"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three", 550, "5.7.1", "one\ntwo\nthree"},
	    {"550-5.7.1 one\n550 5.7.1 two\n", 550, "5.7.1", "one\ntwo"},
	    /* a DSN of another class is no DSN */
	    {"550 4.7.1 text", 550, "5.0.0", "4.7.1 text"},
	    {"550 5.7.1 100%% sure", 550, "5.7.1", "100% sure"},
	    {"550 5.7.1 100% sure", 0, "", ""},
	    {"550 5.7.1 %", 0, "", ""},
	    {"250 2.0.0 fine", 0, "", ""},
	    {"5500 x", 0, "", ""},
	    {"5x0 x", 0, "", ""},
	    {"hello", 0, "", ""},
	    {"55", 0, "", ""},
	    {"", 0, "", ""},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verdict verdict = {0};

		assert_int_equal(
		    milter_parse_reply(rows[i].text, arena, &verdict), rows[i].code != 0);
		if (rows[i].code == 0)
			continue;
		assert_int_equal(verdict.code, rows[i].code);
		assert_string_equal(verdict.dsn, rows[i].dsn);
		assert_string_equal(verdict.text, rows[i].lines);
	}
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_what_libmilter_reads),
	    cmocka_unit_test(nothing_is_read_beyond_a_packet),
	    cmocka_unit_test(reply_codes_are_read_as_sendmail_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
