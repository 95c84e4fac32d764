#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <cmocka.h>

#include "client/outcome.h"
#include "client/session.h"

static struct arena *arena;

static struct reply
reply_of(const char *line)
{
	struct reply_line parsed;
	struct reply reply = {0};

	if (reply_parse_line(line, strlen(line), &parsed))
		reply_set(&reply, arena, line, strlen(line), &parsed);
	return reply;
}

static void
lines_are_replies_or_not(void **state)
{
	static const char *const bad[] = {"", "2", "25", "150 x", "650 x", "25a x", "250_x",
	    "2500 x", " 250 x", "HTTP/1.1 400", "\xff\xff\xff"};
	struct reply_line parsed;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(reply_parse_line(bad[i], strlen(bad[i]), &parsed));
	assert_true(reply_parse_line("250", 3, &parsed));
	assert_true(parsed.is_last);
	assert_true(reply_parse_line("250-PIPELINING", 14, &parsed));
	assert_false(parsed.is_last);
	assert_int_equal(parsed.code, 250);
	assert_int_equal(parsed.length, 10);
}

static void
texts_are_cleaned_and_codes_read(void **state)
{
	struct reply reply = reply_of("550-5.1.1 no\033[31m such\r\x7f");

	(void)state;
	assert_int_equal(reply.code, 550);
	assert_string_equal(reply.first, "550-5.1.1 no?[31m such??");
	assert_string_equal(reply.dsn, "5.1.1");
	assert_string_equal(reply_text_alone(&reply), "no?[31m such??");
	assert_string_equal(reply_of("250 4.1.1 wrong class").dsn, "");
	assert_string_equal(reply_of("250 2.1.1000 long").dsn, "");
	assert_string_equal(reply_of("250 2.0.0").dsn, "2.0.0");
	assert_string_equal(reply_of("250 2.0").dsn, "");
	assert_string_equal(reply_of("250").text, "");
}

static void
what_is_ours_to_mend_is_deferred(void **state)
{
	static const enum client_stage stages[] = {STAGE_BANNER, STAGE_HELO, STAGE_STARTTLS};
	static const int authentication[] = {530, 534, 535, 538};
	struct reply reply;
	struct verdict verdict;

	(void)state;
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		for (int code = 500; code < 600; code++)
			assert_int_equal(
			    outcome_find(stages[i], code)->outcome, OUTCOME_END_SESSION);
	for (size_t i = 0; i < 4; i++)
		for (unsigned stage = STAGE_MAIL; stage <= STAGE_END; stage <<= 1)
			assert_int_equal(
			    outcome_find((enum client_stage)stage, authentication[i])->outcome,
			    OUTCOME_DEFER);
	reply = reply_of("530 5.7.0 authenticate first");
	verdict = outcome_of_reply(arena, STAGE_MAIL, &reply, true);
	assert_true(verdict_is_temporary(&verdict));
	assert_string_equal(verdict.dsn, "4.7.0");
	assert_string_equal(verdict.text, "530 5.7.0 authenticate first");
	reply = reply_of("550 5.1.1 no such user");
	verdict = outcome_of_reply(arena, STAGE_RCPT, &reply, true);
	assert_true(verdict_is_permanent(&verdict));
	assert_int_equal(verdict.exit_status, EX_NOUSER);
	assert_string_equal(verdict.dsn, "5.1.1");
	reply = reply_of("250 2.0.0 accepted as 42");
	verdict = outcome_of_reply(arena, STAGE_END, &reply, true);
	assert_true(verdict_is_success(&verdict));
	assert_string_equal(verdict.text, "accepted as 42");
	verdict = outcome_of_reply(arena, STAGE_END, &reply, false);
	assert_string_equal(verdict.text, "2.0.0 accepted as 42");
}

/* No code at any stage of a transaction is success but the one that it is. */
static void
only_the_right_class_is_success(void **state)
{
	(void)state;
	for (int code = 200; code < 600; code++) {
		for (unsigned stage = STAGE_MAIL; stage <= STAGE_END; stage <<= 1) {
			bool good = code / 100 == (stage == STAGE_DATA ? 3 : 2);

			assert_int_equal(
			    outcome_find((enum client_stage)stage, code)->outcome == OUTCOME_GO_ON,
			    good);
		}
	}
	assert_int_equal(outcome_find(STAGE_AUTH, 12345)->outcome, OUTCOME_END_SESSION);
}

static void
offers_are_understood(void **state)
{
	struct extensions offers = {.mechanisms = ""};

	(void)state;
	extensions_add(&offers, arena, "pipelining");
	extensions_add(&offers, arena, "SIZE 10000000");
	extensions_add(&offers, arena, "AUTH PLAIN LOGIN");
	extensions_add(&offers, arena, "AUTH=LOGIN CRAM-MD5");
	extensions_add(&offers, arena, "STARTTLSX");
	extensions_add(&offers, arena, "DSN extra words");
	assert_true(offers.pipelining);
	assert_true(offers.size);
	assert_int_equal(offers.size_maximum, 10000000);
	assert_string_equal(offers.mechanisms, "PLAIN LOGIN LOGIN CRAM-MD5");
	assert_false(offers.starttls);
	assert_true(offers.dsn);
	extensions_add(&offers, arena, "SIZE 99999999999999999999");
	assert_int_equal(offers.size_maximum, 10000000);
}

static void
credentials_are_read_from_tags(void **state)
{
	struct authinfo info = {0};

	(void)state;
	assert_true(authinfo_add(&info, arena, "\"U:user\"", 8));
	assert_true(authinfo_add(&info, arena, "\"P=YXV0aHBhc3M=\"", 16));
	assert_true(authinfo_complete(&info));
	assert_string_equal(info.id, "user");
	assert_string_equal(info.password.data, "authpass");
	assert_true(authinfo_add(&info, arena, "\"M:PLAIN LOGIN\"", 15));
	assert_string_equal(info.mechanisms, "PLAIN LOGIN");
	assert_false(authinfo_add(&info, arena, "\"X:foo\"", 7));
	assert_false(authinfo_add(&info, arena, "\"P=%%%\"", 7));
	assert_false(authinfo_add(&info, arena, "", 0));
	authinfo_wipe(&info);
	assert_null(info.password.data);
	info = (struct authinfo){0};
	assert_true(authinfo_add(&info, arena, "\"U:user\"", 8));
	assert_false(authinfo_complete(&info));
}

static int
set_up(void **state)
{
	(void)state;
	arena = arena_create();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_destroy(arena);
	return 0;
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(lines_are_replies_or_not),
	    CASE(texts_are_cleaned_and_codes_read),
	    CASE(what_is_ours_to_mend_is_deferred),
	    CASE(only_the_right_class_is_success),
	    CASE(offers_are_understood),
	    CASE(credentials_are_read_from_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
