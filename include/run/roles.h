/*
 * roles: the processes of the daemon below master.  Each is the `worker_main` of a pool.
 */
#ifndef RUN_ROLES_H
#define RUN_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/config.h"
#include "proc/pool.h"
#include "run/identity.h"

enum {
	LISTENERS_MAXIMUM = 32,
	JOB_WORKERS_MAXIMUM = 64,
	CHANNELS_MAXIMUM = JOB_WORKERS_MAXIMUM + 2, /* pipes of one role: the runner's */
};

/* What all of them know: one configuration and the pipes between them; made by master before it forks. */
struct daemon {
	struct config *config;
	struct identity identity; /* as whom they work */
	bool is_client_queue;	  /* -Ac */
	bool has_interval;	  /* -q30m */
	long interval_seconds;
	bool is_persistent;    /* -qp: a run begins when the one before has ended */
	const char *run_group; /* -qG: the one that is run; NULL: all */
	int64_t next_run_ms;   /* that of the runner before (clock.h); 0: there was none */
	/* sockets; ports[i] is NULL for the local one */
	int listen_fds[LISTENERS_MAXIMUM];
	const struct daemon_port *ports[LISTENERS_MAXIMUM];
	int listen_count;
	int local_fd;	   /* the local socket, -1: none */
	bool is_successor; /* there was a configuration before it */
	bool
	    is_on_demand; /* it takes no mail: job workers and twins come when there is work, and leave after it */
	/* hints of new messages, for whoever is the runner: [0] read [1] write; the same one after a reload */
	int kick_pipe[2];
	/* the runner's pipe [0] read [1] write; each job worker's; the spawn twin's socket [0] asks [1] serves */
	int runner_pipe[2];
	int worker_pipes[JOB_WORKERS_MAXIMUM][2];
	int worker_count;
	int smtpd_first_slot, smtpd_count; /* of the page: who serves TCP */
	int spawn_socket[2];
	/* look-ups in files that only root may read: [0] asks [1] serves; what each role may ask for */
	int job_lookups[2], smtpd_lookups[2];
	const char *const *job_maps, *const *smtpd_maps;
	void *client_tls, *server_tls;
	struct rates *rates; /* of SMTP clients (proc/rates.h) */
};

/* In roles that take no connection: a busy one must not hold a port when master is gone. */
void daemon_close_listeners(struct daemon *);

/*
 * In a role, before it opens anything: closes every descriptor but the standard ones, those to master,
 * the daemon's listening sockets and the channels listed.  Nobody can ask what is not his to ask, and what a dead
 * process left unanswered comes to its end.
 */
void daemon_keep_channels(struct daemon *, const struct worker *, const int *fds, int count);

/*
 * In a role that works as the mail user: what its work never needs is forbidden to it for good (os_sandbox).
 * Not where the workers are root's, where a map runs programs, which would inherit it, or where
 * $PILLARBOX_SANDBOX, of the daemon or of an E line, is "off".
 */
void daemon_sandbox(const struct daemon *);
/* The same for the root twin that only reads: it writes nowhere. */
void daemon_sandbox_reader(const struct daemon *);

worker_main runner_main;
worker_main job_worker_main;
worker_main smtpd_main;	      /* TCP */
worker_main refuse_main;      /* says 421 while all of them are busy */
worker_main smtpd_local_main; /* the local socket */
worker_main spawn_twin_main;
worker_main lookup_twin_main;

#endif
