/*
 * master: the daemon's first process.  It opens the ports, forks the roles and replaces them, takes
 * signals, and does no other work: no byte of a message or of the network reaches it.  After its
 * start it never ends by an error of its own.
 */
#ifndef RUN_MASTER_H
#define RUN_MASTER_H

#include <stdbool.h>

#include "base/str.h"
#include "conf/config.h"

struct master_settings {
	struct config *config; /* master's from now on */
	/* a new configuration, or NULL when it has errors: logged by the callee, and added to `reason`, one a line */
	struct config *(*read_again)(void *context, struct str *reason);
	void *context;
	/* what a new configuration is checked with before, and what takes over when it is newer */
	const char *executable;
	char *const *argv;    /* NULL-ended; `--check` is put behind argv[0] */
	bool serves_smtp;     /* -bd: ports and local socket */
	bool is_client_queue; /* -Ac: the submission program's own queue */
	bool has_interval;    /* -q30m */
	long interval_seconds;
	bool is_persistent;	  /* -qp */
	const char *run_group;	  /* -qG; NULL: all */
	const char *command_line; /* for the pid file and the log */
	const char *program;	  /* argv[0] */
	/* run for the client queue at the start and at each interval, as root: `program -Ac -qf`; NULL: nobody's job */
	const char *client_queue_program;
};

/*
 * Is everything there that a daemon by this configuration would open: maps, certificates?  Each problem
 * goes to `tell`; EX_OK, or the exit status that they amount to.
 */
int master_check(struct config *, bool serves_smtp,
    void (*tell)(void *context, const char *problem), void *context);

/* Returns when it was told to stop (0), or when it could not begin (an exit status). */
int master_run(const struct master_settings *);

#endif
