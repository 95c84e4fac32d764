#include "config.h"

#include <unistd.h>

#include "base/clock.h"
#include "deliver/spawn.h"
#include "map/twin.h"
#include "os/os.h"
#include "run/roles.h"

/* The two roles that stay root.  Each knows one thing, and does it only for what its own cf names. */

int
spawn_twin_main(struct worker *worker, void *context)
{
	struct daemon *daemon = context;

	os_title("spawn");
	daemon_close_listeners(daemon);
	daemon_keep_channels(daemon, worker, &daemon->spawn_socket[1], 1);
	slot_set_state(worker->slot, SLOT_IDLE, DEADLINE_NEVER, "waiting");
	spawn_serve(daemon->config, daemon->spawn_socket[1], worker->life_fd);
	return 0;
}

int
lookup_twin_main(struct worker *worker, void *context)
{
	struct daemon *daemon = context;
	struct map_twin_policy channels[2] = {
	    {.fd = daemon->job_lookups[1], .maps = daemon->job_maps},
	    {.fd = daemon->smtpd_lookups[1], .maps = daemon->smtpd_maps},
	};

	os_title("look-up");
	daemon_close_listeners(daemon);
	daemon_keep_channels(
	    daemon, worker, (int[]){daemon->job_lookups[1], daemon->smtpd_lookups[1]}, 2);
	daemon_sandbox_reader(daemon);
	slot_set_state(worker->slot, SLOT_IDLE, DEADLINE_NEVER, "waiting");
	map_twin_serve(channels, 2, worker->life_fd, daemon->config->maps);
	return 0;
}
