#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/pool.h"
#include "proc/signals.h"

static struct page *page;

static int
wait_to_leave(struct worker *worker, void *context)
{
	struct pollfd life = {.fd = worker->life_fd, .events = POLLIN};

	(void)context;
	slot_set_state(worker->slot, SLOT_IDLE, DEADLINE_NEVER, "idle");
	poll(&life, 1, -1);
	return 0;
}

/* Blocks for ever in its work, with a socket that it must not keep when master goes. */
static int
hold_socket(struct worker *worker, void *context)
{
	int *pair = context;

	close(pair[0]);
	worker_guard_sockets(worker, &pair[1], 1);
	slot_set_state(worker->slot, SLOT_BUSY, DEADLINE_NEVER, "busy");
	while (pause() < 0)
		continue;
	return 0;
}

static int
overstay(struct worker *worker, void *context)
{
	(void)context;
	slot_set_state(worker->slot, SLOT_BUSY, clock_monotonic_ms() - 1, "stuck");
	while (pause() < 0)
		continue;
	return 0;
}

static int
reap_one(struct pool *pool, bool *was_failure)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	return pool_reap(pool, pid, status, was_failure);
}

static void
wait_for_state(int slot, enum slot_state state)
{
	for (int i = 0; i < 2000 && page->slots[slot].state != (int)state; i++)
		poll(NULL, 0, 1);
	assert_int_equal(page->slots[slot].state, state);
}

static void
workers_leave_and_are_replaced(void **state)
{
	struct pool_settings settings = {
	    .role = "test", .run = wait_to_leave, .maximum = 4, .minimum = 2};
	struct pool *pool = pool_create(page, &settings, -1);
	unsigned generation;
	bool was_failure;

	(void)state;
	pool_tend(pool, 0);
	assert_int_equal(pool_count(pool), 2);
	wait_for_state(0, SLOT_IDLE);
	wait_for_state(1, SLOT_IDLE);
	generation = page->slots[0].generation;
	kill(page->slots[0].pid, SIGKILL);
	assert_int_equal(reap_one(pool, &was_failure), 0);
	assert_true(was_failure);
	pool_tend(pool, 0);
	assert_int_equal(pool_count(pool), 1); /* died young: not before half a second */
	for (int i = 0; i < 200 && pool_count(pool) < 2; i++) {
		poll(NULL, 0, 10);
		pool_tend(pool, 0);
	}
	assert_int_equal(pool_count(pool), 2);
	assert_int_equal(page->slots[0].generation, generation + 1);
	pool_tend(pool, 3);
	assert_int_equal(pool_count(pool), 3);
	pool_leave(pool);
	for (int i = 0; i < 3; i++) {
		assert_true(reap_one(pool, &was_failure) >= 0);
		assert_false(was_failure);
	}
	pool_tend(pool, 0);
	assert_int_equal(pool_count(pool), 0);
	pool_destroy(pool);
}

static void
the_overdue_are_killed(void **state)
{
	struct pool_settings settings = {
	    .role = "test", .run = overstay, .maximum = 1, .minimum = 1};
	struct pool *pool = pool_create(page, &settings, -1);
	bool was_failure;

	(void)state;
	pool_tend(pool, 0);
	wait_for_state(0, SLOT_BUSY);
	pool_tend(pool, 0);
	assert_int_equal(reap_one(pool, &was_failure), 0);
	assert_true(was_failure);
	pool_destroy(pool);
}

static void
sockets_go_with_master(void **state)
{
	int pair[2];
	struct pool_settings settings = {
	    .role = "test", .run = hold_socket, .context = pair, .maximum = 1, .minimum = 1};
	struct pool *pool = pool_create(page, &settings, -1);
	struct pollfd other = {.events = POLLIN};
	bool was_failure;
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pool_tend(pool, 0);
	wait_for_state(0, SLOT_BUSY);
	close(pair[1]); /* ours; the worker has the other */
	other.fd = pair[0];
	assert_int_equal(poll(&other, 1, 0), 0);
	pool_leave(pool); /* the same as master's death for the worker */
	assert_int_equal(poll(&other, 1, 2000), 1);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	pool_kill(pool, SIGKILL);
	reap_one(pool, &was_failure);
	close(pair[0]);
	pool_destroy(pool);
}

static int
set_up(void **state)
{
	(void)state;
	log_set_level(0);
	page = page_create(8);
	return page != NULL && signals_open() ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(workers_leave_and_are_replaced),
	    cmocka_unit_test(the_overdue_are_killed),
	    cmocka_unit_test(sockets_go_with_master),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
