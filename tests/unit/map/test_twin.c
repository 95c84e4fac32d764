#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "map/build.h"
#include "map/twin.h"

enum { NOBODY = 65534 };

static char directory[64], secret[96], hidden[96];
static int channel[2], life[2], unread[2];
static pid_t twin;

static void
build(const char *path)
{
	struct map_build_request request = {.path = path, .type = MAP_BUILD_HASH, .mode = 0600};
	int error;
	struct map_build *map = map_build_open(&request, &error);

	assert_non_null(map);
	assert_int_equal(
	    map_build_put(map, "authinfo:host", 13, "\"U:%0\" \"P:password\"", 19, false), 0);
	assert_int_equal(map_build_finish(map), 0);
}

static void
declare(struct map_set *set, struct arena *arena, const char *name, const char *arguments)
{
	const char *error;

	assert_non_null(map_declare(set, name, "hash", arguments, arena, &error));
	assert_null(error);
}

/*
 * Who runs the tests may be root, whom no mode keeps out, or not, who cannot keep himself out of what
 * he must read: the twin's map is at one path, the asker's at another that he may not read.
 */
static void
run_twin(void)
{
	static const char *const allowed[] = {"authinfo", "missing", NULL};
	struct map_twin_policy policy = {.fd = channel[0], .maps = allowed};
	struct map_set *set = map_set_create();
	struct arena *arena = arena_create();

	close(channel[1]);
	close(life[1]);
	declare(set, arena, "authinfo", arena_printf(arena, "%s", secret));
	declare(set, arena, "other", arena_printf(arena, "%s", secret));
	declare(set, arena, "missing", "/nonexistent");
	map_twin_serve(&policy, 1, life[0], set);
	map_set_destroy(set);
	arena_destroy(arena);
	_exit(0);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test_twin.XXXXXX");
	if (mkdtemp(directory) == NULL || map_twin_channel(channel) < 0 || pipe(life) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, unread) < 0)
		return -1;
	chmod(directory, 0755);
	snprintf(secret, sizeof secret, "%s/secret.db", directory);
	snprintf(hidden, sizeof hidden, "%s/hidden.db", directory);
	build(secret);
	build(hidden);
	chmod(hidden, 0);
	twin = fork();
	if (twin == 0)
		run_twin();
	close(channel[0]);
	close(life[0]);
	return 0;
}

static int
tear_down(void **state)
{
	int status = 1;

	(void)state;
	close(life[1]);
	waitpid(twin, &status, 0);
	close(channel[1]);
	close(unread[0]);
	close(unread[1]);
	unlink(secret);
	unlink(hidden);
	rmdir(directory);
	map_set_twin(-1);
	return status;
}

/* In a process without rights: what map `name` answers, and the exit status of a broken expectation. */
static void
expect_answer(const char *name, const char *options, int status, const char *value)
{
	pid_t child = fork();
	int exit_status;

	if (child == 0) {
		struct map_set *set = map_set_create();
		struct arena *arena = arena_create();
		struct map_result result;

		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(2);
		map_set_twin(channel[1]);
		declare(set, arena, name, arena_printf(arena, "%s %s", options, hidden));
		map_lookup(map_find(set, name), "AuthInfo:Host", NULL, 0, NULL, arena, &result);
		if (result.status != status || result.found != (value != NULL))
			_exit(3);
		if (value != NULL && strcmp(result.value, value) != 0)
			_exit(4);
		map_set_destroy(set);
		arena_destroy(arena);
		_exit(0);
	}
	waitpid(child, &exit_status, 0);
	assert_int_equal(exit_status, 0);
}

static void
answers_for_what_we_may_not_read(void **state)
{
	(void)state;
	/* the twin folds the key; %0 and -a are the asker's */
	expect_answer("authinfo", "", 0, "\"U:AuthInfo:Host\" \"P:password\"");
	expect_answer("authinfo", "-a.x", 0, "\"U:AuthInfo:Host\" \"P:password\".x");
	expect_answer("authinfo", "-m", 0, "AuthInfo:Host");
	expect_answer("missing", "", 75, NULL);
}

static void
refuses_maps_that_are_not_of_the_channel(void **state)
{
	(void)state;
	expect_answer("other", "", 77, NULL);
	expect_answer("unknown", "", 77, NULL);
}

static void
a_dead_twin_is_a_temporary_failure(void **state)
{
	(void)state;
	kill(twin, SIGKILL);
	expect_answer("authinfo", "", 75, NULL);
	waitpid(twin, NULL, 0);
	twin = fork();
	if (twin == 0)
		_exit(0);
}

static void
send_bytes(const void *bytes, size_t length, int descriptor_count)
{
	struct iovec part = {(void *)bytes, length};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fds[4] = {unread[1], unread[1], unread[1], unread[1]};

	if (descriptor_count > 0) {
		size_t size = sizeof(int) * (size_t)descriptor_count;

		memset(&control, 0, sizeof control);
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(size);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.header), fds, size);
	}
	for (;;) {
		struct pollfd wait = {.fd = channel[1], .events = POLLOUT};

		if (sendmsg(channel[1], &message, 0) >= 0)
			return;
		poll(&wait, 1, 1000);
	}
}

static void
garbage_does_no_harm(void **state)
{
	static const uint32_t lengths[] = {0, 1, 8, 255, 256, 4096, 0x7fffffff, 0xffffffff};
	unsigned char bytes[8192];
	uint32_t seed = 4711;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		size_t length;

		for (size_t i = 0; i < sizeof bytes; i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = (unsigned char)(seed >> 24);
		}
		length = seed % sizeof bytes;
		if (round % 2 == 0) { /* a right start, wrong lengths */
			uint32_t start[3] = {
			    0x50425431, lengths[round / 2 % 8], lengths[round / 16 % 8]};

			memcpy(bytes, start, sizeof start);
			length = round % 3 == 0 ? sizeof start : length;
		}
		send_bytes(bytes, length > 0 ? length : 1, round % 5);
	}
	expect_answer("authinfo", "", 0, "\"U:AuthInfo:Host\" \"P:password\"");
}

/* Questions whose answers nobody reads. */
static void
who_does_not_read_holds_nobody_up(void **state)
{
	struct question {
		uint32_t magic, name_length, key_length;
		char bytes[8 + 13 + 1];
	} question = {0x50425431, 8, 13, "authinfoauthinfo:host"};

	(void)state;
	for (int i = 0; i < 300; i++)
		send_bytes(&question, offsetof(struct question, bytes) + 8 + 13, 1);
	expect_answer("authinfo", "", 0, "\"U:AuthInfo:Host\" \"P:password\"");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(answers_for_what_we_may_not_read),
	    TEST(refuses_maps_that_are_not_of_the_channel),
	    TEST(a_dead_twin_is_a_temporary_failure),
	    TEST(garbage_does_no_harm),
	    TEST(who_does_not_read_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
