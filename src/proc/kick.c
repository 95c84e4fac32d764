#include "config.h"

#include "proc/kick.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { PATIENCE_MS = 1000 };

static int runner_fd = -1;

void
kick_open(int fd)
{
	runner_fd = fd;
}

bool
kick_write(int fd, const struct kick *kick)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	for (;;) {
		ssize_t done = write(fd, kick, sizeof *kick);

		if (done == (ssize_t)sizeof *kick)
			return true;
		if (done < 0 && errno == EINTR)
			continue;
		if (done >= 0 || errno != EAGAIN || poll(&wait, 1, PATIENCE_MS) <= 0)
			return false;
	}
}

void
kick_send(const char *id, const char *lane)
{
	struct kick kick = {.kind = KICK_NEW, .slot = -1};

	if (runner_fd < 0)
		return;
	text_copy(kick.id, sizeof kick.id, id);
	if (!text_copy(kick.lane, sizeof kick.lane, lane))
		kick.lane[0] = '\0';
	kick_write(runner_fd, &kick);
}

void
kick_run_now(void)
{
	struct kick kick = {.kind = KICK_RUN_NOW, .slot = -1};

	if (runner_fd >= 0)
		kick_write(runner_fd, &kick);
}

int
kick_read(int fd, struct kick *kick)
{
	ssize_t got;

	do
		got = read(fd, kick, sizeof *kick);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got != (ssize_t)sizeof *kick)
		return -1;
	/* whoever wrote it: text ends somewhere */
	kick->id[sizeof kick->id - 1] = '\0';
	kick->lane[sizeof kick->lane - 1] = '\0';
	return 1;
}
