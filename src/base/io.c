#include "base/io.h"

#include <errno.h>
#include <unistd.h>

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
