/*
 * spawn: runs a local mailer as the user it must run as.
 *
 * What may run, and as whom, is decided on the far side, by a process that is still root and has
 * its own copy of the configuration: the request names a mailer of the cf, host, users and sender,
 * never a program, an argument or an id.  In a process that cannot or need not change its user the
 * same code runs the mailer directly.
 */
#ifndef DELIVER_SPAWN_H
#define DELIVER_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "conf/config.h"

struct spawn_request {
	const char *mailer; /* name of an M line */
	const char *id;	    /* $i */
	const char *host;   /* $h */
	const char *sender; /* $g: rewritten for the mailer */
	const char *from;   /* $f */
	/* login name of the local sender, "" when there is none: the mailer runs with its ids (V8: ctladdr) */
	const char *control_user;
	bool add_sender_flag;	  /* -f or -r sender after argv[0], for mailers with flag f or r */
	const char *const *users; /* $u, one argument each */
	size_t user_count;
};

struct spawn_child {
	int input_fd;  /* its standard input: write the message, then close */
	int output_fd; /* what it says on standard output and error */
	int status_fd; /* its wait status (an int) when it ended; end of file without one: it could not be run */
	pid_t pid; /* of the process to reap, 0 when it is not ours */
};

/*
 * Where mailers are run from: directly in this process (create), or by a twin over its socket.
 * `config` must live as long.
 */
struct spawner;
struct spawner *spawner_create(const struct config *);
struct spawner *spawner_create_remote(int twin_socket);
/* Forks a twin of its own, for a foreground process that is about to stop being root; NULL with errno. */
struct spawner *spawner_create_twin(const struct config *);
void spawner_destroy(struct spawner *);

/* False with errno.  The caller closes the descriptors. */
bool spawn_start(struct spawner *, const struct spawn_request *, struct spawn_child *);

/* The twin's work: requests from its socket until `life_fd` (-1: the socket) reaches its end. */
void spawn_serve(const struct config *, int socket, int life_fd);

/* The argument vector that a request comes to; for tests.  NULL-ended, in the arena. */
char **spawn_arguments(const struct config *, const struct mailer *, const struct spawn_request *,
    const char *home, struct arena *);

#endif
