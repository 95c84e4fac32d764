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
	/* SIGHUP: a new configuration, or NULL when it has errors: logged by the callee, and added to `reason`, one a line */
	struct config *(*read_again)(void *context, struct str *reason);
	void *context;
	bool serves_smtp;  /* -bd: ports and local socket */
	bool has_interval; /* -q30m */
	long interval_seconds;
	const char *command_line; /* for the pid file and the log */
	const char *program;	  /* argv[0] */
	/* run for the client queue at the start and at each interval, as root: `program -Ac -qf`; NULL: nobody's job */
	const char *client_queue_program;
};

/* Returns when it was told to stop (0), or when it could not begin (an exit status). */
int master_run(const struct master_settings *);

#endif
