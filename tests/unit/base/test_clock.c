#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"

enum { NOW = 1800000000, HOUR = 3600, DAY = 24 * HOUR, WEEK = 7 * DAY };

/* The clocks after `seconds` of time, the calendar's set by `step`. */
static void
pass(long seconds, long step)
{
	clock_stop(NOW + seconds + step, (int64_t)(1000 + seconds) * 1000);
}

static void
ages_grow_with_time(void **state)
{
	(void)state;
	pass(0, 0);
	clock_watch();
	assert_int_equal(clock_age(NOW - DAY), DAY);
	pass(HOUR, 0);
	assert_int_equal(clock_age(NOW - DAY), DAY + HOUR);
	assert_int_equal(clock_age(NOW + DAY), 0);
	clock_run();
}

static void
a_step_forwards_makes_nothing_older(void **state)
{
	(void)state;
	pass(0, 0);
	clock_watch();
	pass(HOUR, WEEK);
	assert_int_equal(clock_age(NOW - DAY), DAY + HOUR);
	assert_int_equal(clock_age(NOW), HOUR);
	/* what came after the step has its own age */
	assert_int_equal(clock_age(NOW + WEEK + HOUR), 0);
	pass(3 * DAY, WEEK);
	assert_int_equal(clock_age(NOW + WEEK + HOUR), 3 * DAY - HOUR);
	assert_int_equal(clock_age(NOW - DAY), 4 * DAY);
	clock_run();
}

static void
a_step_backwards_makes_nothing_older(void **state)
{
	(void)state;
	pass(0, 0);
	clock_watch();
	pass(HOUR, -WEEK);
	assert_int_equal(clock_age(NOW), 0);
	assert_int_equal(clock_age(NOW - WEEK), HOUR);
	assert_int_equal(clock_age(NOW - WEEK + HOUR), 0);
	clock_run();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ages_grow_with_time),
	    cmocka_unit_test(a_step_forwards_makes_nothing_older),
	    cmocka_unit_test(a_step_backwards_makes_nothing_older),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
