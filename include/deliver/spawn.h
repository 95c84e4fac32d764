/*
 * spawn: runs a local mailer as the user it must run as.
 *
 * What may run, and as whom, is decided on the far side, by a process that is still root and has
 * its own copy of the configuration: the request names a mailer of the cf, host, users and sender,
 * never a program, an argument or an id; of host and users the
 * far side makes sure itself (deliver/proof.h).  A |program or /file comes with the chain of sources that
 * is said to name it (route/source.h); the far side reads those itself, and runs only what it finds
 * there, as whoever they belong to.  In a process that cannot or need not change its user the same
 * code runs the mailer directly.
 */
#ifndef DELIVER_SPAWN_H
#define DELIVER_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"
#include "conf/config.h"
#include "mail/envelope.h"
#include "route/source.h"

struct spawn_request {
	const char *mailer; /* name of an M line */
	const char *id;	    /* $i */
	const char *host;   /* $h */
	const char *sender; /* $g: rewritten for the mailer */
	const char *from;   /* $f */
	/* login name of the local sender, "" when there is none: the mailer runs with its ids (V8: ctladdr) */
	const char *control_user;
	bool add_sender_flag;	  /* -f or -r sender after argv[0], for mailers with flag f or r */
	const char *const *users; /* $u, one argument each; of prog and *file* the address as it was written */
	size_t user_count;
	const char *const *addresses; /* of the message, one for each user: what leads to mailer, host and user */
	size_t address_count;
	const struct source *chain; /* prog and *file*: what names it */
	size_t chain_count;
	const struct saved_macro *macros; /* of the envelope: $r, $s, ${client_addr} and others for A= */
	/*
	 * Only where no other process is asked: root itself wrote the control file that names this owner
	 * (a C line), and there is no chain.  NULL: none.
	 */
	const struct source_owner *granted;
	bool is_from_far; /* set by the far side: who asks is believed nothing (deliver/proof.h) */
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
struct spawner *spawner_create(struct config *);
struct spawner *spawner_create_remote(int twin_socket);
/* Forks a twin of its own, for a foreground process that is about to stop being root; NULL with errno. */
struct spawner *spawner_create_twin(struct config *);
void spawner_destroy(struct spawner *);

/* False with errno.  The caller closes the descriptors. */
bool spawn_start(struct spawner *, const struct spawn_request *, struct spawn_child *);

/*
 * After a dialogue, whose descriptors were closed: waits a moment for the end of the mailer, whose
 * status says nothing any more.
 */
void spawn_forget(struct spawn_child *);

/*
 * source_read with the rights of the far side: .forward files of homes that are closed to others, lists
 * that the default user may read.
 */
bool spawn_read_source(struct spawner *, const struct source *chain, size_t count, struct arena *,
    struct source_text *);

/* The twin's work: requests from its socket until `life_fd` (-1: the socket) reaches its end. */
void spawn_serve(struct config *, int socket, int life_fd);

/* The macros of a mailer's run: what the message brought, and no word of the configuration's. */
struct macro_env *spawn_macros(
    const struct config *, const struct spawn_request *, const char *home);

/* The argument vector that a request comes to; for tests.  NULL-ended, in the arena. */
char **spawn_arguments(const struct config *, const struct mailer *, const struct spawn_request *,
    const char *home, struct arena *);

/*
 * A request as the twin's socket carries it, and back: fields that end in a NUL each.  Pure; a decoded
 * one points into the text and the arena.  False: it is not one of ours, or too large.
 */
void spawn_encode(struct str *, const struct spawn_request *);
bool spawn_decode(const struct str *, struct spawn_request *, struct arena *);

#endif
