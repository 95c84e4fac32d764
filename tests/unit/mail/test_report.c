#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "mail/report.h"

static bool
take(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
	return true;
}

static bool
refuse(void *context, const char *bytes, size_t length)
{
	(void)context, (void)bytes, (void)length;
	return false;
}

static FILE *
body_of(const char *text, size_t length)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	fwrite(text, 1, length, file);
	fflush(file);
	return file;
}

static struct report
plain(const struct report_recipient *recipients, size_t count, struct str *out)
{
	static const char header[] = "Return-Path: <dave>\nSubject: s\n";
	struct report report = {
	    .is_mime = true,
	    .boundary = "ID.1/mail.example.com",
	    .received_from = "root@localhost",
	    .transcript = "550 5.1.1 x67... User unknown\n",
	    .reporting_mta = "mail.example.com",
	    .recipients = recipients,
	    .recipient_count = count,
	    .returns_body = true,
	    .header = header,
	    .header_length = sizeof header - 1,
	    .body_fd = -1,
	    .write = take,
	    .context = out,
	};

	return report;
}

static const struct report_recipient failed = {
    .action = REPORT_FAILED,
    .name = "x67",
    .alias = "team",
    .reason = "User unknown",
    .original = "rfc822;Dana+2By@Ivory.example",
    .final = "RFC822; team@mail.example.com",
    .actual = "rfc822; x67@mail.example.com",
    .status = "5.1.1",
    .remote = "DNS; mx.example",
    .diagnostic = "X-Unix; 67",
};

static void
a_failure_has_all_parts_in_order(void **state)
{
	FILE *body = body_of("one\nFrom two\n", 13);
	struct str out = {0};
	struct report report = plain(&failed, 1, &out);
	static const char *const expected[] = {
	    "This is a MIME-encapsulated message\n\n--ID.1/mail.example.com\n\nThe original "
	    "message was received at ",
	    "\nfrom root@localhost\n\n   ----- The following addresses had permanent fatal errors "
	    "-----\nx67\n    (reason: User unknown)\n    (expanded from: team)\n\n   ----- "
	    "Transcript of session follows -----\n550 5.1.1 x67... User unknown\n\n",
	    "--ID.1/mail.example.com\nContent-Type: message/delivery-status\n\n"
	    "Original-Envelope-Id: a b\nReporting-MTA: dns; mail.example.com\n"
	    "Received-From-MTA: DNS; client.example\nArrival-Date: ",
	    "\n\nOriginal-Recipient: rfc822;Dana+y@Ivory.example\n"
	    "Final-Recipient: RFC822; team@mail.example.com\n"
	    "X-Actual-Recipient: rfc822; x67@mail.example.com\nAction: failed\nStatus: 5.1.1\n"
	    "Remote-MTA: DNS; mx.example\nDiagnostic-Code: X-Unix; 67\nLast-Attempt-Date: ",
	    "\n\n--ID.1/mail.example.com\nContent-Type: message/rfc822\n\n"
	    "Return-Path: <dave>\nSubject: s\n\none\n>From two\n\n--ID.1/mail.example.com--\n\n",
	};
	const char *at;

	(void)state;
	report.envid = "a+20b";
	report.received_mta = "DNS; client.example";
	report.body_fd = fileno(body);
	assert_true(report_write(&report));
	at = str_text(&out);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		at = strstr(at, expected[i]);
		if (at == NULL)
			fail_msg("part %zu is not there, or not in its place: %s", i, out.data);
		at += strlen(expected[i]);
	}
	assert_string_equal(at, "");
	fclose(body);
	str_free(&out);
}

static void
only_the_header_comes_back(void **state)
{
	struct str out = {0};
	struct report report = plain(&failed, 1, &out);

	(void)state;
	report.returns_body = false;
	report.is_8bit = true;
	assert_true(report_write(&report));
	assert_non_null(strstr(str_text(&out),
	    "\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\n"
	    "Return-Path: <dave>\nSubject: s\n\n--ID.1/mail.example.com--\n\n"));
	str_free(&out);
}

static void
warnings_and_successes_have_their_own_words(void **state)
{
	struct report_recipient two[] = {
	    {.action = REPORT_DELAYED,
		.name = "late",
		.final = "RFC822; late@x",
		.status = "4.4.1",
		.retry_until = 86400},
	    {.action = REPORT_RELAYED,
		.name = "there",
		.final = "RFC822; there@x",
		.status = "2.0.0"},
	};
	struct str out = {0};
	struct report report = plain(two, 2, &out);

	(void)state;
	report.is_warning = true;
	report.with_id = "ID0";
	report.introduction = "Ask the help desk.\n";
	assert_true(report_write(&report));
	assert_non_null(
	    strstr(str_text(&out), "\n    **      THIS IS A WARNING MESSAGE ONLY      **\n"));
	assert_non_null(strstr(str_text(&out), "\nwith id ID0\n\nAsk the help desk.\n\n"));
	assert_non_null(strstr(str_text(&out), "had successful delivery notifications -----\nthere "
					       " (relayed to non-DSN-aware mailer)\n\n"));
	assert_null(strstr(str_text(&out), "permanent fatal errors"));
	assert_non_null(strstr(str_text(&out), "\nAction: delayed\n"));
	assert_non_null(strstr(str_text(&out), "\nWill-Retry-Until: "));
	assert_non_null(strstr(str_text(&out), "\nAction: relayed (to non-DSN-aware mailer)\n"));
	str_free(&out);
}

static void
the_plain_form_has_no_parts(void **state)
{
	FILE *body = body_of("no end", 6);
	struct str out = {0};
	struct report report = plain(&failed, 1, &out);

	(void)state;
	report.is_mime = false;
	report.body_fd = fileno(body);
	assert_true(report_write(&report));
	assert_int_equal(strncmp(str_text(&out), "The original message was received at ", 37), 0);
	assert_non_null(
	    strstr(str_text(&out), "\n   ----- Original message follows -----\n\nReturn-Path: "
				   "<dave>\nSubject: s\n\nno end\n"));
	assert_null(strstr(str_text(&out), "Reporting-MTA"));
	fclose(body);
	str_free(&out);
}

/* What strangers wrote into names, ids and replies begins no field and ends none. */
static void
no_value_breaks_its_line(void **state)
{
	struct report_recipient evil = failed;
	struct str out = {0};
	struct report report = plain(&evil, 1, &out);

	(void)state;
	evil.name = evil.alias = evil.reason =
	    "a\nAction: delivered\r\n\r\n--ID.1/mail.example.com--";
	evil.original = "rfc822;x+0AAction:+20delivered+00+0D+0Ay+";
	evil.final = evil.actual = evil.diagnostic = evil.remote = "b\n\nAction: delivered\x01";
	report.envid = "e+0A+0AAction:+20delivered+Z";
	report.received_from = "c\nAction: delivered";
	assert_true(report_write(&report));
	assert_null(strstr(str_text(&out), "\nAction: delivered"));
	assert_non_null(strstr(str_text(&out), "\nOriginal-Envelope-Id: e  Action: delivered+Z\n"));
	assert_non_null(
	    strstr(str_text(&out), "\nOriginal-Recipient: rfc822;x Action: delivered  y+\n"));
	str_free(&out);
}

/* Bodies of all lengths round the size that is read at once: "From " may lie across two pieces. */
static void
long_bodies_come_back_whole(void **state)
{
	for (size_t length = 32 * 1024 - 8; length <= 32 * 1024 + 8; length++) {
		char *text = malloc(length + 16);
		struct str out = {0};
		struct report report = plain(&failed, 1, &out);
		FILE *body;

		assert_non_null(text);
		memset(text, 'x', length);
		memcpy(text + length, "\nFrom here\nend\n", 15);
		body = body_of(text, length + 15);
		report.body_fd = fileno(body);
		assert_true(report_write(&report));
		text[length] = '\0';
		assert_non_null(strstr(str_text(&out), text));
		assert_non_null(strstr(str_text(&out), "x\n>From here\nend\n\n--ID.1"));
		fclose(body);
		free(text);
		str_free(&out);
	}
	(void)state;
}

static void
a_full_disk_is_told(void **state)
{
	struct report report = plain(&failed, 1, NULL);

	(void)state;
	report.write = refuse;
	assert_false(report_write(&report));
	report = plain(&failed, 1, NULL);
	report.write = refuse;
	report.is_mime = false;
	assert_false(report_write(&report));
}

static void
spans_are_said_as_people_do(void **state)
{
	static const struct {
		long seconds;
		const char *text;
	} spans[] = {
	    {0, "too long"},
	    {1, "1 second"},
	    {90, "1 minute, 30 seconds"},
	    {5400, "1 hour, 30 minutes"},
	    {4 * 3600, "4 hours"},
	    {5 * 86400, "5 days"},
	    {7 * 86400, "1 week"},
	    {8 * 86400, "1 week, 1 day"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		struct str out = {0};

		report_interval(&out, spans[i].seconds);
		assert_string_equal(str_text(&out), spans[i].text);
		str_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failure_has_all_parts_in_order),
	    cmocka_unit_test(only_the_header_comes_back),
	    cmocka_unit_test(warnings_and_successes_have_their_own_words),
	    cmocka_unit_test(the_plain_form_has_no_parts),
	    cmocka_unit_test(no_value_breaks_its_line),
	    cmocka_unit_test(long_bodies_come_back_whole),
	    cmocka_unit_test(a_full_disk_is_told),
	    cmocka_unit_test(spans_are_said_as_people_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
