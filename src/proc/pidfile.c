#include "config.h"

#include "proc/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/io.h"
#include "os/os.h"

static int pid_fd = -1;
static char *pid_path;

static bool
open_file(const char *path)
{
	struct stat status;

	if (pid_fd >= 0 && strcmp(pid_path, path) == 0)
		return true;
	pidfile_remove();
	pid_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (pid_fd < 0)
		return false;
	if (fstat(pid_fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
		close(pid_fd);
		pid_fd = -1;
		errno = EINVAL;
		return false;
	}
	fcntl(pid_fd, F_SETFD, FD_CLOEXEC);
	pid_path = check_strdup(path);
	/* the lock tells scripts that the daemon lives; one that another process holds is not ours to judge */
	(void)os_lock(pid_fd, OS_LOCK_EXCLUSIVE, false);
	return true;
}

bool
pidfile_write(const char *path, const char *command_line)
{
	if (path == NULL || !open_file(path))
		return false;
	/* the text is never gone, not for the moment of a reload: scripts read it at any time */
	return lseek(pid_fd, 0, SEEK_SET) == 0 &&
	       io_printf(pid_fd, "%ld\n%s\n", (long)getpid(), command_line) &&
	       ftruncate(pid_fd, lseek(pid_fd, 0, SEEK_CUR)) == 0;
}

void
pidfile_remove(void)
{
	struct stat ours, there;

	if (pid_fd < 0)
		return;
	if (fstat(pid_fd, &ours) == 0 && lstat(pid_path, &there) == 0 &&
	    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
		unlink(pid_path);
	pidfile_forget();
}

void
pidfile_forget(void)
{
	if (pid_fd < 0)
		return;
	close(pid_fd);
	free(pid_path);
	pid_fd = -1;
	pid_path = NULL;
}
