#include "base/io.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/str.h"

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
