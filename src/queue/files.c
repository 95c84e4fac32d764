#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

int
files_open(int directory, const char *name, int flags, struct stat *status)
{
	int fd;

	/* asked first so that a fifo or device is not even opened; again afterwards, for a name that changed */
	if (fstatat(directory, name, status, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISREG(status->st_mode)) {
		errno = ELOOP;
		return -1;
	}
	fd = openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, status) < 0 || !S_ISREG(status->st_mode))) {
		close(fd);
		errno = ELOOP;
		return -1;
	}
	return fd;
}

int
files_sync(int fd)
{
	int result;

	do
		result = fsync(fd);
	while (result < 0 && errno == EINTR);
	return result;
}

int
files_read_control(int fd, off_t size, struct str *content)
{
	char block[8192];

	if (size > QUEUE_CONTROL_MAXIMUM) {
		errno = EFBIG;
		return -1;
	}
	str_reserve(content, (size_t)size);
	for (;;) {
		ssize_t count = read(fd, block, sizeof block);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return (int)count;
		if (content->length + (size_t)count > QUEUE_CONTROL_MAXIMUM) {
			errno = EFBIG;
			return -1;
		}
		str_add(content, block, (size_t)count);
	}
}

void
files_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

bool
files_is_named(int directory, const char *name, int fd)
{
	struct stat named, opened;

	return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev &&
	       named.st_ino == opened.st_ino;
}

int
files_directory(const struct queue *queue, char kind)
{
	return kind == 'd' ? queue->df_dir : kind == 'x' ? queue->xf_dir : queue->qf_dir;
}

void
files_complain(struct queue *queue, const char *id, const char *format, ...)
{
	int saved = errno;
	const struct passwd *user = getpwuid(getuid());
	va_list arguments;

	str_clear(&queue->complaint_text);
	va_start(arguments, format);
	str_vprintf(&queue->complaint_text, format, arguments);
	va_end(arguments);
	queue->complaint = str_text(&queue->complaint_text);
	log_at(0, LOG_CRIT, "%s: SYSERR(%s): %s", id, user != NULL ? user->pw_name : "unknown",
	    queue->complaint);
	errno = saved;
}
