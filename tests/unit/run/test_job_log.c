#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>
#include <sysexits.h>

#include "run/job_log.h"

static void
spans_of_time_are_written_as_sendmail_does(void **state)
{
	static const struct {
		long seconds;
		const char *text;
	} rows[] = {{0, "00:00:00"}, {61, "00:01:01"}, {3600 * 5 + 59, "05:00:59"},
	    {86400, "1+00:00:00"}, {86400 * 12 + 3661, "12+01:01:01"}, {-5, "00:00:00"}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct str out = {0};

		job_log_interval(&out, rows[i].seconds);
		assert_string_equal(str_text(&out), rows[i].text);
		str_free(&out);
	}
}

static void
outcomes_are_told_in_sendmails_words(void **state)
{
	static const struct {
		int code, exit_status;
		const char *text, *reply, *status;
	} rows[] = {
	    {250, EX_OK, "", NULL, "Sent"},
	    {250, EX_OK, "accepted as 42", NULL, "Sent (accepted as 42)"},
	    {451, EX_TEMPFAIL, "try later", "451 4.3.0 try later", "Deferred: 451 4.3.0 try later"},
	    {451, EX_TEMPFAIL, "Connection refused by h.", NULL,
		"Deferred: Connection refused by h."},
	    {451, EX_OSERR, "Operating system error", NULL, "Operating system error"},
	    {550, EX_NOUSER, "no such", "550-5.1.1 no such", "User unknown"},
	    {550, EX_NOHOST, "Host unknown (Name server: x: host not found)", NULL,
		"Host unknown (Name server: x: host not found)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct recipient recipient = {.reply = rows[i].reply,
		    .verdict = {.code = rows[i].code,
			.exit_status = rows[i].exit_status,
			.text = rows[i].text}};
		struct str out = {0};

		job_log_status(&out, &recipient);
		assert_string_equal(str_text(&out), rows[i].status);
		str_free(&out);
	}
}

static void
the_newest_name_stands_first(void **state)
{
	struct recipient one = {.address = "a@x.example"}, other = {.address = "b@x.example"};
	struct recipient *list[] = {&one, &other};
	struct str out = {0};

	(void)state;
	job_log_names(&out, list, 2);
	assert_string_equal(str_text(&out), "b@x.example,a@x.example");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spans_of_time_are_written_as_sendmail_does),
	    cmocka_unit_test(outcomes_are_told_in_sendmails_words),
	    cmocka_unit_test(the_newest_name_stands_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
