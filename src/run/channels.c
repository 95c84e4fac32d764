#include "config.h"

#include <stdbool.h>
#include <unistd.h>

#include "base/log.h"
#include "os/os.h"
#include "proc/signals.h"
#include "run/roles.h"

enum { OWN_DESCRIPTORS = 8 /* standard ones, pipes to master, signals */ };

static bool
is_kept(int fd, const int *kept, int count)
{
	for (int i = 0; i < count; i++) {
		if (fd == kept[i])
			return true;
	}
	return false;
}

static void
forget_unless_kept(int *fd, const int *kept, int count)
{
	if (!is_kept(*fd, kept, count))
		*fd = -1;
}

void
daemon_keep_channels(struct daemon *daemon, const struct worker *worker, const int *fds, int count)
{
	int kept[OWN_DESCRIPTORS + LISTENERS_MAXIMUM + 1 + CHANNELS_MAXIMUM] = {
	    0, 1, 2, worker->life_fd, worker->poke_fd};
	int own = 5 + signals_descriptors(kept + 5);

	for (int i = 0; i < daemon->listen_count; i++)
		kept[own++] = daemon->listen_fds[i];
	kept[own++] = daemon->local_fd;
	for (int i = 0; i < count && i < CHANNELS_MAXIMUM; i++)
		kept[own++] = fds[i];
	log_close();
	/* all else as well: what master has for others, older configurations, whoever started the daemon */
	os_close_all_but(kept, own);
	for (int end = 0; end < 2; end++) {
		forget_unless_kept(&daemon->kick_pipe[end], kept, own);
		forget_unless_kept(&daemon->runner_pipe[end], kept, own);
		forget_unless_kept(&daemon->spawn_socket[end], kept, own);
		forget_unless_kept(&daemon->job_lookups[end], kept, own);
		forget_unless_kept(&daemon->smtpd_lookups[end], kept, own);
		for (int i = 0; i < daemon->worker_count; i++)
			forget_unless_kept(&daemon->worker_pipes[i][end], kept, own);
	}
}
