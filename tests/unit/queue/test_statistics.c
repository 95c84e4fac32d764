#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/os.h"
#include "queue/statistics.h"

static char file[64];

static int
make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(file, sizeof file, "/tmp/pillarbox-statistics.XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

static void
test_counts_are_added_up(void **state)
{
	struct statistics now;

	(void)state;
	assert_int_equal(statistics_read(file, &now), STATISTICS_GOOD);
	assert_int_equal(now.messages_from[3], 0);
	for (int i = 0; i < 2; i++) {
		statistics_count_message(STATISTICS_FROM, 3, 1);
		statistics_count_message(STATISTICS_FROM, 3, 1025);
		statistics_count_message(STATISTICS_TO, 24, 0);
		statistics_count_message(STATISTICS_REFUSED, 0, 0);
		statistics_count_message(STATISTICS_DISCARDED, 1, 0);
		statistics_count_message(STATISTICS_QUARANTINED, 2, 0);
		statistics_count_connection_from();
		statistics_count_connection_to();
		statistics_count_session_refused();
		statistics_post(file);
	}
	assert_int_equal(statistics_read(file, &now), STATISTICS_GOOD);
	assert_int_equal(now.messages_from[3], 4);
	assert_int_equal(now.kib_from[3], 6);
	assert_int_equal(now.messages_to[24], 2);
	assert_int_equal(now.kib_to[24], 0);
	assert_int_equal(now.messages_refused[0], 2);
	assert_int_equal(now.messages_discarded[1], 2);
	assert_int_equal(now.messages_quarantined[2], 2);
	assert_int_equal(now.connections_from, 2);
	assert_int_equal(now.connections_to, 2);
	assert_int_equal(now.sessions_refused, 2);
}

static void
test_mailers_beyond_the_file_are_not_counted(void **state)
{
	struct statistics before, after;

	(void)state;
	statistics_count_connection_from();
	statistics_post(file);
	assert_int_equal(statistics_read(file, &before), STATISTICS_GOOD);
	statistics_count_message(STATISTICS_TO, STATISTICS_MAILERS, 1);
	statistics_count_message(STATISTICS_TO, -1, 1);
	statistics_post(file);
	assert_int_equal(statistics_read(file, &after), STATISTICS_GOOD);
	assert_memory_equal(&before, &after, sizeof before);
}

static void
write_bytes(const void *bytes, size_t length)
{
	int fd = open(file, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

static void
test_what_is_no_statistics_file_is_left_alone(void **state)
{
	static const char text[] = "something else, which is longer than a head\n";
	struct statistics other = {.magic = 0x1B1DE, .version = 3, .size = (int)sizeof other}, now;
	char bytes[sizeof text];
	int fd;

	(void)state;
	write_bytes(text, sizeof text);
	assert_int_equal(statistics_read(file, &now), STATISTICS_FOREIGN);
	statistics_count_connection_from();
	statistics_post(file);
	fd = open(file, O_RDONLY);
	assert_int_equal((int)read(fd, bytes, sizeof bytes), sizeof text);
	close(fd);
	assert_memory_equal(bytes, text, sizeof text);
	write_bytes(&other, sizeof other);
	assert_int_equal(statistics_read(file, &now), STATISTICS_OTHER_VERSION);
	assert_int_equal(now.version, 3);
	other.version = STATISTICS_VERSION;
	write_bytes(&other, sizeof other - 1);
	assert_int_equal(statistics_read(file, &now), STATISTICS_OTHER_SIZE);
	assert_int_equal(statistics_read("/nonexistent/file", &now), STATISTICS_UNREADABLE);
}

static void
test_a_held_lock_delays_the_counts_alone(void **state)
{
	struct statistics now;
	int ready[2], go[2], status;
	char byte = 0;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	child = fork();
	if (child == 0) {
		int fd = open(file, O_RDWR);

		if (os_lock(fd, OS_LOCK_EXCLUSIVE, true) != 0 || write(ready[1], &byte, 1) != 1)
			_exit(1);
		_exit((int)read(go[0], &byte, 1) == 1 ? 0 : 1);
	}
	assert_int_equal((int)read(ready[0], &byte, 1), 1);
	statistics_count_connection_from();
	statistics_post(file);
	assert_int_equal(statistics_read(file, &now), STATISTICS_GOOD);
	assert_int_equal(now.connections_from, 0);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	statistics_post(file);
	assert_int_equal(statistics_read(file, &now), STATISTICS_GOOD);
	assert_int_equal(now.connections_from, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_counts_are_added_up, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(
		test_mailers_beyond_the_file_are_not_counted, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(
		test_what_is_no_statistics_file_is_left_alone, make_file, remove_file),
	    cmocka_unit_test_setup_teardown(
		test_a_held_lock_delays_the_counts_alone, make_file, remove_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
