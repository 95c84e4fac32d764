#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/rates.h"

enum { NOW = 1800000000 };

static unsigned
come(struct rates *rates, const char *who, unsigned *all)
{
	unsigned count;

	rates_count(rates, rates_key(rates, who, strlen(who)), &count, all);
	return count;
}

static void
clients_are_counted_apart_and_together(void **state)
{
	struct rates *rates = rates_create(60);
	unsigned all;

	(void)state;
	clock_stop(NOW, 500000);
	assert_int_equal(come(rates, "a", &all), 1);
	assert_int_equal(come(rates, "a", &all), 2);
	assert_int_equal(come(rates, "b", &all), 1);
	assert_int_equal(all, 3);
	clock_run();
	rates_destroy(rates);
}

static void
the_window_moves(void **state)
{
	struct rates *rates = rates_create(60);
	unsigned all;

	(void)state;
	for (int second = 0; second < 60; second++) {
		clock_stop(NOW, (600 + second) * 1000);
		assert_int_equal(come(rates, "a", &all), second + 1);
	}
	/* a tenth of the window is forgotten at a time */
	clock_stop(NOW, 660 * 1000);
	assert_int_equal(come(rates, "a", &all), 55);
	assert_int_equal(all, 55);
	clock_stop(NOW, 2000 * 1000);
	assert_int_equal(come(rates, "a", &all), 1);
	assert_int_equal(all, 1);
	clock_run();
	rates_destroy(rates);
}

static void
a_full_table_forgets_who_came_longest_ago(void **state)
{
	struct rates *rates = rates_create(60);
	unsigned all = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char name[16];

		clock_stop(NOW, 500000 + i);
		snprintf(name, sizeof name, "%d", i);
		assert_true(come(rates, name, &all) >= 1);
		come(rates, "steady", &all);
	}
	assert_int_equal(come(rates, "steady", &all), 20001);
	clock_run();
	rates_destroy(rates);
}

static void
processes_share_it(void **state)
{
	struct rates *rates = rates_create(60);
	unsigned all;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			come(rates, "a", &all);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(come(rates, "a", &all), 101);
	rates_destroy(rates);
}

static void
a_gate_lets_so_many_a_second_through(void **state)
{
	struct rates *rates = rates_create(60);

	(void)state;
	clock_stop(NOW, 500250);
	assert_int_equal(rates_admit(rates, 0, 2), 0);
	assert_int_equal(rates_admit(rates, 0, 2), 0);
	assert_int_equal(rates_admit(rates, 0, 2), 750);
	assert_int_equal(rates_admit(rates, 1, 2), 0);
	clock_stop(NOW, 501000);
	assert_int_equal(rates_admit(rates, 0, 2), 0);
	clock_run();
	rates_destroy(rates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients_are_counted_apart_and_together),
	    cmocka_unit_test(the_window_moves),
	    cmocka_unit_test(a_full_table_forgets_who_came_longest_ago),
	    cmocka_unit_test(processes_share_it),
	    cmocka_unit_test(a_gate_lets_so_many_a_second_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
