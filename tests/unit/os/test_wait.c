#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

enum { WAITERS = 5 };

static int listener, own[2];
static struct sockaddr_in address;

static int
set_up(void **state)
{
	socklen_t length = sizeof address;

	(void)state;
	address = (struct sockaddr_in){.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	return listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	       listen(listener, 10) < 0 ||
	       getsockname(listener, (struct sockaddr *)&address, &length) < 0 || pipe(own) < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(listener);
	close(own[0]);
	close(own[1]);
	return 0;
}

static int
call(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Says 'r' when it waits, and 'w' each time that it wakes up for a connection, which it takes. */
static void
wait_and_tell(int tell)
{
	struct pollfd fds[2] = {
	    {.fd = own[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	int handle = os_wait_open(fds, 2);

	(void)!write(tell, "r", 1);
	for (;;) {
		if (os_wait(handle, fds, 2) <= 0)
			continue;
		if (fds[0].revents != 0)
			_exit(0);
		if (fds[1].revents != 0) {
			(void)!write(tell, "w", 1);
			accept(listener, NULL, NULL);
		}
	}
}

static void
a_connection_that_nobody_took_is_found(void **state)
{
	struct pollfd fds[2] = {
	    {.fd = own[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	int handle = os_wait_open(fds, 2), fd = call();

	(void)state;
	assert_true(os_wait(handle, fds, 2) > 0);
	assert_int_equal(fds[0].revents, 0);
	assert_int_not_equal(fds[1].revents, 0);
	assert_int_equal(write(own[1], "x", 1), 1);
	assert_true(os_wait(handle, fds, 2) > 0);
	assert_int_not_equal(fds[0].revents, 0);
	close(fd);
	if (handle >= 0)
		close(handle);
}

static void
each_connection_is_taken_and_few_are_woken(void **state)
{
	struct pollfd fds[2] = {
	    {.fd = own[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	pid_t children[WAITERS];
	int tell[2], woken = 0, handle = os_wait_open(fds, 2);
	bool has_handle = handle >= 0;
	struct pollfd wait = {.events = POLLIN};
	char byte;

	(void)state;
	if (has_handle)
		close(handle);
	assert_int_equal(pipe(tell), 0);
	wait.fd = tell[0];
	for (int i = 0; i < WAITERS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			wait_and_tell(tell[1]);
	}
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(read(tell[0], &byte, 1), 1);
	usleep(50000); /* they say it before they wait */
	for (int i = 0; i < 4; i++) {
		int fd = call();

		/* the answer comes at once, not at the end of somebody's patience */
		assert_int_equal(poll(&wait, 1, 1000), 1);
		usleep(20000);
		close(fd);
	}
	while (poll(&wait, 1, 50) > 0 && read(tell[0], &byte, 1) == 1)
		woken++;
	assert_true(woken >= 4);
	if (has_handle) /* of the system: else all are woken */
		assert_true(woken < 4 * WAITERS);
	assert_int_equal(write(own[1], "x", 1), 1); /* stays there: all of them read no byte */
	for (int i = 0; i < WAITERS; i++)
		waitpid(children[i], NULL, 0);
	close(tell[0]);
	close(tell[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		a_connection_that_nobody_took_is_found, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		each_connection_is_taken_and_few_are_woken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
