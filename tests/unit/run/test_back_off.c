#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "run/back_off.h"

enum { NOW = 1800000000, MINUTE = 60 };

/* The rows marked V8 were tried with sendmail 8.17: `-q -v -OMaxQueueAge=1h` and -OMinQueueAge=10m. */
static void
waits_are_those_of_sendmail(void **state)
{
	static const struct {
		long least, most, age_then, since, left; /* minutes */
	} rows[] = {
	    {0, 0, 0, 0, 0}, {10, 0, 0, 9, 1},	   /* V8 */
	    {10, 0, 0, 11, 0},			   /* V8 */
	    {10, 0, 500, 9, 1}, {10, 60, 5, 4, 1}, /* V8: MinQueueAge does not count then */
	    {10, 60, 5, 6, 0},			   /* V8 */
	    {0, 60, 20, 19, 1},			   /* V8 */
	    {0, 60, 20, 21, 0},			   /* V8 */
	    {0, 60, 100, 59, 1},		   /* V8 */
	    {0, 60, 100, 61, 0},		   /* V8 */
	    {0, 60, -30, 1, 0},			   /* V8: tried before it was made */
	    {10, 0, 0, -100, 0},		   /* the clock was set back meanwhile */
	};

	(void)state;
	clock_stop(NOW, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct options options = {
		    .min_queue_age_seconds = rows[i].least * MINUTE,
		    .max_queue_age_seconds = rows[i].most * MINUTE,
		};
		time_t last = NOW - rows[i].since * MINUTE;

		assert_int_equal(back_off_left(&options, last - rows[i].age_then * MINUTE, last),
		    rows[i].left * MINUTE);
	}
	clock_run();
}

static void
what_was_never_tried_does_not_wait(void **state)
{
	struct options options = {.min_queue_age_seconds = 600, .max_queue_age_seconds = 6000};

	(void)state;
	clock_stop(NOW, 1000);
	assert_int_equal(back_off_left(&options, NOW - 10, 0), 0);
	assert_int_equal(back_off_seconds(&options, NOW - 10, 0), 0);
	clock_run();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits_are_those_of_sendmail),
	    cmocka_unit_test(what_was_never_tried_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
