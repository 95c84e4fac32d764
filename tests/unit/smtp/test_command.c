#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/command.h"
#include "smtp/reply.h"

static void
split_takes_blanks_as_they_come(void **state)
{
	char line[] = "  mail\t FROM:<x>", empty[] = "", verb[] = "QUIT", longer[100];
	struct smtp_command command;

	(void)state;
	smtp_command_split(line, &command);
	assert_string_equal(command.verb, "mail");
	assert_string_equal(command.argument, "FROM:<x>");
	smtp_command_split(empty, &command);
	assert_string_equal(command.verb, "");
	assert_string_equal(command.argument, "");
	smtp_command_split(verb, &command);
	assert_string_equal(command.verb, "QUIT");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	smtp_command_split(longer, &command);
	assert_int_equal(strlen(command.verb), SMTP_VERB_SIZE - 1);
}

static const char *
after_word(const char *text, const char *word, const char **scanned)
{
	static char buffer[100];

	strcpy(buffer, text);
	return smtp_command_skip_word(buffer, word, scanned);
}

static void
skip_word_says_what_it_saw(void **state)
{
	const char *scanned;

	(void)state;
	assert_string_equal(after_word("FROM:<x>", "from", &scanned), "<x>");
	assert_string_equal(after_word("from : <x> y", "from", &scanned), "<x> y");
	assert_null(after_word("", "from", &scanned));
	assert_string_equal(scanned, "");
	assert_null(after_word("FROM", "from", &scanned));
	assert_string_equal(scanned, "FROM");
	assert_null(after_word("FROM:", "from", &scanned));
	assert_string_equal(scanned, "FROM");
	assert_null(after_word("TO:<x>", "from", &scanned));
	assert_string_equal(scanned, "TO");
}

static size_t
end_of(const char *text)
{
	char buffer[100];

	strcpy(buffer, text);
	return (size_t)(smtp_command_path_end(buffer) - buffer);
}

static void
path_ends_at_a_blank_outside(void **state)
{
	(void)state;
	assert_int_equal(end_of("<x@y> SIZE=1"), 5);
	assert_int_equal(end_of("<x y@z> A"), 7);
	assert_int_equal(end_of("\"a b\"@c A"), 7);
	assert_int_equal(end_of("(c d)<x> A"), 8);
	assert_int_equal(end_of("a\\ b c"), 4);
	assert_int_equal(end_of("<x@y A"), 6);
	assert_int_equal(end_of("\\"), 1);
	assert_int_equal(end_of(""), 0);
}

static void
parameters_are_read_one_by_one(void **state)
{
	char text[] = " SIZE=10 BODY=8BITMIME  X-FLAG <y> =z";
	char *position = text, *name, *value;

	(void)state;
	assert_true(smtp_command_next_parameter(&position, &name, &value));
	assert_string_equal(name, "SIZE");
	assert_string_equal(value, "10");
	assert_true(smtp_command_next_parameter(&position, &name, &value));
	assert_string_equal(value, "8BITMIME");
	assert_true(smtp_command_next_parameter(&position, &name, &value));
	assert_string_equal(name, "X-FLAG");
	assert_null(value);
	assert_true(smtp_command_next_parameter(&position, &name, &value));
	assert_string_equal(name, "");
}

static void
xtext(void **state)
{
	struct str out = {0};

	(void)state;
	assert_true(smtp_xtext_is_valid("a+2Bb"));
	assert_false(smtp_xtext_is_valid("a+2"));
	assert_false(smtp_xtext_is_valid("a+ZZ"));
	assert_false(smtp_xtext_is_valid("a b"));
	assert_false(smtp_xtext_is_valid("a=b"));
	assert_false(smtp_xtext_is_valid("\xe4"));
	smtp_xtext_encode(&out, "a+b=c d\xe4");
	assert_string_equal(out.data, "a+2Bb+3Dc+20d+E4");
	str_clear(&out);
	assert_true(smtp_xtext_decode(&out, "a+2Bb+3D"));
	assert_string_equal(out.data, "a+b=");
	str_free(&out);
}

static void
helo_and_by(void **state)
{
	long seconds;
	char mode;
	bool trace;

	(void)state;
	assert_true(smtp_helo_is_valid("[192.0.2.1]"));
	assert_true(smtp_helo_is_valid("under_score.x"));
	assert_false(smtp_helo_is_valid("a b"));
	assert_false(smtp_helo_is_valid("a,b"));
	assert_false(smtp_helo_is_valid("\xe4"));
	assert_int_equal(smtp_parse_by("1000;R", &seconds, &mode, &trace), SMTP_BY_OK);
	assert_int_equal(seconds, 1000);
	assert_int_equal(mode, 'r');
	assert_false(trace);
	assert_int_equal(smtp_parse_by("-5;NT", &seconds, &mode, &trace), SMTP_BY_OK);
	assert_true(trace);
	assert_int_equal(smtp_parse_by("10", &seconds, &mode, &trace), SMTP_BY_NO_SEMICOLON);
	assert_int_equal(smtp_parse_by("0;R", &seconds, &mode, &trace), SMTP_BY_NOT_AHEAD);
	assert_int_equal(
	    smtp_parse_by("9999999999;R", &seconds, &mode, &trace), SMTP_BY_OUT_OF_RANGE);
	assert_int_equal(smtp_parse_by("5;X", &seconds, &mode, &trace), SMTP_BY_BAD_MODE);
}

static void
no_text_breaks_a_reply(void **state)
{
	struct str out = {0};

	(void)state;
	smtp_reply_write(&out, 250, "2.0.0", "fine", false);
	assert_string_equal(out.data, "250 2.0.0 fine\r\n");
	str_clear(&out);
	smtp_reply_write(&out, 550, "", "a\rb\x01\xe4", true);
	assert_string_equal(out.data, "550-a?b?d\r\n");
	str_clear(&out);
	smtp_reply_write(&out, 550, "5.0.0", "one\ntwo\n", false);
	assert_string_equal(out.data, "550-5.0.0 one\r\n550 5.0.0 two\r\n");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(split_takes_blanks_as_they_come),
	    cmocka_unit_test(skip_word_says_what_it_saw),
	    cmocka_unit_test(path_ends_at_a_blank_outside),
	    cmocka_unit_test(parameters_are_read_one_by_one),
	    cmocka_unit_test(xtext),
	    cmocka_unit_test(helo_and_by),
	    cmocka_unit_test(no_text_breaks_a_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
