#include "config.h"

#include "proc/daemonize.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/io.h"

bool
daemonize_detach(void)
{
	pid_t child = fork();

	if (child < 0)
		return false;
	if (child > 0)
		_exit(0);
	setsid();
	return true;
}

void
daemonize_answer(void)
{
	if (getenv(DAEMONIZE_ASKED) != NULL)
		io_printf(STDOUT_FILENO, "%s\n", DAEMONIZE_WORD);
}

bool
daemonize_is_taking_over(void)
{
	return getenv(DAEMONIZE_TAKEOVER) != NULL;
}

void
daemonize_close_terminal(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++) {
		if (fd != i)
			dup2(fd, i);
	}
	if (fd > 2)
		close(fd);
}
