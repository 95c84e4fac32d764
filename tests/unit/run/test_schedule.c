#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "run/schedule.h"

enum { WORKERS = 6 };

static const char *
name(int number)
{
	static char id[ENVELOPE_ID_SIZE];

	snprintf(id, sizeof id, "6AKAnw%02d%06d", number / 1000000, number % 1000000);
	return id;
}

static void
finish(struct schedule *schedule, int worker, const struct schedule_job *jobs, size_t count,
    enum kick_outcome outcome, const char *lane)
{
	for (size_t i = 0; i < count; i++)
		schedule_done(schedule, worker, jobs[i].id, outcome, lane, 0, 0);
	schedule_worker_idle(schedule, worker);
}

static void
one_message_goes_out_once(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_add(schedule, name(1), "", 0);
	schedule_add(schedule, name(1), "esmtp a", 0);
	assert_int_equal(schedule_count(schedule), 1);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_string_equal(jobs[0].id, name(1));
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 0); /* it is busy */
	schedule_done(schedule, 0, name(1), KICK_OUTCOME_GONE, "", 0, 0);
	assert_int_equal(schedule_count(schedule), 0);
	schedule_destroy(schedule);
}

static void
the_smallest_priority_goes_first(void **state)
{
	struct schedule *schedule = schedule_create(1);
	struct schedule_job jobs[SCHEDULE_BATCH];
	static const long priorities[] = {30019, 120, 90000, 30019, 5};
	static const int expected[] = {4, 1, 0, 3, 2};
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		schedule_add(schedule, name(i), "esmtp a", priorities[i]);
	while (at < 5) {
		size_t count = schedule_take(schedule, 0, jobs);

		assert_true(count > 0);
		for (size_t i = 0; i < count; i++)
			assert_string_equal(jobs[i].id, name(expected[at++]));
		finish(schedule, 0, jobs, count, KICK_OUTCOME_GONE, "esmtp a");
	}
	schedule_destroy(schedule);
}

static void
a_dead_host_costs_one_attempt_an_interval(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];
	size_t count;

	(void)state;
	for (int i = 0; i < 1000; i++)
		schedule_add(schedule, name(i), "relay dead", 0);
	count = schedule_take(schedule, 0, jobs);
	assert_true(count > 0);
	schedule_close_lane(schedule, "relay dead");
	assert_int_equal(schedule_due(schedule), 0);
	finish(schedule, 0, jobs, count, KICK_OUTCOME_WAITS, "relay dead");
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(schedule_take(schedule, i, jobs), 0);
	schedule_add(schedule, name(5000), "relay dead", 0); /* a new one waits as well */
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);

	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_due(schedule), 1001);
	assert_int_equal(schedule_wanted_workers(schedule), 1);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);
	schedule_close_lane(schedule, "relay dead");
	finish(schedule, 0, jobs, 1, KICK_OUTCOME_WAITS, "relay dead");
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);

	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	finish(schedule, 0, jobs, 1, KICK_OUTCOME_GONE, "relay dead"); /* it lives again */
	assert_true(schedule_wanted_workers(schedule) > 1);
	assert_int_equal(schedule_count(schedule), 1000);
	schedule_destroy(schedule);
}

static void
a_host_that_answers_again_gets_what_waits(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];
	size_t count;

	(void)state;
	for (int i = 0; i < 10; i++)
		schedule_add(schedule, name(i), "relay host", 0);
	count = schedule_take(schedule, 0, jobs);
	schedule_close_lane(schedule, "relay host");
	finish(schedule, 0, jobs, count, KICK_OUTCOME_WAITS, "relay host");
	assert_int_equal(schedule_due(schedule), 0);
	schedule_add(schedule, name(100), "", 0); /* new, its lane not known: it is tried */
	assert_int_equal(schedule_take(schedule, 1, jobs), 1);
	schedule_open_lane(schedule, "relay host");
	assert_int_equal(schedule_due(schedule), 10);
	assert_true(schedule_take(schedule, 2, jobs) > 0);
	schedule_open_lane(schedule, "relay host"); /* nothing new */
	schedule_open_lane(schedule, "never heard of");
	assert_int_equal(schedule_count(schedule), 11);
	schedule_destroy(schedule);
}

static void
workers_follow_the_backlog_and_leave_one_for_others(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_add(schedule, name(0), "relay big", 0);
	assert_int_equal(schedule_wanted_workers(schedule), 1);
	for (int i = 1; i < 100; i++)
		schedule_add(schedule, name(i), "relay big", 0);
	assert_int_equal(schedule_wanted_workers(schedule), WORKERS - 1);
	for (int i = 0; i < WORKERS - 1; i++)
		assert_true(schedule_take(schedule, i, jobs) > 0);
	assert_int_equal(schedule_take(schedule, WORKERS - 1, jobs), 0);
	schedule_add(schedule, name(200), "esmtp small", 0);
	assert_int_equal(schedule_take(schedule, WORKERS - 1, jobs), 1);
	assert_string_equal(jobs[0].lane, "esmtp small");
	schedule_destroy(schedule);
}

static void
a_worker_keeps_its_lane(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];
	size_t count;

	(void)state;
	schedule_add(schedule, name(1), "", 0);
	count = schedule_take(schedule, 3, jobs);
	finish(schedule, 3, jobs, count, KICK_OUTCOME_WAITS,
	    "esmtp here"); /* resolved by the worker */
	schedule_add(schedule, name(2), "esmtp there", 0);
	schedule_add(schedule, name(3), "esmtp here", 0);
	assert_int_equal(schedule_take(schedule, 3, jobs), 1);
	assert_string_equal(jobs[0].lane, "esmtp here");
	schedule_destroy(schedule);
}

static void
what_a_dead_worker_had_goes_to_another_but_not_for_ever(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];
	int deaths = 0;

	(void)state;
	schedule_add(schedule, name(1), "esmtp a", 0);
	while (schedule_take(schedule, 0, jobs) == 1) {
		schedule_worker_gone(schedule, 0);
		assert_true(++deaths < 10);
	}
	assert_int_equal(deaths, 3);
	assert_int_equal(schedule_count(schedule), 1);
	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	/* its word about a batch of a worker before is not believed */
	schedule_done(schedule, 1, name(1), KICK_OUTCOME_GONE, "", 0, 0);
	assert_int_equal(schedule_count(schedule), 1);
	schedule_destroy(schedule);
}

static void
a_locked_message_is_tried_again_soon(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];
	int64_t now = 1000000;
	int tries = 0;

	(void)state;
	clock_stop(1795173987, now);
	schedule_add(schedule, name(1), "", 0);
	while (schedule_take(schedule, 0, jobs) == 1) {
		int64_t wake;

		finish(schedule, 0, jobs, 1, KICK_OUTCOME_LOCKED, "");
		assert_true(++tries < 10);
		wake = schedule_wake(schedule);
		if (wake == DEADLINE_NEVER)
			break;
		assert_int_equal(schedule_take(schedule, 0, jobs), 0);
		clock_stop(1795173987, wake);
		schedule_wake(schedule);
	}
	assert_int_equal(tries, 4);
	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	clock_run();
	schedule_destroy(schedule);
}

static void
the_directory_decides_what_there_is(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_compare_begin(schedule);
	schedule_compare_seen(schedule, name(1), 0, SCHEDULE_WAITS);
	schedule_compare_seen(schedule, name(2), 0, SCHEDULE_WAITS);
	schedule_compare_end(schedule);
	assert_int_equal(schedule_count(schedule), 2);
	assert_int_equal(schedule_take(schedule, 0, jobs), 0);
	schedule_compare_begin(schedule);
	schedule_compare_seen(schedule, name(2), 0, SCHEDULE_DUE);
	schedule_compare_seen(schedule, name(3), 0, SCHEDULE_DUE);
	schedule_compare_end(schedule);
	assert_int_equal(schedule_count(schedule), 2);
	schedule_make_due(schedule, 0, 0);
	assert_true(schedule_take(schedule, 0, jobs) > 0);
	assert_string_not_equal(jobs[0].id, name(1));
	schedule_destroy(schedule);
}

/* After a reload: what nobody has tried is due, and only the worker can tell which that is. */
static void
what_may_be_untried_is_due_once(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_compare_begin(schedule);
	schedule_compare_seen(schedule, name(1), 0, SCHEDULE_UNTRIED);
	schedule_compare_end(schedule);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_true(jobs[0].is_if_untried && !jobs[0].is_known);
	schedule_done(schedule, 0, name(1), KICK_OUTCOME_WAITS, "", 100, 0);
	schedule_worker_idle(schedule, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 0);
	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_false(jobs[0].is_if_untried);
	schedule_destroy(schedule);
}

static void
a_lane_of_a_single_thread_has_one_worker(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_use_one_worker_a_lane(schedule);
	for (int i = 0; i < 50; i++)
		schedule_add(schedule, name(i), "esmtp a", 0);
	schedule_add(schedule, name(50), "esmtp b", 0);
	assert_true(schedule_take(schedule, 0, jobs) > 0);
	assert_string_equal(jobs[0].lane, "esmtp a");
	assert_int_equal(schedule_take(schedule, 1, jobs), 1);
	assert_string_equal(jobs[0].lane, "esmtp b");
	assert_int_equal(schedule_take(schedule, 2, jobs), 0);
	schedule_destroy(schedule);
}

/* It is due at the first interval after its back-off, and its worker is told that this is over. */
static void
a_message_waits_for_its_back_off(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	clock_stop(1800000000, 1000);
	schedule_add(schedule, name(1), "esmtp a", 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_true(jobs[0].is_new);
	assert_false(jobs[0].is_known);
	schedule_done(schedule, 0, name(1), KICK_OUTCOME_WAITS, "esmtp a", 0, 600);
	schedule_worker_idle(schedule, 0);
	clock_stop(1800000599, 600 * 1000);
	schedule_make_due(schedule, 0, 0);
	schedule_open_lane(schedule, "esmtp a");
	assert_int_equal(schedule_take(schedule, 0, jobs), 0);
	clock_stop(1800000600, 601 * 1000);
	assert_int_equal(schedule_take(schedule, 0, jobs), 0);
	schedule_make_due(schedule, 0, 0);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_false(jobs[0].is_new);
	assert_true(jobs[0].is_known);
	schedule_destroy(schedule);
	clock_run();
}

/* Whatever happens in whatever order: nothing is lost, nothing is with two workers. */
static void
see(struct schedule *schedule, int group, const char *const *ids)
{
	schedule_compare_begin(schedule);
	for (; *ids != NULL; ids++)
		schedule_compare_seen(schedule, *ids, group, SCHEDULE_WAITS);
	schedule_compare_end(schedule);
}

static void
a_group_has_its_own_limits(void **state)
{
	static const char *const ids[] = {
	    "6AKAnwaa000001", "6AKAnwaa000002", "6AKAnwaa000003", NULL};
	struct schedule *schedule = schedule_create(8);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_limit_group(schedule, 1, 1, false);
	schedule_limit_group(schedule, 2, 0, false);
	see(schedule, 1, ids);
	schedule_make_due(schedule, 0, 0);
	assert_false(schedule_is_busy(schedule));
	schedule_make_due(schedule, 1, 2); /* J=2 */
	assert_int_equal(schedule_due(schedule), 2);
	assert_int_equal(schedule_wanted_workers(schedule), 1);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_int_equal(jobs[0].group, 1);
	schedule_make_due(schedule, 1, 0);
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);	/* R=1 */
	schedule_add(schedule, "6AKAnwaa000009", "esmtp h", 1); /* new mail has no limit */
	assert_int_equal(schedule_take(schedule, 1, jobs), 1);
	assert_int_equal(jobs[0].group, 0);
	for (int i = 0; i < 2; i++) {
		schedule_done(schedule, 0, ids[i], KICK_OUTCOME_GONE, "", 0, 0);
		schedule_worker_idle(schedule, 0);
		assert_int_equal(schedule_take(schedule, i == 0 ? 0 : 2, jobs), 1);
		assert_string_equal(jobs[0].id, ids[i + 1]);
	}
	schedule_done(schedule, 2, ids[2], KICK_OUTCOME_WAITS, "esmtp h", 5, 0);
	schedule_worker_idle(schedule, 2);
	/* its files are in the group with R=0 now */
	see(schedule, 2, ids + 2);
	schedule_make_due(schedule, 2, 0);
	schedule_close_lane(schedule, "esmtp h");
	schedule_open_lane(schedule, "esmtp h");
	assert_int_equal(schedule_take(schedule, 2, jobs), 0);
	schedule_destroy(schedule);
}

static void
a_dead_host_is_dead_in_all_groups(void **state)
{
	static const char *const ids[] = {"6AKAnwaa000001", "6AKAnwaa000002", NULL};
	struct schedule *schedule = schedule_create(4);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_limit_group(schedule, 1, -1, false);
	for (int i = 0; i < 2; i++) {
		schedule_add(schedule, ids[i], "esmtp h", 1);
		assert_int_equal(schedule_take(schedule, 0, jobs), 1);
		schedule_done(schedule, 0, ids[i], KICK_OUTCOME_WAITS, "esmtp h", 5, 0);
		schedule_worker_idle(schedule, 0);
	}
	see(schedule, 1, ids);
	schedule_make_due(schedule, 1, 0);
	assert_int_equal(schedule_due(schedule), 2);
	schedule_close_lane(schedule, "esmtp h");
	assert_int_equal(schedule_due(schedule), 0);
	schedule_make_due(schedule, 1, 0); /* one attempt */
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_int_equal(schedule_take(schedule, 1, jobs), 0);
	schedule_open_lane(schedule, "esmtp h");
	schedule_done(schedule, 0, jobs[0].id, KICK_OUTCOME_GONE, "", 0, 0);
	schedule_worker_idle(schedule, 0);
	assert_int_equal(schedule_take(schedule, 1, jobs), 1);
	schedule_destroy(schedule);
}

static void
a_bound_worker_gets_nothing_else(void **state)
{
	static const char *const ids[] = {
	    "6AKAnwaa000001", "6AKAnwaa000002", "6AKAnwaa000003", NULL};
	struct schedule *schedule = schedule_create(2);
	struct schedule_job jobs[SCHEDULE_BATCH];

	(void)state;
	schedule_limit_group(schedule, 1, -1, true);
	see(schedule, 1, ids);
	schedule_make_due(schedule, 1, 1);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	schedule_done(schedule, 0, jobs[0].id, KICK_OUTCOME_GONE, "", 0, 0);
	schedule_worker_idle(schedule, 0);
	schedule_make_due(schedule, 1, 1);
	schedule_add(schedule, "6AKAnwaa000009", "", 1);
	assert_int_equal(schedule_wanted_workers(schedule), 2);
	assert_int_equal(schedule_take(schedule, 0, jobs), 1);
	assert_int_equal(jobs[0].group, 1);
	assert_int_equal(schedule_take(schedule, 1, jobs), 1);
	assert_int_equal(jobs[0].group, 0);
	schedule_worker_gone(schedule, 0);
	schedule_worker_idle(schedule, 1);
	schedule_make_due(schedule, 1, 0);
	schedule_destroy(schedule);
}

static void
random_life(void **state)
{
	struct schedule *schedule = schedule_create(WORKERS);
	struct schedule_job jobs[WORKERS][SCHEDULE_BATCH];
	size_t counts[WORKERS] = {0};
	static unsigned char there[3000], running[3000];
	unsigned seed = 7;
	size_t alive = 0;

	(void)state;
	for (int step = 0; step < 60000; step++) {
		char lane[32];
		int worker, number;

		seed = seed * 1103515245u + 12345u;
		worker = (int)(seed >> 16) % WORKERS;
		number = (int)(seed >> 8) % 3000;
		snprintf(lane, sizeof lane, "esmtp host%d", number % 7);
		switch ((seed >> 20) % 8) {
		case 0:
		case 1:
			if (!there[number]) {
				there[number] = 1;
				alive++;
				schedule_add(
				    schedule, name(number), number % 3 == 0 ? "" : lane, number);
			}
			break;
		case 2:
			schedule_close_lane(schedule, lane);
			break;
		case 3:
			if (step % 50 == 0)
				schedule_make_due(schedule, 0, 0);
			break;
		case 4:
			if (counts[worker] > 0) {
				for (size_t i = 0; i < counts[worker]; i++)
					running[atoi(jobs[worker][i].id + 8)] = 0;
				counts[worker] = 0;
				schedule_worker_gone(schedule, worker);
			}
			break;
		default:
			for (size_t i = 0; i < counts[worker]; i++) {
				int done = atoi(jobs[worker][i].id + 8);
				bool gone = (seed >> (i + 3)) % 2 == 0;

				snprintf(lane, sizeof lane, "esmtp host%d", done % 7);
				schedule_done(schedule, worker, jobs[worker][i].id,
				    gone ? KICK_OUTCOME_GONE : KICK_OUTCOME_WAITS, lane, done, 0);
				running[done] = 0;
				if (gone) {
					there[done] = 0;
					alive--;
				}
			}
			schedule_worker_idle(schedule, worker);
			counts[worker] = schedule_take(schedule, worker, jobs[worker]);
			for (size_t i = 0; i < counts[worker]; i++) {
				int taken = atoi(jobs[worker][i].id + 8);

				assert_true(there[taken]);
				assert_false(running[taken]);
				running[taken] = 1;
			}
			break;
		}
		assert_int_equal(schedule_count(schedule), alive);
	}
	schedule_destroy(schedule);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_message_goes_out_once),
	    cmocka_unit_test(the_smallest_priority_goes_first),
	    cmocka_unit_test(a_dead_host_costs_one_attempt_an_interval),
	    cmocka_unit_test(a_host_that_answers_again_gets_what_waits),
	    cmocka_unit_test(workers_follow_the_backlog_and_leave_one_for_others),
	    cmocka_unit_test(a_worker_keeps_its_lane),
	    cmocka_unit_test(what_a_dead_worker_had_goes_to_another_but_not_for_ever),
	    cmocka_unit_test(a_locked_message_is_tried_again_soon),
	    cmocka_unit_test(the_directory_decides_what_there_is),
	    cmocka_unit_test(what_may_be_untried_is_due_once),
	    cmocka_unit_test(a_message_waits_for_its_back_off),
	    cmocka_unit_test(a_lane_of_a_single_thread_has_one_worker),
	    cmocka_unit_test(a_group_has_its_own_limits),
	    cmocka_unit_test(a_dead_host_is_dead_in_all_groups),
	    cmocka_unit_test(a_bound_worker_gets_nothing_else),
	    cmocka_unit_test(random_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
