/*
 * privilege_drop UID GID FOLDER: run as root; becomes the user and goes into the sandbox as a worker
 * does, and tries what an intruder would.  One line for each thing that should not have worked.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"
#include "proc/privilege.h"

static int wrong;

static void
expect(bool condition, const char *what)
{
	if (condition)
		return;
	printf("%s\n", what);
	wrong = 1;
}

static void
try_ids(uid_t uid, gid_t gid)
{
	gid_t group = 0;

	expect(getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid, "ids");
	expect(getgroups(0, NULL) == 0, "supplementary groups");
	expect(setuid(0) < 0 && seteuid(0) < 0 && setreuid(0, 0) < 0 && setreuid((uid_t)-1, 0) < 0,
	    "root again");
	expect(setgid(0) < 0 && setegid(0) < 0 && setregid(0, 0) < 0, "root's group again");
	expect(setgroups(1, &group) < 0, "groups");
	expect(open("/etc/shadow", O_RDONLY) < 0, "root's files");
	expect(chroot("/tmp") < 0, "chroot");
}

static int
run_true(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	return status;
}

static void
try_sandbox(const char *folder)
{
	const char *places[] = {folder, NULL};
	char inside[200], outside[200], other[200];

	snprintf(inside, sizeof inside, "%s/new", folder);
	snprintf(outside, sizeof outside, "%s-outside/new", folder);
	snprintf(other, sizeof other, "%s/newer", folder);
	expect(run_true() == 0, "a program without the sandbox");
	os_sandbox(places);
	expect(run_true() != 0, "a program");
	expect(socket(AF_INET, SOCK_STREAM, 0) >= 0 && socket(AF_UNIX, SOCK_STREAM, 0) >= 0,
	    "no socket for mail");
	expect(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EAFNOSUPPORT, "a raw socket");
	expect(open(inside, O_CREAT | O_RDWR | O_TRUNC, 0600) >= 0 && rename(inside, other) == 0 &&
		   unlink(other) == 0,
	    "no file of the queue");
	expect(open("/etc/passwd", O_RDONLY) >= 0, "no file to read");
	if (getenv("HAS_LANDLOCK") != NULL)
		expect(open(outside, O_CREAT | O_RDWR, 0600) < 0, "a file elsewhere");
}

int
main(int argc, char **argv)
{
	uid_t uid = argc == 4 ? (uid_t)atol(argv[1]) : 0;
	gid_t gid = argc == 4 ? (gid_t)atol(argv[2]) : 0;

	if (uid == 0 || !privilege_become(uid, gid, NULL)) {
		printf("cannot become %ld\n", (long)uid);
		return 1;
	}
	try_ids(uid, gid);
	try_sandbox(argv[3]);
	return wrong;
}
