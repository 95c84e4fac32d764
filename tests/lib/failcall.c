/*
 * failcall: a library for LD_PRELOAD that lets the Nth system call on chosen files fail, kills the program
 * there, or writes down what was called, so that a test can try every single place.
 *
 *   FAIL_PATH=TEXT    only calls on files whose path contains TEXT count (default: all)
 *   FAIL_AT=N         the Nth of them fails, with FAIL_WITH=EIO|ENOSPC|EDQUOT|EROFS|EINTR|short
 *   FAIL_FROM=N       that one and all later ones (opening for reading alone does not)
 *   KILL_AT=N         SIGKILL in place of the Nth
 *   TRACE_TO=FILE     one line a call, appended: NUMBER CALL RESULT PATH ARGUMENT (data in hex)
 *
 * Calls are open, write, fsync, rename, close, link, unlink, fchmod, fchown and their relatives.  A call
 * that stdio makes inside the C library is not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum action { GO_ON, FAIL, SHORTEN };

static long calls;
static int is_inside; /* our own calls do not count */

/* Read when the program starts: it may well clean its environment. */
static long kill_at, fail_at, fail_from;
static int fail_with;
static const char *counted_part, *trace_file;

static long
setting(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? atol(value) : 0;
}

static int
wanted_error(void)
{
	static const struct {
		const char *name;
		int value;
	} rows[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
	    {"EINTR", EINTR}, {"short", 0}};
	const char *name = getenv("FAIL_WITH");

	for (size_t i = 0; name != NULL && i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].value;
	}
	return EIO;
}

static const char *
copy_setting(const char *name)
{
	const char *value = getenv(name);

	return value != NULL ? strdup(value) : NULL;
}

__attribute__((constructor)) static void
start(void)
{
	kill_at = setting("KILL_AT");
	fail_at = setting("FAIL_AT");
	fail_from = setting("FAIL_FROM");
	fail_with = wanted_error();
	counted_part = copy_setting("FAIL_PATH");
	trace_file = copy_setting("TRACE_TO");
}

static void
path_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	path[length > 0 ? length : 0] = '\0';
}

static void
path_at(int directory, const char *name, char path[PATH_MAX])
{
	size_t length;

	if (name[0] == '/') {
		snprintf(path, PATH_MAX, "%s", name);
		return;
	}
	if (directory == AT_FDCWD) {
		if (getcwd(path, PATH_MAX) == NULL)
			path[0] = '\0';
	} else {
		path_of_fd(directory, path);
	}
	length = strlen(path);
	snprintf(path + length, PATH_MAX - length, "/%s", name);
}

static int
is_counted(const char *path)
{
	return counted_part == NULL || strstr(path, counted_part) != NULL;
}

static void
trace(const char *call, long result, const char *path, const char *argument, const void *data,
    size_t length)
{
	static const char digits[] = "0123456789abcdef";
	size_t size, at;
	char *line;
	int fd;

	if (trace_file == NULL)
		return;
	size = strlen(path) + strlen(argument) + 2 * length + 100;
	line = malloc(size);
	if (line == NULL)
		return;
	at = (size_t)snprintf(line, size, "%ld %s %ld %s %s", calls, call, result, path, argument);
	for (size_t i = 0; i < length; i++) {
		line[at++] = digits[((const unsigned char *)data)[i] >> 4];
		line[at++] = digits[((const unsigned char *)data)[i] & 15];
	}
	line[at++] = '\n';
	fd = (int)syscall(
	    SYS_openat, AT_FDCWD, trace_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0) {
		syscall(SYS_write, fd, line, at);
		syscall(SYS_close, fd);
	}
	free(line);
}

/* Counts one call and says what is to become of it. */
static enum action
count(const char *path)
{
	if (!is_counted(path))
		return GO_ON;
	calls++;
	if (calls == kill_at)
		kill(getpid(), SIGKILL);
	if (calls != fail_at && (fail_from == 0 || calls < fail_from))
		return GO_ON;
	if (fail_with == 0)
		return SHORTEN;
	errno = fail_with;
	return FAIL;
}

/* Every wrapper: PATH known, then the real call by number, so that no symbol has to be looked up. */
static int
finish(const char *call, int result, const char *path, const char *argument)
{
	int saved = errno;

	if (is_counted(path))
		trace(call, result, path, argument, NULL, 0);
	errno = saved;
	return result;
}

static int
do_open(int directory, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX], argument[32];
	int result;

	path_at(directory, name, path);
	result = count(path) == FAIL ? -1 : (int)syscall(SYS_openat, directory, name, flags, mode);
	snprintf(argument, sizeof argument, "%s%s", (flags & O_CREAT) != 0 ? "create" : "",
	    (flags & O_TRUNC) != 0 ? "truncate" : "");
	return finish("open", result, path, argument);
}

#define OPEN_MODE(flags)                     \
	mode_t mode = 0;                     \
	if (((flags)&O_CREAT) != 0) {        \
		va_list list;                \
		va_start(list, flags);       \
		mode = va_arg(list, mode_t); \
		va_end(list);                \
	}

int
open(const char *name, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(AT_FDCWD, name, flags, mode);
}

int
openat(int directory, const char *name, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(directory, name, flags, mode);
}

int
openat64(int directory, const char *name, int flags, ...)
{
	OPEN_MODE(flags)
	return do_open(directory, name, flags, mode);
}

ssize_t
write(int fd, const void *data, size_t length)
{
	char path[PATH_MAX];
	enum action action;
	ssize_t result;
	int saved;

	if (is_inside)
		return syscall(SYS_write, fd, data, length);
	is_inside = 1;
	path_of_fd(fd, path);
	action = count(path);
	result = action == FAIL ? -1
				: (ssize_t)syscall(SYS_write, fd, data,
				      action == SHORTEN && length > 1 ? length / 2 : length);
	saved = errno;
	if (is_counted(path))
		trace("write", result, path, "", data, result > 0 ? (size_t)result : 0);
	errno = saved;
	is_inside = 0;
	return result;
}

static int
on_fd(const char *call, long number, int fd)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	return finish(call, count(path) == FAIL ? -1 : (int)syscall(number, fd), path, "");
}

int
fsync(int fd)
{
	return on_fd("fsync", SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return on_fd("fsync", SYS_fdatasync, fd);
}

int
close(int fd)
{
	char path[PATH_MAX];
	int result;

	if (is_inside)
		return (int)syscall(SYS_close, fd);
	path_of_fd(fd, path);
	if (count(path) == FAIL) {
		/* what is closed is closed, whatever close says */
		int saved = errno;

		syscall(SYS_close, fd);
		errno = saved;
		result = -1;
	} else {
		result = (int)syscall(SYS_close, fd);
	}
	return finish("close", result, path, "");
}

int
fchmod(int fd, mode_t mode)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	return finish(
	    "fchmod", count(path) == FAIL ? -1 : (int)syscall(SYS_fchmod, fd, mode), path, "");
}

int
fchown(int fd, uid_t owner, gid_t group)
{
	char path[PATH_MAX];

	path_of_fd(fd, path);
	return finish("fchown",
	    count(path) == FAIL ? -1 : (int)syscall(SYS_fchown, fd, owner, group), path, "");
}

static int
do_rename(int from_directory, const char *from, int to_directory, const char *to)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];

	path_at(from_directory, from, from_path);
	path_at(to_directory, to, to_path);
	return finish("rename",
	    count(to_path) == FAIL
		? -1
		: (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0),
	    from_path, to_path);
}

int
rename(const char *from, const char *to)
{
	return do_rename(AT_FDCWD, from, AT_FDCWD, to);
}

int
renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return do_rename(from_directory, from, to_directory, to);
}

static int
do_link(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];

	path_at(from_directory, from, from_path);
	path_at(to_directory, to, to_path);
	return finish("link",
	    count(to_path) == FAIL
		? -1
		: (int)syscall(SYS_linkat, from_directory, from, to_directory, to, flags),
	    from_path, to_path);
}

int
link(const char *from, const char *to)
{
	return do_link(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	return do_link(from_directory, from, to_directory, to, flags);
}

static int
do_unlink(int directory, const char *name, int flags)
{
	char path[PATH_MAX];

	path_at(directory, name, path);
	return finish("unlink",
	    count(path) == FAIL ? -1 : (int)syscall(SYS_unlinkat, directory, name, flags), path,
	    "");
}

int
unlink(const char *name)
{
	return do_unlink(AT_FDCWD, name, 0);
}

int
unlinkat(int directory, const char *name, int flags)
{
	return do_unlink(directory, name, flags);
}
