#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/table.h"
#include "queue/queue.h"

static void
has_the_form_of_v8(void **state)
{
	char id[ENVELOPE_ID_SIZE], pid[16];

	(void)state;
	clock_stop(1795171798, 0); /* 2026-11-20 10:49:58 UTC, whatever the time zone */
	queue_new_id(id);
	assert_memory_equal(id, "6AKAnw", 6);
	snprintf(pid, sizeof pid, "%06ld", (long)getpid());
	assert_string_equal(id + 8, pid);
	assert_true(queue_id_is_valid(id));
	clock_run();
}

/* 10,000 ids in one second, and a clock that steps back meanwhile. */
static void
never_comes_twice(void **state)
{
	struct table *seen = table_create(TABLE_CASE);
	char id[ENVELOPE_ID_SIZE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		clock_stop(i < 10000 ? 1795171798 : 1795171000, 0);
		queue_new_id(id);
		assert_null(table_get(seen, id));
		table_set(seen, id, seen);
	}
	clock_run();
	table_destroy(seen);
}

static void
a_child_has_its_own(void **state)
{
	char before[ENVELOPE_ID_SIZE];
	int status;
	pid_t pid;

	(void)state;
	queue_new_id(before);
	pid = fork();
	if (pid == 0) {
		char id[ENVELOPE_ID_SIZE];

		queue_new_id(id);
		_exit(strcmp(id + 8, before + 8) == 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
knows_an_id_from_other_names(void **state)
{
	static const char *const good[] = {
	    "6AKAnw1a000049", "AA12345", "x", "kAKAAAaa000101", "6AKAnw1a4194304"};
	static const char *const bad[] = {
	    "", "../etc/passwd", "a.b", "a b", "123456789012345678901234", "a\n", "\xc3\xa4"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(queue_id_is_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(queue_id_is_valid(bad[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(has_the_form_of_v8),
	    cmocka_unit_test(never_comes_twice),
	    cmocka_unit_test(a_child_has_its_own),
	    cmocka_unit_test(knows_an_id_from_other_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
