#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/config.h"
#include "deliver/local.h"

static struct config *config;
static char cf_name[] = "/tmp/pillarbox.cf.XXXXXX";

static const char cf_text[] = "V10\n"
			      "O QueueDirectory=/tmp\n"
			      "O DefaultUser=1:1\n"
			      "O LogLevel=0\n"
			      "Mlocal, P=/bin/sh, F=lsDFMm5rn, A=sh -c cat $u\n"
			      "Mmany, P=/usr/bin/printf, F=lmf, A=printf [%s] $u\n"
			      "Mone, P=/bin/echo, F=l, A=echo to $u host $h from $g\n"
			      "Mquote, P=/bin/cat, F=lnEbX, A=cat - $u\n"
			      "Mfail, P=/bin/sh, F=ln, A=sh $u\n"
			      "Mgone, P=/nonexistent/mailer, F=ln, A=mailer $u\n"
			      "Mprog, P=/bin/sh, F=lsDFMoqeu9, A=sh -c $u\n"
			      "Mtcp, P=[IPC], F=m, A=TCP $h\n"
			      "Sparse=0\nR$*\t$#local $: $1\n";

static const struct mailer *
mailer(const char *name)
{
	const struct mailer *found = config_find_mailer(config, name);

	assert_non_null(found);
	return found;
}

static char **
arguments(const char *name, const char *const *users, size_t count, bool flag, struct arena *arena)
{
	struct spawn_request request = {
	    .mailer = name,
	    .id = "6AKAnwQO000049",
	    .host = "there",
	    .sender = "x@y.example",
	    .from = "x@y.example",
	    .control_user = "",
	    .add_sender_flag = flag,
	    .users = users,
	    .user_count = count,
	};

	return spawn_arguments(config, mailer(name), &request, "/", arena);
}

static void
each_user_is_an_argument_of_its_own(void **state)
{
	static const char *const users[] = {"alice", "bob; rm -rf /", "$h"};
	struct arena *arena = arena_create();
	char **argv = arguments("many", users, 3, true, arena);

	(void)state;
	assert_string_equal(argv[0], "printf");
	assert_string_equal(argv[1], "-f");
	assert_string_equal(argv[2], "x@y.example");
	assert_string_equal(argv[3], "[%s]");
	assert_string_equal(argv[4], "alice");
	assert_string_equal(argv[5], "bob; rm -rf /");
	assert_string_equal(argv[6], "$h"); /* a user's text is no template */
	assert_null(argv[7]);
	argv = arguments("one", users, 1, true, arena); /* neither f nor r */
	assert_string_equal(argv[2], "alice");
	assert_string_equal(argv[4], "there");
	assert_string_equal(argv[6], "x@y.example");
	assert_null(argv[7]);
	arena_destroy(arena);
}

/* Runs a mailer here and now; what it printed is in `output`. */
static struct verdict
run(const char *name, const char *user, const char *body, struct str *output, struct arena *arena)
{
	struct spawner *spawner = spawner_create(config);
	struct spawn_request request = {.mailer = name,
	    .id = "6AKAnwQO000049",
	    .host = "",
	    .sender = "x@y.example",
	    .from = "x@y.example",
	    .control_user = "",
	    .users = &user,
	    .user_count = 1};
	FILE *file = tmpfile();
	struct envelope envelope = {.id = "6AKAnwQO000049", .body_fd = fileno(file)};
	struct local_message message = {
	    .render = {.config = config,
		.macros = config->macros,
		.mailer = mailer(name),
		.envelope = &envelope,
		.header = "Subject: s\n",
		.header_length = 11},
	    .unix_from = "From x@y.example  Fri Nov 20 10:49:58 2026",
	    .limit_seconds = 20,
	};
	struct verdict verdict;

	fputs(body, file);
	fflush(file);
	verdict = local_deliver(spawner, &request, &message, output, arena);
	fclose(file);
	spawner_destroy(spawner);
	return verdict;
}

static void
a_mailer_gets_the_message_as_its_flags_say(void **state)
{
	struct arena *arena = arena_create();
	struct str output = {0};
	struct verdict verdict = run("quote", "-", "From here\n.dot\nlast", &output, arena);

	(void)state;
	assert_true(verdict_is_success(&verdict));
	assert_string_equal(str_text(&output), "Subject: s\n\n>From here\n..dot\nlast\n");
	str_clear(&output);
	verdict = run("quote", "-", "b\n", &output, arena);
	assert_true(verdict_is_success(&verdict));
	assert_string_equal(str_text(&output), "Subject: s\n\nb\n\n");
	str_clear(&output);
	verdict = run("local", "bob", "b\n", &output, arena);
	assert_true(verdict_is_success(&verdict));
	str_free(&output);
	arena_destroy(arena);
}

static void
a_big_message_passes_through_small_pipes(void **state)
{
	enum { LINES = 30000 };
	struct arena *arena = arena_create();
	struct str output = {0}, body = {0};
	struct verdict verdict;

	(void)state;
	for (int i = 0; i < LINES; i++)
		str_printf(&body, "From line %d of a body that is longer than any pipe\n", i);
	/* cat writes all of it back while we write: neither side may wait for the other */
	verdict = run("quote", "-", str_text(&body), &output, arena);
	assert_true(verdict_is_success(&verdict));
	assert_true(output.length > 60000 && output.length <= 64 * 1024);
	str_free(&output);
	str_free(&body);
	arena_destroy(arena);
}

static void
exit_statuses_are_outcomes(void **state)
{
	static const struct {
		int status;
		bool temporary;
		const char *dsn, *text;
	} rows[] = {
	    {0, false, "2.0.0", ""},
	    {64, false, "5.0.0", "Command line usage error"},
	    {65, false, "5.6.0", "Data format error"},
	    {67, false, "5.1.1", "User unknown"},
	    {69, false, "5.0.0", "Service unavailable"},
	    {70, false, "5.3.0", "Internal error"},
	    {71, true, "4.0.0", "Operating system error"},
	    {74, true, "4.0.0", "I/O error"},
	    {75, true, "4.0.0", "fail mailer (/bin/sh) exited with EX_TEMPFAIL"},
	    {77, false, "5.0.0", "Insufficient permission"},
	    {78, false, "5.3.5", "Local configuration error"},
	    {99, false, "5.3.0", "unknown mailer error 99"},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct verdict verdict = local_verdict(mailer("fail"), rows[i].status << 8, arena);

		assert_int_equal(verdict_is_temporary(&verdict), rows[i].temporary);
		assert_string_equal(verdict.dsn, rows[i].dsn);
		assert_string_equal(verdict.text, rows[i].text);
	}
	assert_int_equal(local_verdict(mailer("fail"), SIGKILL, arena).exit_status, EX_TEMPFAIL);
	arena_destroy(arena);
}

static void
what_cannot_run_is_deferred(void **state)
{
	struct arena *arena = arena_create();
	struct str output = {0};
	struct verdict verdict = run("gone", "bob", "b\n", &output, arena);

	(void)state;
	assert_true(verdict_is_temporary(&verdict));
	assert_non_null(strstr(str_text(&output), "Cannot exec /nonexistent/mailer"));
	str_clear(&output);
	verdict = run("prog", "echo pwned", "b\n", &output, arena);
	assert_true(verdict_is_temporary(&verdict));
	assert_null(strstr(str_text(&output), "pwned"));
	str_clear(&output);
	verdict = run("tcp", "bob", "b\n", &output, arena);
	assert_true(verdict_is_temporary(&verdict));
	str_free(&output);
	arena_destroy(arena);
}

static void
report(void *context, const char *message, enum config_message kind)
{
	(void)context;
	if (kind == CONFIG_ERROR)
		printf("%s\n", message);
}

static int
set_up(void **state)
{
	struct config_request request = {.file = cf_name, .report = report, .is_safe_caller = true};
	int fd = mkstemp(cf_name);

	(void)state;
	if (fd < 0 || write(fd, cf_text, sizeof cf_text - 1) != (ssize_t)sizeof cf_text - 1)
		return -1;
	close(fd);
	config = config_read(&request);
	unlink(cf_name);
	return config->error_status;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_user_is_an_argument_of_its_own),
	    cmocka_unit_test(a_mailer_gets_the_message_as_its_flags_say),
	    cmocka_unit_test(a_big_message_passes_through_small_pipes),
	    cmocka_unit_test(exit_statuses_are_outcomes),
	    cmocka_unit_test(what_cannot_run_is_deferred),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
