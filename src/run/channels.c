#include "config.h"

#include <stdbool.h>
#include <unistd.h>

#include "run/roles.h"

static void
close_unless_kept(int *fd, const int *kept, int count)
{
	for (int i = 0; i < count; i++) {
		if (*fd == kept[i])
			return;
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
daemon_keep_channels(struct daemon *daemon, const int *fds, int count)
{
	for (int end = 0; end < 2; end++) {
		close_unless_kept(&daemon->kick_pipe[end], fds, count);
		close_unless_kept(&daemon->runner_pipe[end], fds, count);
		close_unless_kept(&daemon->spawn_socket[end], fds, count);
		close_unless_kept(&daemon->job_lookups[end], fds, count);
		close_unless_kept(&daemon->smtpd_lookups[end], fds, count);
		for (int i = 0; i < daemon->worker_count; i++)
			close_unless_kept(&daemon->worker_pipes[i][end], fds, count);
	}
}
