#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/str.h"

enum { COPY_BLOCK = 32 * 1024 };

bool
io_write(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0) {
		ssize_t done = write(fd, at, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (done == 0) /* no system should; a loop would never end then */
				errno = ENOSPC;
			return false;
		}
		at += done;
		length -= (size_t)done;
	}
	return true;
}

bool
io_printf(int fd, const char *format, ...)
{
	struct str text = {0};
	va_list arguments;
	bool written;

	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	written = io_write(fd, str_text(&text), text.length);
	str_free(&text);
	return written;
}

bool
io_copy(int from, int to)
{
	char block[COPY_BLOCK];
	off_t at = 0;

	for (;;) {
		ssize_t got = pread(from, block, sizeof block, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		if (!io_write(to, block, (size_t)got))
			return false;
		at += got;
	}
}

bool
io_make_pipe(int pair[2])
{
	if (pipe(pair) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		fcntl(pair[i], F_SETFD, FD_CLOEXEC);
		fcntl(pair[i], F_SETFL, O_NONBLOCK);
	}
	return true;
}
