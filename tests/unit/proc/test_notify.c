#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/notify.h"

static int
manager(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strncpy(name.sun_path, path, sizeof name.sun_path - 1);
	unlink(path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
	return fd;
}

static const char *
received(int fd)
{
	static char text[200];
	ssize_t got = recv(fd, text, sizeof text - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void
goes_to_the_path(void **state)
{
	char path[] = "/tmp/notifyXXXXXX";
	int made = mkstemp(path), fd;

	(void)state;
	close(made);
	fd = manager(path);
	setenv("NOTIFY_SOCKET", path, 1);
	notify_send("READY=1");
	assert_string_equal(received(fd), "READY=1");
	notify_reloading();
	assert_non_null(strstr(received(fd), "RELOADING=1\nMONOTONIC_USEC="));
	close(fd);
	notify_send("STOPPING=1"); /* nobody is there any more */
	unlink(path);
	notify_send("STOPPING=1");
}

static void
nobody_at_bad_addresses(void **state)
{
	char longer[300];

	(void)state;
	memset(longer, 'x', sizeof longer);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "neither/a/path/from/the/root", 1);
	notify_send("READY=1");
	setenv("NOTIFY_SOCKET", "", 1);
	notify_send("READY=1");
	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_to_the_path),
	    cmocka_unit_test(nobody_at_bad_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
