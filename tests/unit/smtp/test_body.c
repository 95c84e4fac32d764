#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "smtp/body.h"

static void
collect(void *context, const char *bytes, size_t length, bool is_end)
{
	str_add(context, bytes, length);
	if (is_end)
		str_add_char(context, '\n');
}

static struct str out;
static size_t used;

/* Feeds the text in pieces of `step` bytes. */
static enum smtp_body_event
run(const char *text, size_t length, size_t step, enum smtp_bare bare, bool lax)
{
	struct smtp_body body = {
	    .bare_lf = bare, .bare_cr = bare, .lax_end = lax, .piece = collect, .context = &out};
	enum smtp_body_event event = SMTP_BODY_MORE;

	str_clear(&out);
	for (used = 0; used < length;) {
		size_t taken, part = length - used < step ? length - used : step;

		event = smtp_body_feed(&body, text + used, part, &taken);
		used += taken;
		if (event != SMTP_BODY_MORE)
			break;
		assert_int_equal(taken, part);
	}
	return event;
}

static void
expect(const char *text, enum smtp_bare bare, bool lax, enum smtp_body_event event,
    const char *lines, size_t rest)
{
	size_t step;

	for (step = 1; step <= strlen(text); step++) {
		assert_int_equal(run(text, strlen(text), step, bare, lax), event);
		if (lines != NULL)
			assert_string_equal(str_text(&out), lines);
		if (event == SMTP_BODY_END)
			assert_int_equal(strlen(text) - used, rest);
	}
}

static void
dots_and_the_end(void **state)
{
	(void)state;
	expect("a\r\n..b\r\n.c\r\n. \r\n.\r\nQUIT\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_END,
	    "a\n.b\nc\n \n", 6);
	expect(".\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_END, "", 0);
	expect("\r\n\r\n.\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_END, "\n\n", 0);
	expect("no end\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_MORE, "no end\n", 0);
}

static void
bare_line_ends_are_refused(void **state)
{
	(void)state;
	expect("a\nb\r\n.\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_BARE_LF, "a", 0);
	expect("a\r\n.\nb\r\n.\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_BARE_LF, "a\n", 0);
	expect("a\rb\r\n.\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_BARE_CR, "a", 0);
	expect("a\r\r\n.\r\n", SMTP_BARE_REFUSE, false, SMTP_BODY_BARE_CR, "a", 0);
}

/* Smuggling: whatever is allowed otherwise, only CR LF . CR LF ends a message. */
static void
nothing_else_ends_a_message(void **state)
{
	static const char *const smuggled[] = {
	    "a\n.\n", "a\n.\r\n", "a\r\n.\n", "a\r.\r", "a\r\n.\r", "a\n.\r", "a\r.\r\n"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof smuggled / sizeof smuggled[0]; i++) {
		size_t length = strlen(smuggled[i]);

		assert_int_not_equal(
		    run(smuggled[i], length, 1, SMTP_BARE_ALLOWED, false), SMTP_BODY_END);
		assert_int_not_equal(
		    run(smuggled[i], length, 1, SMTP_BARE_SPACE, false), SMTP_BODY_END);
		assert_int_not_equal(
		    run(smuggled[i], length, 1, SMTP_BARE_REFUSE, false), SMTP_BODY_END);
	}
	assert_int_equal(run("a\n.\n", 4, 1, SMTP_BARE_ALLOWED, true), SMTP_BODY_END);
}

static void
bare_line_ends_as_policy_says(void **state)
{
	(void)state;
	expect("a\nb\rc\r\n.\r\n", SMTP_BARE_SPACE, false, SMTP_BODY_END, "a b c\n", 0);
	expect("a\nb\rc\r\n.\r\n", SMTP_BARE_ALLOWED, false, SMTP_BODY_END, "a\nb\rc\n", 0);
}

/* Any bytes, in any pieces, give the same result. */
static void
random_bytes(void **state)
{
	static const char alphabet[] = "\r\n.\r\n.ab";
	char text[64];
	int round;

	(void)state;
	srand(1);
	for (round = 0; round < 20000; round++) {
		size_t length = 1 + (size_t)rand() % sizeof text, i, first_used;
		enum smtp_bare bare = (enum smtp_bare)(rand() % 3);
		bool lax = rand() % 2;
		enum smtp_body_event event;
		struct str kept = {0};

		for (i = 0; i < length; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
		event = run(text, length, length, bare, lax);
		first_used = used;
		str_add(&kept, out.data, out.length);
		assert_int_equal(run(text, length, 1 + (size_t)rand() % 7, bare, lax), event);
		assert_int_equal(kept.length, out.length);
		if (kept.length > 0)
			assert_memory_equal(kept.data, out.data, kept.length);
		assert_int_equal(used, first_used);
		str_free(&kept);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dots_and_the_end),
	    cmocka_unit_test(bare_line_ends_are_refused),
	    cmocka_unit_test(nothing_else_ends_a_message),
	    cmocka_unit_test(bare_line_ends_as_policy_says),
	    cmocka_unit_test(random_bytes),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	str_free(&out);
	return failed;
}
