#include "map_internal.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "os/os.h"

enum { LOCK_WAIT_SECONDS = 30, LOCK_POLL_MS = 20 };

void
map_stamp_take(struct map_stamp *stamp, const struct stat *status)
{
	*stamp = (struct map_stamp){status->st_dev, status->st_ino, status->st_size,
	    {status->st_mtime, os_modified_nanoseconds(status)}};
}

bool
map_stamp_equal(const struct map_stamp *left, const struct map_stamp *right)
{
	return left->device == right->device && left->inode == right->inode &&
	       left->size == right->size && left->changed.tv_sec == right->changed.tv_sec &&
	       left->changed.tv_nsec == right->changed.tv_nsec;
}

bool
map_lock_shared(int fd)
{
	int64_t deadline = DEADLINE_NEVER;

	while (os_lock(fd, OS_LOCK_SHARED, false) < 0) {
		if (errno != EWOULDBLOCK && errno != EAGAIN)
			return true; /* a file system without locks: V8 reads as well */
		if (deadline == DEADLINE_NEVER)
			deadline = deadline_in(LOCK_WAIT_SECONDS);
		else if (deadline_passed(deadline))
			return false;
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return true;
}

void
map_unlock(int fd)
{
	os_lock(fd, OS_LOCK_NONE, false);
}
