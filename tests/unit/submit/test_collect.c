#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "submit/collect.h"

static int
open_temporary(void *context)
{
	FILE **file = context;

	*file = tmpfile();
	return *file == NULL ? -1 : dup(fileno(*file));
}

/* Collects `length` bytes of `text`; what comes is in *collect and *envelope. */
static bool
feed(struct collect *collect, struct envelope **envelope, const void *text, size_t length)
{
	FILE *input = tmpfile(), *spill = NULL;
	bool result;

	assert_non_null(input);
	assert_int_equal(fwrite(text, 1, length, input), length);
	rewind(input);
	*envelope = envelope_create();
	collect->input = fileno(input);
	collect->open_file = open_temporary;
	collect->context = &spill;
	result = collect_message(collect, *envelope);
	fclose(input);
	if (spill != NULL)
		fclose(spill);
	return result;
}

static void
body_is(const char *text, bool ignores_dots, const char *wanted, long size)
{
	struct collect collect = {.ignores_dots = ignores_dots};
	struct envelope *envelope;

	assert_true(feed(&collect, &envelope, text, strlen(text)));
	assert_string_equal(str_text(&collect.body), wanted);
	assert_int_equal(collect.body_size, strlen(wanted));
	assert_int_equal(envelope->message_size, size);
	str_free(&collect.body);
	envelope_destroy(envelope);
}

/* Sizes are those that 8.17 logs. */
static void
dots_and_line_ends(void **state)
{
	(void)state;
	body_is("Subject: s\n\n..\n..x\n.x\nline 2\n", false, ".\n.x\n.x\nline 2\n", 27);
	body_is("Subject: s\n\n..\n..x\n.x\nline 2\n", true, "..\n..x\n.x\nline 2\n", 29);
	body_is("Subject: s\n\nline 1\n.\nline 2\n", false, "line 1\n", 19);
	body_is("Subject: s\n\nline 1\n.\nline 2\n", true, "line 1\n.\nline 2\n", 28);
	body_is("Subject: s\r\nX: y\r\n\r\nb\r\n.\r\nmore\n", false, "b\n", 19);
	body_is("Subject: s\n.\nb\n", false, "", 11);
	body_is(".\nSubject: s\n\nb\n", false, "", 0);
	body_is("Subject: s\n\nb\n.", false, "b\n", 14);
	body_is("Subject: s\n\nb\n.\r", false, "b\n", 14);
	body_is("Subject: s\n\n..", false, ".", 13);
	body_is("Subject: s\n\na\rb\r\r\n\r", false, "a\rb\r\n\r", 18);
	body_is("Subject: s\n", false, "", 11);
	body_is("Subject: s no newline", false, "", 21);
	body_is("\nhello there\nsecond\n", false, "hello there\nsecond\n", 20);
	body_is("Subject: s\njunk line\nTo: alice\n\nbody\n", false,
	    "junk line\nTo: alice\n\nbody\n", 37);
	body_is("From joe Mon Jan  1 00:00:00 2001\nSubject: s\n\nb\n", false, "b\n", 48);
	body_is("", false, "", 0);
	body_is("\n", false, "", 1);
}

/* Whatever the bytes and wherever the reads end, -i keeps the body as it is (line ends but CR LF). */
static void
bytes_are_kept(void **state)
{
	static char text[700000];
	unsigned seed = 1;

	(void)state;
	for (size_t length = 65530; length < sizeof text; length = length * 2 + 3) {
		struct collect collect = {.ignores_dots = true};
		struct envelope *envelope;
		char *kept = malloc(length);

		text[0] = '\n';
		for (size_t i = 1; i < length; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = (char)(seed >> 16);
			if (text[i] == '\r')
				text[i] = '\n';
		}
		assert_true(feed(&collect, &envelope, text, length));
		assert_int_equal(collect.body_size, length - 1);
		if (collect.file < 0)
			memcpy(kept, collect.body.data, length - 1);
		else
			assert_int_equal(pread(collect.file, kept, length - 1, 0), length - 1);
		assert_memory_equal(kept, text + 1, length - 1);
		assert_true((envelope->flags & ENVELOPE_8BIT) != 0);
		if (collect.file >= 0)
			close(collect.file);
		free(kept);
		str_free(&collect.body);
		envelope_destroy(envelope);
	}
}

static void
long_first_line_is_body(void **state)
{
	static char text[200000];
	struct collect collect = {.header_maximum = 1000};
	struct envelope *envelope;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	assert_true(feed(&collect, &envelope, text, sizeof text - 1));
	assert_string_equal(str_text(&collect.body), text);
	assert_false(collect.header_is_too_large);
	str_free(&collect.body);
	envelope_destroy(envelope);
	memcpy(text, "Subject:", 8);
	memcpy(text + 150000, "\n\nbody", 6);
	text[150006] = '\0';
	collect = (struct collect){.header_maximum = 1000};
	assert_true(feed(&collect, &envelope, text, strlen(text)));
	assert_string_equal(str_text(&collect.body), "body");
	assert_true(collect.header_is_too_large);
	assert_int_equal(envelope->message_size, 150006);
	str_free(&collect.body);
	envelope_destroy(envelope);
}

static void
too_large_is_counted_not_kept(void **state)
{
	static char text[100000];
	struct collect collect = {.message_maximum = 1000};
	struct envelope *envelope;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[0] = '\n';
	assert_true(feed(&collect, &envelope, text, sizeof text - 1));
	assert_true(collect.is_too_large);
	assert_int_equal(envelope->message_size, sizeof text - 1);
	assert_int_equal(collect.body.length, 0);
	str_free(&collect.body);
	envelope_destroy(envelope);
}

static int
open_nothing(void *context)
{
	(void)context;
	errno = ENOSPC;
	return -1;
}

static void
failures_are_told(void **state)
{
	struct collect collect = {.input = -1};
	struct envelope *envelope = envelope_create();
	FILE *large = tmpfile();

	(void)state;
	for (int i = 0; i < 40000; i++)
		fputs("0123456789abcde\n", large);
	rewind(large);
	/* a closed standard input is an empty message, as for V8 */
	assert_true(collect_message(&collect, envelope));
	assert_int_not_equal(collect.input_error, 0);
	envelope_destroy(envelope);
	/* a large body that finds no room is refused, and no more of it is read */
	envelope = envelope_create();
	collect = (struct collect){.input = fileno(large), .open_file = open_nothing};
	assert_false(collect_message(&collect, envelope));
	assert_int_equal(collect.file_error, ENOSPC);
	str_free(&collect.body);
	envelope_destroy(envelope);
	fclose(large);
}

static void
high_bits_are_stripped_when_asked(void **state)
{
	struct collect collect = {.strips_high_bit = true};
	struct envelope *envelope;

	(void)state;
	assert_true(feed(&collect, &envelope, "\n\344b\n", 4));
	assert_string_equal(str_text(&collect.body), "db\n");
	assert_int_equal(envelope->flags & ENVELOPE_8BIT, 0);
	str_free(&collect.body);
	envelope_destroy(envelope);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dots_and_line_ends),
	    cmocka_unit_test(bytes_are_kept),
	    cmocka_unit_test(long_first_line_is_body),
	    cmocka_unit_test(too_large_is_counted_not_kept),
	    cmocka_unit_test(failures_are_told),
	    cmocka_unit_test(high_bits_are_stripped_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
