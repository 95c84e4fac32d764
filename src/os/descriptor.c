#include "config.h"

#include <fcntl.h>

#include "os/os.h"

long
os_modified_nanoseconds(const struct stat *status)
{
#if defined(HAVE_STRUCT_STAT_ST_MTIM_TV_NSEC)
	return (long)status->st_mtim.tv_nsec;
#elif defined(HAVE_STRUCT_STAT_ST_MTIME_N)
	return (long)status->st_mtime_n;
#else
	(void)status;
	return 0;
#endif
}

int
os_duplicate(int fd, int lowest)
{
	/* not F_DUPFD_CLOEXEC: AIX 7.2 has the name and refuses it */
	int copy = fcntl(fd, F_DUPFD, lowest);

	if (copy >= 0)
		fcntl(copy, F_SETFD, FD_CLOEXEC);
	return copy;
}
