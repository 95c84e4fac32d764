#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "proc/kick.h"

static void
records_fit_into_one_write(void **state)
{
	(void)state;
	assert_true(sizeof(struct kick) <= _POSIX_PIPE_BUF);
}

static void
a_hint_arrives_whole(void **state)
{
	int pair[2];
	struct kick kick;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	kick_send("6AKAnwQO000049", "esmtp relay"); /* nobody listens: nothing happens */
	assert_int_equal(kick_read(pair[0], &kick), 0);
	kick_open(pair[1]);
	kick_send("6AKAnwQO000049", "esmtp relay");
	kick_run_now();
	assert_int_equal(kick_read(pair[0], &kick), 1);
	assert_int_equal(kick.kind, KICK_NEW);
	assert_string_equal(kick.id, "6AKAnwQO000049");
	assert_string_equal(kick.lane, "esmtp relay");
	assert_int_equal(kick_read(pair[0], &kick), 1);
	assert_int_equal(kick.kind, KICK_RUN_NOW);
	assert_int_equal(kick_read(pair[0], &kick), 0);
	kick_open(-1);
	close(pair[1]);
	assert_int_equal(kick_read(pair[0], &kick), -1);
	close(pair[0]);
}

static void
a_lane_too_long_is_no_lane(void **state)
{
	int pair[2];
	struct kick kick;
	char lane[KICK_LANE_SIZE + 10];

	(void)state;
	memset(lane, 'x', sizeof lane);
	lane[sizeof lane - 1] = '\0';
	assert_int_equal(pipe(pair), 0);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	kick_open(pair[1]);
	kick_send("6AKAnwQO000049", lane);
	assert_int_equal(kick_read(pair[0], &kick), 1);
	assert_string_equal(kick.lane, "");
	kick_open(-1);
	close(pair[0]);
	close(pair[1]);
}

static void
a_full_pipe_does_not_hold_its_writer(void **state)
{
	int pair[2], written = 0;
	struct kick kick = {.kind = KICK_NEW};

	(void)state;
	assert_int_equal(pipe(pair), 0);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	while (written < 100000 && write(pair[1], &kick, sizeof kick) == (ssize_t)sizeof kick)
		written++;
	assert_true(written > 10);
	assert_false(kick_write(pair[1], &kick));
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_fit_into_one_write),
	    cmocka_unit_test(a_hint_arrives_whole),
	    cmocka_unit_test(a_lane_too_long_is_no_lane),
	    cmocka_unit_test(a_full_pipe_does_not_hold_its_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
