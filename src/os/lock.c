#include "config.h"

#include <errno.h>
#include <fcntl.h>
#ifdef LOCK_FLOCK
#include <sys/file.h>
#endif

#include "os/os.h"

#ifdef LOCK_FLOCK

int
os_lock(int fd, enum os_lock kind, bool wait)
{
	int operation = kind == OS_LOCK_SHARED	    ? LOCK_SH
			: kind == OS_LOCK_EXCLUSIVE ? LOCK_EX
						    : LOCK_UN,
	    result;

	do
		result = flock(fd, operation | (wait ? 0 : LOCK_NB));
	while (result < 0 && errno == EINTR);
	return result;
}

const char *
os_lock_name(void)
{
	return "flock";
}

#else

int
os_lock(int fd, enum os_lock kind, bool wait)
{
	struct flock lock = {.l_whence = SEEK_SET};
	int result;

	lock.l_type = kind == OS_LOCK_SHARED	  ? F_RDLCK
		      : kind == OS_LOCK_EXCLUSIVE ? F_WRLCK
						  : F_UNLCK;
	do
		result = fcntl(fd, wait ? F_SETLKW : F_SETLK, &lock);
	while (result < 0 && errno == EINTR);
	if (result < 0 && errno == EACCES)
		errno = EWOULDBLOCK;
	return result;
}

const char *
os_lock_name(void)
{
	return "fcntl";
}

#endif
