#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mail/envelope.h"
#include "main/arguments.h"

/* Parses a NULL-ended list of words after the program's name. */
static struct arguments *
parse(const char *program, ...)
{
	static char *argv[32];
	va_list words;
	int argc = 0;
	char *word;

	argv[argc++] = (char *)(uintptr_t)program;
	va_start(words, program);
	while ((word = va_arg(words, char *)) != NULL)
		argv[argc++] = word;
	va_end(words);
	argv[argc] = NULL;
	return arguments_parse(argc, argv);
}

#define PARSE(...) parse("sendmail", __VA_ARGS__, NULL)

static void
name_chooses_the_mode(void **state)
{
	static const struct {
		const char *name;
		char mode;
	} cases[] = {{"/usr/bin/newaliases", MODE_ALIASES}, {"mailq", MODE_PRINT},
	    {"./smtpd", MODE_DAEMON}, {"hoststat", MODE_HOSTS}, {"purgestat", MODE_PURGE},
	    {"sendmail.old", MODE_DELIVER}, {"", MODE_DELIVER}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arguments *arguments = parse(cases[i].name, NULL);

		assert_int_equal(arguments->mode, cases[i].mode);
		arguments_destroy(arguments);
	}
}

static void
values_are_joined_or_separate(void **state)
{
	struct arguments *arguments =
	    PARSE("-falice", "-F", "Al B", "-h3", "-odq", "-Oa=b", "-i", "bob", "-odq");

	(void)state;
	assert_false(arguments->is_wrong);
	assert_string_equal(arguments->sender, "alice");
	assert_string_equal(arguments->full_name, "Al B");
	assert_int_equal(arguments->hop_count, 3);
	assert_true(arguments->ignore_dots);
	assert_string_equal(arguments->option_settings[0], "-dq");
	assert_string_equal(arguments->option_settings[1], "a=b");
	assert_string_equal(arguments->option_settings[2], "-i");
	assert_null(arguments->option_settings[3]);
	assert_int_equal(arguments->recipient_count, 2);
	assert_string_equal(arguments->recipients[1], "-odq");
	assert_null(arguments->recipients[2]);
	arguments_destroy(arguments);
}

static void
letters_stand_together_and_a_double_dash_ends_them(void **state)
{
	struct arguments *arguments = PARSE("-tiv", "--", "-alice");

	(void)state;
	assert_true(arguments->from_header);
	assert_true(arguments->ignore_dots);
	assert_true(arguments->is_verbose);
	assert_int_equal(arguments->recipient_count, 1);
	assert_string_equal(arguments->recipients[0], "-alice");
	arguments_destroy(arguments);
	arguments = PARSE("-", "x");
	assert_string_equal(arguments->recipients[0], "-");
	arguments_destroy(arguments);
}

static void
dots_follow_the_option(void **state)
{
	static const struct {
		const char *word;
		bool ignores;
	} cases[] = {
	    {"-oi", true}, {"-oiTrue", true}, {"-oif", false}, {"-od", false}, {"-i", true}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arguments *arguments = PARSE(cases[i].word);

		assert_int_equal(arguments->ignore_dots, cases[i].ignores);
		arguments_destroy(arguments);
	}
}

static void
wrong_use_has_sendmails_words(void **state)
{
	static const struct {
		const char *words[4];
		const char *text;
		bool is_plain;
	} cases[] = {
	    {{"-y"}, "sendmail: illegal option -- y", true},
	    {{"-vE"}, "sendmail: illegal option -- E", true},
	    {{"-f"}, "sendmail: option requires an argument -- f", true},
	    {{"-bz"}, "Frozen configurations unsupported", false},
	    {{"-bx"}, "Invalid operation mode x", false},
	    {{"-b"}, "Invalid operation mode  ", false},
	    {{"-fa", "-rb"}, "More than one \"from\" person", false},
	    {{"-h", "abc"}, "Bad hop count (abc)", false},
	    {{"-h", "1x"}, "Bad hop count (1x)", false},
	    {{"-N", "sometimes"}, "Invalid -N argument", false},
	    {{"-N", "never,success"}, "Invalid -N argument", false},
	    {{"-N", ""}, "Invalid -N argument", false},
	    {{"-R", "none"}, "Invalid -R value", false},
	    {{"-Rhdrs", "-Rfull"}, "Duplicate -R flag", false},
	    {{"-V", "a b"}, "Invalid syntax in -V flag", false},
	    {{"-V", "a+2"}, "Invalid syntax in -V flag", false},
	    {{"-q-5m"}, "Invalid -q value", false},
	    {{"-q", "-bv"}, "Can not use -q with -bv", false},
	    {{"-bt", "-Qx"}, "Can not use -Q with -bt", false},
	    {{"-bp", "-Q"}, "Can not use -Q with -bp", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arguments *arguments = parse(
		    "sendmail", cases[i].words[0], cases[i].words[1], cases[i].words[2], NULL);

		assert_true(arguments->is_wrong);
		assert_int_equal(arguments->exit_status, 64);
		assert_non_null(arguments->messages);
		assert_string_equal(arguments->messages->text, cases[i].text);
		assert_int_equal(arguments->messages->is_plain, cases[i].is_plain);
		assert_true(arguments->messages->is_fatal);
		arguments_destroy(arguments);
	}
}

static void
some_messages_let_it_go_on(void **state)
{
	struct arguments *arguments = PARSE("-BFOO", "alice");

	(void)state;
	assert_false(arguments->is_wrong);
	assert_int_equal(arguments->exit_status, 64);
	assert_string_equal(arguments->messages->text, "Illegal body type FOO");
	arguments_destroy(arguments);
	arguments = PARSE("-T", "-C", "-v");
	assert_false(arguments->is_wrong);
	assert_int_equal(arguments->exit_status, 64);
	assert_string_equal(arguments->cf_file, "sendmail.cf");
	assert_true(arguments->is_verbose);
	arguments_destroy(arguments);
	arguments = PARSE("-O", "-v");
	assert_true(arguments->is_wrong);
	assert_int_equal(arguments->exit_status, 70);
	arguments_destroy(arguments);
	arguments = PARSE("-q5x3y");
	assert_true(arguments->is_wrong);
	assert_string_equal(arguments->messages->text, "Invalid time unit `x'");
	assert_string_equal(arguments->messages->next->text, "Invalid time unit `y'");
	arguments_destroy(arguments);
}

static void
notify_words_become_flags(void **state)
{
	struct arguments *arguments = PARSE("-N", "Success,failure");

	(void)state;
	assert_true(arguments->has_notify);
	assert_int_equal(arguments->notify, RECIPIENT_NOTIFY_SUCCESS | RECIPIENT_NOTIFY_FAILURE);
	arguments_destroy(arguments);
	arguments = PARSE("-Nnever");
	assert_true(arguments->has_notify);
	assert_int_equal(arguments->notify, 0);
	arguments_destroy(arguments);
}

static void
queue_forms(void **state)
{
	struct arguments *arguments = PARSE("-q1h30m");

	(void)state;
	assert_int_equal(arguments->mode, MODE_QUEUE_RUN);
	assert_true(arguments->queue.has_interval);
	assert_int_equal(arguments->queue.interval_seconds, 5400);
	arguments_destroy(arguments);
	arguments = PARSE("-bd", "-q30");
	assert_int_equal(arguments->mode, MODE_DAEMON);
	assert_int_equal(arguments->queue.interval_seconds, 1800);
	arguments_destroy(arguments);
	arguments = PARSE("-qp5m");
	assert_true(arguments->queue.is_persistent);
	assert_int_equal(arguments->queue.interval_seconds, 300);
	arguments_destroy(arguments);
	arguments = PARSE("-q", "foo");
	assert_true(arguments->queue.is_foreground);
	assert_int_equal(arguments->recipient_count, 0);
	arguments_destroy(arguments);
	arguments = PARSE("-q!Iabc", "-qRx", "-qGg", "-v");
	assert_int_equal(arguments->mode, MODE_QUEUE_RUN);
	assert_int_equal(arguments->queue.selections->field, 'I');
	assert_true(arguments->queue.selections->is_negated);
	assert_string_equal(arguments->queue.selections->text, "abc");
	assert_int_equal(arguments->queue.selections->next->field, 'R');
	assert_string_equal(arguments->queue.group, "g");
	arguments_destroy(arguments);
	arguments = PARSE("-qQ", "-bp");
	assert_int_equal(arguments->mode, MODE_PRINT);
	assert_int_equal(arguments->queue.kind, 'Q');
	assert_null(arguments->queue.selections);
	arguments_destroy(arguments);
	arguments = PARSE("-Qbad", "-qIabc");
	assert_true(arguments->queue.quarantine_given);
	assert_string_equal(arguments->queue.quarantine_reason, "bad");
	arguments_destroy(arguments);
}

static void
protocol_and_host(void **state)
{
	struct arguments *arguments = PARSE("-pUUCP:far.example");

	(void)state;
	assert_string_equal(arguments->protocol, "UUCP");
	assert_string_equal(arguments->protocol_host, "far.example");
	arguments_destroy(arguments);
	arguments = PARSE("-p:h");
	assert_null(arguments->protocol);
	assert_string_equal(arguments->protocol_host, "h");
	arguments_destroy(arguments);
}

static void
own_options(void **state)
{
	struct arguments *arguments = PARSE("--deliver", "6AKAnw00000049", "-odi", "-t", "alice");

	(void)state;
	assert_int_equal(arguments->mode, MODE_DELIVER_ID);
	assert_string_equal(arguments->deliver_id, "6AKAnw00000049");
	arguments_destroy(arguments);
	arguments = PARSE("--help");
	assert_int_equal(arguments->mode, MODE_HELP);
	arguments_destroy(arguments);
	arguments = PARSE("--version");
	assert_int_equal(arguments->mode, MODE_VERSION);
	arguments_destroy(arguments);
	arguments = PARSE("--nonsense");
	assert_true(arguments->is_wrong);
	arguments_destroy(arguments);
}

static void
no_arguments_at_all(void **state)
{
	char *argv[] = {NULL};
	struct arguments *arguments = arguments_parse(0, argv);

	(void)state;
	assert_string_equal(arguments->program, "sendmail");
	assert_int_equal(arguments->recipient_count, 0);
	assert_null(arguments->recipients[0]);
	arguments_destroy(arguments);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(name_chooses_the_mode),
	    cmocka_unit_test(values_are_joined_or_separate),
	    cmocka_unit_test(letters_stand_together_and_a_double_dash_ends_them),
	    cmocka_unit_test(dots_follow_the_option),
	    cmocka_unit_test(wrong_use_has_sendmails_words),
	    cmocka_unit_test(some_messages_let_it_go_on),
	    cmocka_unit_test(notify_words_become_flags),
	    cmocka_unit_test(queue_forms),
	    cmocka_unit_test(protocol_and_host),
	    cmocka_unit_test(own_options),
	    cmocka_unit_test(no_arguments_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
