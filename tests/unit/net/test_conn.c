#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "net/conn.h"

static struct conn *conn;
static int peer;

static int
set_up(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	conn = conn_create(pair[0], pair[0]);
	conn_set_deadline(conn, deadline_in(10));
	peer = pair[1];
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	conn_close(conn);
	if (peer >= 0)
		close(peer);
	clock_run();
	return 0;
}

static void
peer_says(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void
expect_line(enum conn_line kind, size_t maximum, const char *text)
{
	char *line;
	size_t length;

	assert_int_equal(conn_read_line(conn, maximum, &line, &length), kind);
	if (text != NULL) {
		assert_int_equal(length, strlen(text));
		assert_string_equal(line, text);
	}
}

static void
splits_lines_however_they_come(void **state)
{
	(void)state;
	peer_says("one\r\ntwo\nthr");
	expect_line(CONN_LINE, 100, "one");
	expect_line(CONN_LINE_BARE_LF, 100, "two");
	peer_says("ee\r");
	peer_says("\n\r\na\rb\r\r\n");
	expect_line(CONN_LINE, 100, "three");
	expect_line(CONN_LINE, 100, "");
	expect_line(CONN_LINE, 100, "a\rb\r");
	assert_int_equal(conn_buffered(conn), 0);
}

static void
keeps_nul_bytes(void **state)
{
	char *line;
	size_t length;

	(void)state;
	assert_int_equal(write(peer, "a\0b\r\n", 5), 5);
	assert_int_equal(conn_read_line(conn, 10, &line, &length), CONN_LINE);
	assert_int_equal(length, 3);
	assert_memory_equal(line, "a\0b", 4);
}

static void
a_line_at_its_limit_passes_and_one_beyond_is_cut(void **state)
{
	(void)state;
	peer_says("12345\r\n123456\r\n12345\nnext\r\n");
	expect_line(CONN_LINE, 5, "12345");
	expect_line(CONN_LINE_TOO_LONG, 5, "12345");
	expect_line(CONN_LINE_BARE_LF, 5, "12345");
	expect_line(CONN_LINE, 5, "next");
}

static void
an_endless_line_takes_no_memory(void **state)
{
	static char junk[8192];
	pid_t child;

	(void)state;
	memset(junk, 'x', sizeof junk);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 500; i++)
			if (write(peer, junk, sizeof junk) < 0)
				_exit(1);
		_exit(write(peer, "\r\nend\r\n", 7) != 7);
	}
	expect_line(CONN_LINE_TOO_LONG, 100, NULL);
	expect_line(CONN_LINE, 100, "end");
	waitpid(child, NULL, 0);
}

static void
an_unfinished_line_is_never_returned(void **state)
{
	(void)state;
	peer_says("250 ok\r\n250 almo");
	close(peer);
	peer = -1;
	expect_line(CONN_LINE, 100, "250 ok");
	expect_line(CONN_LINE_FAILED, 100, NULL);
	assert_int_equal(conn_state(conn), CONN_CLOSED_BY_PEER);
	expect_line(CONN_LINE_FAILED, 100, NULL);
}

static void
the_last_words_of_a_peer_that_hung_up_are_heard(void **state)
{
	(void)state;
	peer_says("421 bye\r\n");
	close(peer);
	peer = -1;
	conn_printf(conn, "%s", "MAIL FROM:<a@b>\r\n");
	conn_flush(conn);
	assert_true(conn_failed(conn));
	assert_int_equal(conn_state(conn), CONN_BROKEN);
	expect_line(CONN_LINE, 100, "421 bye");
	expect_line(CONN_LINE_FAILED, 100, NULL);
	/* sticky: nothing happens any more */
	conn_write(conn, "x", 1);
	assert_int_equal(conn_unsent(conn), 0);
}

static void
waits_no_longer_than_the_deadline(void **state)
{
	(void)state;
	conn_set_deadline(conn, clock_monotonic_ms() + 30);
	expect_line(CONN_LINE_FAILED, 100, NULL);
	assert_int_equal(conn_state(conn), CONN_TIMED_OUT);
	assert_string_equal(conn_reason(conn), "timed out");
	peer_says("late\r\n");
	expect_line(CONN_LINE_FAILED, 100, NULL);
}

static void
a_passed_deadline_counts_even_when_the_peer_drips(void **state)
{
	(void)state;
	clock_stop(1000, 5000);
	conn_set_deadline(conn, 6000);
	peer_says("dri");
	clock_stop(1001, 6000);
	expect_line(CONN_LINE_FAILED, 100, NULL);
	assert_int_equal(conn_state(conn), CONN_TIMED_OUT);
}

static void
a_blocked_writer_meanwhile_reads(void **state)
{
	static char bulk[2 * 1024 * 1024];
	pid_t child;

	(void)state;
	memset(bulk, 'y', sizeof bulk);
	child = fork();
	if (child == 0) {
		/* answers before it reads: both directions fill */
		static char reply[64 * 1024];
		size_t left = sizeof bulk;

		memset(reply, 'r', sizeof reply);
		for (int i = 0; i < 3; i++) {
			reply[sizeof reply - 1] = '\n';
			if (write(peer, reply, sizeof reply) != (ssize_t)sizeof reply)
				_exit(1);
		}
		while (left > 0) {
			ssize_t n = read(peer, bulk, sizeof bulk);

			if (n <= 0)
				_exit(2);
			left -= (size_t)n;
		}
		_exit(0);
	}
	conn_write(conn, bulk, sizeof bulk);
	conn_flush(conn);
	assert_false(conn_failed(conn));
	for (int i = 0; i < 3; i++)
		expect_line(CONN_LINE_BARE_LF, 70000, NULL);
	{
		int status;

		waitpid(child, &status, 0);
		assert_int_equal(status, 0);
	}
}

static void
output_goes_in_one_write_before_a_wait(void **state)
{
	char got[64];

	(void)state;
	conn_printf(conn, "EHLO %s\r\n", "x");
	conn_printf(conn, "MAIL\r\n");
	assert_int_equal(conn_unsent(conn), 14);
	assert_int_equal(recv(peer, got, sizeof got, MSG_DONTWAIT), -1);
	conn_set_deadline(conn, clock_monotonic_ms() + 10);
	expect_line(CONN_LINE_FAILED, 100, NULL);
	assert_int_equal(read(peer, got, sizeof got), 14);
}

static void
says_whether_input_is_there(void **state)
{
	(void)state;
	assert_false(conn_has_input(conn));
	peer_says("early");
	assert_true(conn_has_input(conn));
	assert_int_equal(conn_buffered(conn), 5);
	conn_discard_input(conn);
	assert_false(conn_has_input(conn));
}

static void
reads_bytes_as_they_come(void **state)
{
	char got[8];

	(void)state;
	peer_says("abcdef");
	assert_int_equal(conn_read(conn, got, 4), 4);
	assert_int_equal(conn_read(conn, got, 4), 2);
	close(peer);
	peer = -1;
	assert_int_equal(conn_read(conn, got, 4), 0);
	assert_int_equal(conn_state(conn), CONN_CLOSED_BY_PEER);
}

static void
a_failure_that_we_declare_is_final(void **state)
{
	(void)state;
	peer_says("250 injected\r\n");
	assert_true(conn_has_input(conn));
	conn_fail(conn, CONN_GARBLED, "reply %d", 7);
	expect_line(CONN_LINE_FAILED, 100, NULL);
	assert_string_equal(conn_reason(conn), "reply 7");
	conn_fail(conn, CONN_TIMED_OUT, "later");
	assert_int_equal(conn_state(conn), CONN_GARBLED);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(splits_lines_however_they_come),
	    CASE(keeps_nul_bytes),
	    CASE(a_line_at_its_limit_passes_and_one_beyond_is_cut),
	    CASE(an_endless_line_takes_no_memory),
	    CASE(an_unfinished_line_is_never_returned),
	    CASE(the_last_words_of_a_peer_that_hung_up_are_heard),
	    CASE(waits_no_longer_than_the_deadline),
	    CASE(a_passed_deadline_counts_even_when_the_peer_drips),
	    CASE(a_blocked_writer_meanwhile_reads),
	    CASE(output_goes_in_one_write_before_a_wait),
	    CASE(says_whether_input_is_there),
	    CASE(reads_bytes_as_they_come),
	    CASE(a_failure_that_we_declare_is_final),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
