#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "mail/lines.h"

static void
add(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
}

static struct str
through(struct lines lines, const char *text, size_t length, size_t step)
{
	struct str out = {0};

	lines.write = add;
	lines.context = &out;
	for (size_t at = 0; at < length; at += step)
		lines_write(&lines, text + at, length - at < step ? length - at : step);
	lines_end(&lines);
	return out;
}

static void
expect(struct lines lines, const char *text, const char *expected)
{
	for (size_t step = 1; step < 7; step++) {
		struct str out = through(lines, text, strlen(text), step);

		assert_string_equal(str_text(&out), expected);
		str_free(&out);
	}
}

static void
text_becomes_lines_as_smtp_wants_them(void **state)
{
	const struct lines dots = {.eol = "\r\n", .dots = true}, plain = {.eol = "\r\n"},
			   narrow = {.eol = "\r\n", .dots = true, .line_limit = 10};
	const struct lines seven = {.eol = "\r\n", .seven_bit = true};

	(void)state;
	expect(dots, "a\n.\n..b\nc.d\n", "a\r\n..\r\n...b\r\nc.d\r\n");
	expect(dots, "", "");
	expect(dots, "\n", "\r\n");
	expect(dots, "no end", "no end\r\n");
	expect(dots, ".", "..\r\n");
	expect(dots, "a\r\nb\rc\r", "a\r\nb\rc\r\r\n");
	expect(dots, "x\r\n.\r\ny\n", "x\r\n..\r\ny\r\n");
	expect(plain, ".\n", ".\r\n");
	expect(narrow, "1234567890\n", "1234567890\r\n");
	expect(narrow, "12345678901\n", "123456789!\r\n 01\r\n");
	expect(narrow, "123456789012345678901234567\n",
	    "123456789!\r\n 01234567!\r\n 89012345!\r\n 67\r\n");
	expect(narrow, "123456789.\n", "123456789.\r\n");
	expect(seven, "\xe4\xf6\n", "dv\r\n");
}

static void
text_becomes_lines_as_mailboxes_want_them(void **state)
{
	const struct lines box = {.eol = "\n", .from = true, .keeps_cr = true},
			   narrow = {.eol = "\n", .from = true, .line_limit = 10};

	(void)state;
	expect(box, "From me\n From\nFrom\nFromage\n>From x\nFrom ",
	    ">From me\n From\nFrom\nFromage\n>From x\n>From \n");
	expect(box, "a\r\n\r\nb\r", "a\r\n\r\nb\r\n");
	expect(box, "Fro\r\nF\nFFrom \n", "Fro\r\nF\nFFrom \n");
	/* the mark is not counted, as V8 does not */
	expect(narrow, "From 67890123\nFro", ">From 6789!\n 0123\nFro\n");
}

static void
the_end_is_known(void **state)
{
	struct str out = {0};
	struct lines lines = {.eol = "\n", .from = true, .write = add, .context = &out};

	(void)state;
	lines_write(&lines, "a\nFro", 5);
	lines_end(&lines);
	assert_true(lines.ended_late);
	lines_end(&lines);
	assert_false(lines.ended_late);
	assert_string_equal(str_text(&out), "a\nFro\n");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_becomes_lines_as_smtp_wants_them),
	    cmocka_unit_test(text_becomes_lines_as_mailboxes_want_them),
	    cmocka_unit_test(the_end_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
