#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "client/host_status.h"

static void
names_are_reversed(void **state)
{
	static const struct {
		const char *host, *path; /* NULL: none */
	} rows[] = {
	    {"sink.example.org.", "org./example./sink"},
	    {"MX.Example.ORG", "org./example./mx"},
	    {"[192.0.2.33]", "33./2./0./192"},
	    {"[IPv6:2001:db8::1]", "ipv6:2001:db8::1"},
	    {"localhost", "localhost"},
	    {"", NULL},
	    {".", NULL},
	    {"a..b", NULL},
	    {".a", NULL},
	    {"..", NULL},
	    {"a/../b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct str path = {0};
		bool found = host_status_path(rows[i].host, &path);

		assert_int_equal(found, rows[i].path != NULL);
		if (found)
			assert_string_equal(str_text(&path), rows[i].path);
		str_free(&path);
	}
}

/* As sendmail 8.17 wrote them. */
static const char sent[] = "V0\nE0\nH0\nS0\nD2.0.0\nR250 2.0.0 accepted as 42\nU1795186745\n.\n";
static const char refused[] = "V0\nE111\nH0\nS75\nD4.4.1\nU1795186746\n.\n";

static void
files_are_read_and_written_as_sendmail_does(void **state)
{
	struct arena *arena = arena_create();
	struct host_state read;
	struct str out = {0};

	(void)state;
	assert_null(host_status_read(sent, &read, arena));
	assert_int_equal(read.exit_status, EX_OK);
	assert_string_equal(read.reply, "250 2.0.0 accepted as 42");
	assert_string_equal(read.dsn, "2.0.0");
	assert_int_equal(read.updated, 1795186745);
	host_status_write(&read, &out);
	assert_string_equal(str_text(&out), sent);
	str_clear(&out);
	assert_null(host_status_read(refused, &read, arena));
	assert_int_equal(read.error, 111);
	assert_int_equal(read.exit_status, EX_TEMPFAIL);
	host_status_write(&read, &out);
	assert_string_equal(str_text(&out), refused);
	str_free(&out);
	arena_destroy(arena);
}

static void
what_is_no_status_is_told(void **state)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
	    {"", NULL},
	    {"V0\nS75", NULL},
	    {"V1\nE0\n", "line 1: Unknown host status version 1: 0 max"},
	    {"garbage\n", "line 1: Unknown host status line \"garbage\""},
	    {"V0\n\nS75\n", "line 2: Unknown host status line \"\""},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct host_state read;
		const char *complaint = host_status_read(rows[i].text, &read, arena);

		if (rows[i].complaint == NULL)
			assert_null(complaint);
		else
			assert_string_equal(complaint, rows[i].complaint);
	}
	arena_destroy(arena);
}

static void
results_are_shown_in_sendmails_words(void **state)
{
	static const struct {
		struct host_state state;
		const char *words;
	} rows[] = {
	    {{.exit_status = EX_OK}, "OK"},
	    {{.exit_status = EX_OK, .dsn = "2.0.0", .reply = "250 2.0.0 ok"}, "250 2.0.0 ok"},
	    {{.exit_status = EX_TEMPFAIL, .error = ECONNREFUSED, .dsn = "4.4.1"},
		"Deferred: Connection refused"},
	    {{.exit_status = EX_TEMPFAIL, .name_error = 2}, "4.0.0 Deferred"},
	    {{.exit_status = EX_UNAVAILABLE}, "5.0.0 Service unavailable"},
	    {{.exit_status = EX_TEMPFAIL, .dsn = "4.4.5", .reply = "421 4.4.5 so busy"},
		"421 4.4.5 so busy"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct str out = {0};

		host_status_words(&rows[i].state, &out);
		assert_string_equal(str_text(&out), rows[i].words);
		str_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_reversed),
	    cmocka_unit_test(files_are_read_and_written_as_sendmail_does),
	    cmocka_unit_test(what_is_no_status_is_told),
	    cmocka_unit_test(results_are_shown_in_sendmails_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
