#include "config.h"

#include <fcntl.h>

#include "os/os.h"

int
os_duplicate(int fd, int lowest)
{
	/* not F_DUPFD_CLOEXEC: AIX 7.2 has the name and refuses it */
	int copy = fcntl(fd, F_DUPFD, lowest);

	if (copy >= 0)
		fcntl(copy, F_SETFD, FD_CLOEXEC);
	return copy;
}
