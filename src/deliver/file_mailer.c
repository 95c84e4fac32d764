#include "deliver/file_mailer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "os/os.h"

enum { LOCK_SECONDS = 60, ALL_EXECUTE = S_IXUSR | S_IXGRP | S_IXOTH };

void
file_mailer_take_owner(const char *path, uid_t *uid, gid_t *gid)
{
	struct stat status;

	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode) ||
	    (status.st_mode & ALL_EXECUTE) != 0)
		return;
	if ((status.st_mode & S_ISUID) != 0 && status.st_uid != 0)
		*uid = status.st_uid;
	if ((status.st_mode & S_ISGID) != 0 && status.st_gid != 0)
		*gid = status.st_gid;
}

static int
complain(int exit_status, const char *path, const char *reason)
{
	io_printf(STDERR_FILENO, "%s: %s\n", path, reason);
	return exit_status;
}

/* What is wrong with an open file, or NULL. */
static const char *
judge(const struct stat *status, uid_t uid, const struct options *options)
{
	if (!S_ISREG(status->st_mode))
		return "not a regular file";
	if ((status->st_mode & ALL_EXECUTE) != 0)
		return "is executable";
	if (status->st_nlink > 1 && !option_blames(options, BLAME_FILE_DELIVERY_TO_HARD_LINK))
		return "has more than one name";
	if ((status->st_mode & S_ISUID) != 0 && status->st_uid != uid && status->st_uid != 0)
		return "set-user-id bit of another user";
	return NULL;
}

static int
open_file(const char *path, const struct options *options)
{
	int flags = O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, fd;

	if (!option_blames(options, BLAME_FILE_DELIVERY_TO_SYM_LINK))
		flags |= O_NOFOLLOW;
	fd = open(path, flags);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	if (fd < 0 && errno == EEXIST) /* somebody else made it meanwhile */
		fd = open(path, flags);
	return fd;
}

static bool
lock(int fd)
{
	int64_t deadline = deadline_in(LOCK_SECONDS);

	while (os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0) {
		if (deadline_passed(deadline))
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	return true;
}

/* 0, or an errno; then the file is as long as before. */
static int
append(int fd, int input)
{
	struct stat before;
	char buffer[16384];
	ssize_t got;
	int reason;

	if (fstat(fd, &before) < 0)
		return errno;
	for (;;) {
		got = read(input, buffer, sizeof buffer);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || !io_write(fd, buffer, (size_t)got))
			break;
	}
	if (got == 0 && fsync(fd) == 0)
		return 0;
	reason = errno;
	if (ftruncate(fd, before.st_size) < 0)
		io_printf(STDERR_FILENO, "ftruncate: %s\n", strerror(errno));
	return reason;
}

static int
drain(int input)
{
	char buffer[16384];
	ssize_t got;

	do
		got = read(input, buffer, sizeof buffer);
	while (got > 0 || (got < 0 && errno == EINTR));
	return EX_OK;
}

int
file_mailer_append(const char *path, uid_t uid, const struct options *options, int input)
{
	struct stat status;
	const char *wrong;
	int fd, error;

	if (strcmp(path, "/dev/null") == 0)
		return drain(input);
	fd = open_file(path, options);
	if (fd < 0) {
		error = errno;
		return complain(error == EMFILE || error == ENFILE || error == ENOSPC ||
					error == EDQUOT || error == EIO || error == ESTALE
				    ? EX_IOERR
				    : EX_CANTCREAT,
		    path, strerror(error));
	}
	wrong = fstat(fd, &status) < 0 ? strerror(errno) : judge(&status, uid, options);
	if (wrong != NULL) {
		close(fd);
		return complain(EX_CANTCREAT, path, wrong);
	}
	if (!lock(fd)) {
		close(fd);
		return complain(EX_TEMPFAIL, path, "is locked");
	}
	error = append(fd, input);
	close(fd);
	return error == 0 ? EX_OK : complain(EX_IOERR, path, strerror(error));
}
