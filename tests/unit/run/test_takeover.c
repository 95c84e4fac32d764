#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../src/run/master_private.h"
#include "base/clock.h"
#include "base/str.h"
#include "proc/daemonize.h"

/* What the program before left, by the pipe that it comes through. */
static struct orphans *
receive(struct master *master, const char *text)
{
	char number[16];
	int pair[2];

	assert_int_equal(pipe(pair), 0);
	assert_int_equal(write(pair[1], text, strlen(text)), (ssize_t)strlen(text));
	close(pair[1]);
	snprintf(number, sizeof number, "%d", pair[0]);
	setenv(DAEMONIZE_TAKEOVER, number, 1);
	return takeover_receive(master);
}

static pid_t
fork_sleeper(void)
{
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	return child;
}

static void
who_is_overdue_is_killed(void **state)
{
	struct master master = {.kick_pipe = {-1, -1}};
	pid_t overdue = fork_sleeper(), in_time = fork_sleeper(), unknown = fork_sleeper();
	struct orphans *orphans;
	char text[400];
	int64_t now = clock_monotonic_ms(), next;
	int status;

	(void)state;
	snprintf(text, sizeof text, "W\t%ld\t%lld\nW\t%ld\t%lld\nR\t%ld\nN\t%lld\n", (long)overdue,
	    (long long)now - 1, (long)in_time, (long long)now + 50000, (long)unknown,
	    (long long)now + 7000);
	orphans = receive(&master, text);
	assert_non_null(orphans);
	assert_int_equal(takeover_count(orphans), 3);
	assert_true(takeover_next_run(orphans) == now + 7000);
	assert_true(takeover_has_runner(orphans));
	next = takeover_tend(orphans);
	assert_true(next == now + 50000);
	assert_int_equal(waitpid(overdue, &status, 0), overdue);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(takeover_reap(orphans, overdue));
	assert_int_equal(waitpid(in_time, &status, WNOHANG), 0);
	assert_int_equal(waitpid(unknown, &status, WNOHANG), 0);
	assert_int_equal(takeover_count(orphans), 2);
	takeover_signal(orphans, SIGKILL);
	assert_int_equal(waitpid(in_time, &status, 0), in_time);
	assert_int_equal(waitpid(unknown, &status, 0), unknown);
	takeover_destroy(orphans);
}

static void
twins_live_as_long_as_somebody_may_ask_them(void **state)
{
	struct master master = {.kick_pipe = {-1, -1}};
	struct orphans *orphans;
	char text[200], byte;
	int life[2];

	(void)state;
	assert_int_equal(pipe(life), 0);
	snprintf(text, sizeof text, "T\t%ld\t%d\nW\t%ld\t1\n", 999999999L, life[1], 999999998L);
	orphans = receive(&master, text);
	assert_int_equal(takeover_count(orphans), 2);
	fcntl(life[0], F_SETFL, O_NONBLOCK);
	assert_true(read(life[0], &byte, 1) < 0);
	assert_true(takeover_reap(orphans, 999999998L));
	assert_int_equal(read(life[0], &byte, 1), 0);
	assert_false(takeover_reap(orphans, 5));
	takeover_destroy(orphans);
	close(life[0]);
}

static void
rubbish_is_an_ordinary_start(void **state)
{
	struct master master = {.kick_pipe = {-1, -1}};
	struct orphans *orphans;

	(void)state;
	unsetenv(DAEMONIZE_TAKEOVER);
	assert_null(takeover_receive(&master));
	setenv(DAEMONIZE_TAKEOVER, "1", 1);
	assert_null(takeover_receive(&master));
	orphans =
	    receive(&master, "\n\t\nW\nW\t\nL\t\nL\t7777\t-\nT\t-4\t9\nX\t1\t2\nK\nU\tx\nN\n");
	assert_non_null(orphans);
	assert_int_equal(takeover_sockets(orphans)->listen_count, 0);
	assert_true(takeover_next_run(orphans) == 0);
	takeover_destroy(orphans);
}

static void
who_takes_over_says_so(void **state)
{
	static const char no[] =
	    "it is pillarbox can take over: protocol 1\npillarbox can take over: protocol 10\n";
	struct str output = {0};

	(void)state;
	assert_false(takeover_is_offered(&output));
	str_add_text(&output, no);
	assert_false(takeover_is_offered(&output));
	assert_string_equal(str_text(&output), no);
	str_clear(&output);
	str_add_text(&output, "one\n" DAEMONIZE_WORD "\ntwo\n");
	assert_true(takeover_is_offered(&output));
	assert_string_equal(str_text(&output), "one\ntwo\n");
	str_clear(&output);
	str_add_text(&output, DAEMONIZE_WORD);
	assert_false(takeover_is_offered(&output));
	str_add_char(&output, '\n');
	assert_true(takeover_is_offered(&output));
	assert_string_equal(str_text(&output), "");
	str_free(&output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_overdue_is_killed),
	    cmocka_unit_test(twins_live_as_long_as_somebody_may_ask_them),
	    cmocka_unit_test(rubbish_is_an_ordinary_start),
	    cmocka_unit_test(who_takes_over_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
