#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "submit/head.h"

static enum head_state
feed(struct head_reader *reader, const char *line)
{
	return head_line(reader, line, strlen(line));
}

static void
fields_keep_their_bytes(void **state)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;
	struct header *header;

	(void)state;
	head_begin(&reader, envelope, 0);
	assert_int_equal(feed(&reader, "Subject: s"), HEAD_MORE);
	assert_int_equal(feed(&reader, " continued"), HEAD_MORE);
	assert_int_equal(feed(&reader, "\tmore"), HEAD_MORE);
	assert_int_equal(feed(&reader, "To:alice"), HEAD_MORE);
	assert_int_equal(feed(&reader, "X-Sp :   y  "), HEAD_MORE);
	assert_int_equal(head_line(&reader, "Nul: a\0b", 8), HEAD_MORE);
	assert_int_equal(feed(&reader, ""), HEAD_END);
	head_end(&reader);
	header = envelope->headers.first;
	assert_string_equal(header->name, "Subject");
	assert_string_equal(header->value, " s\n continued\n\tmore");
	header = header->next;
	assert_string_equal(header->name, "To");
	assert_string_equal(header->value, "alice");
	header = header->next;
	assert_string_equal(header->name, "X-Sp");
	assert_string_equal(header->value, "   y  ");
	header = header->next;
	assert_string_equal(header->value, " ab");
	assert_null(header->next);
	envelope_destroy(envelope);
}

static void
what_is_no_field_starts_the_body(void **state)
{
	static const char *const lines[] = {
	    "junk line", "X Foo: 5", ">From x", ": x", " Subject: s", "X-H\344: y", "a\001b: c"};

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct envelope *envelope = envelope_create();
		struct head_reader reader;

		head_begin(&reader, envelope, 0);
		assert_int_equal(feed(&reader, lines[i]), HEAD_BODY);
		head_end(&reader);
		assert_null(envelope->headers.first);
		envelope_destroy(envelope);
	}
}

static void
a_field_before_junk_is_kept(void **state)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;

	(void)state;
	head_begin(&reader, envelope, 0);
	assert_int_equal(feed(&reader, "Subject: s"), HEAD_MORE);
	assert_int_equal(feed(&reader, "From foo bar"), HEAD_BODY);
	head_end(&reader);
	assert_string_equal(envelope->headers.first->value, " s");
	envelope_destroy(envelope);
}

static void
a_mailbox_line_in_front_is_dropped_once(void **state)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;

	(void)state;
	head_begin(&reader, envelope, 0);
	assert_int_equal(feed(&reader, "From joe Mon Jan  1 00:00:00 2001"), HEAD_FROM_);
	assert_int_equal(feed(&reader, "From joe Mon Jan  1 00:00:00 2001"), HEAD_BODY);
	head_end(&reader);
	envelope_destroy(envelope);
}

static void
too_much_is_counted_and_dropped(void **state)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;
	int fields = 0;

	(void)state;
	head_begin(&reader, envelope, 100);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(
		    feed(&reader, i % 3 == 2 ? " 0123456789" : "A: 0123456"), HEAD_MORE);
	assert_int_equal(feed(&reader, ""), HEAD_END);
	head_end(&reader);
	assert_true(reader.is_too_large);
	for (struct header *one = envelope->headers.first; one != NULL; one = one->next)
		fields++;
	assert_in_range(fields, 1, 9);
	envelope_destroy(envelope);
}

static void
input_may_end_anywhere(void **state)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;

	(void)state;
	head_begin(&reader, envelope, 0);
	head_end(&reader);
	assert_null(envelope->headers.first);
	head_begin(&reader, envelope, 0);
	feed(&reader, "Subject: s");
	head_end(&reader);
	assert_string_equal(envelope->headers.first->name, "Subject");
	envelope_destroy(envelope);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_keep_their_bytes),
	    cmocka_unit_test(what_is_no_field_starts_the_body),
	    cmocka_unit_test(a_field_before_junk_is_kept),
	    cmocka_unit_test(a_mailbox_line_in_front_is_dropped_once),
	    cmocka_unit_test(too_much_is_counted_and_dropped),
	    cmocka_unit_test(input_may_end_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
