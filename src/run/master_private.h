/*
 * master_private: what the files of master share.
 */
#ifndef RUN_MASTER_PRIVATE_H
#define RUN_MASTER_PRIVATE_H

#include <sys/stat.h>

#include "base/str.h"
#include "proc/pool.h"
#include "run/master.h"
#include "run/roles.h"

/* One configuration and the processes that work by it.  After a SIGHUP the old ones finish what they do. */
struct generation {
	struct generation *next;
	struct daemon daemon;
	struct page *page;
	int slot_count; /* of the page */
	struct pool *runner, *jobs, *smtpd, *local, *refuse, *spawn,
	    *lookup; /* NULL where there is none */
	bool is_leaving;
	int64_t runner_until_ms; /* of one that leaves: how long its successor waits for it */
	time_t read_at;		 /* its configuration */
};

/* How the daemon ends. */
enum master_stop {
	MASTER_GOES_ON,
	MASTER_STOPS,	      /* SIGTERM: what is not done after a while finishes by itself */
	MASTER_STOPS_GENTLY,  /* stopsrc: messages in hand are finished, within SRC's patience */
	MASTER_STOPS_AT_ONCE, /* stopsrc -f */
};

/* Processes of the program before a newer one took its place; src/run/takeover.c. */
struct orphans;

struct master {
	const struct master_settings *settings;
	struct generation *current, *old;
	struct orphans *orphans; /* NULL: none are left */
	int poke[2];
	int kick_pipe[2]; /* hints of new messages; it outlives generations */
	pid_t client_queue_pid, adoption_pid;
	int control_fd;	    /* ControlSocketName; -1: none */
	char *control_path; /* where it is */
	/* the check of a new configuration */
	pid_t check_pid;
	int check_status;
	struct stat binary; /* of the program when it was started */
	int64_t next_queues_ms, next_ports_ms;
	bool ports_are_missing;
	enum master_stop stop;
	struct tally past;		  /* of generations that are gone */
	struct last_session last_session; /* the same */
	time_t started_at;
	volatile int
	    *extra_level; /* traceson: what all processes add to LogLevel; NULL: not to be had */
};

/* SRC's requests: serves those that are there. */
void master_serve_subsystem(struct master *);

/* What a generation that goes away has to tell is kept. */
void master_remember(struct master *, const struct generation *);

struct subsystem_report; /* proc/subsystem.h */
/* The lines of lssrc -l; in a child, which it leaves without listening sockets.  The context is a struct master. */
void master_describe(void *context, struct subsystem_report *);

/*
 * Opens the ports that are not open yet, taking over those of `old` (NULL: none) that are the same.
 * How many could not be opened, those left out that `old` lacks as well; what is wrong is logged when
 * `is_loud` and added to `reason` unless that is NULL.
 */
int master_open_ports(struct daemon *, struct daemon *old, bool is_loud, struct str *reason);
/* Before the sockets of `old` that `daemon` does not have are closed: waits, a second at most, until nobody waits there. */
void master_finish_ports(const struct daemon *old, const struct daemon *daemon);
void master_open_local(struct daemon *, const struct daemon *old);

/* What serve() does in a round but for waiting; for those who wait for something else.  When it wants to be called again. */
int64_t master_tend(struct master *);
/* Takes what came by signal and pipe after a poll(2), and buries the dead. */
void master_drain(struct master *);
/* The socket that the current configuration names (ControlSocketName), or none; what is wrong is logged. */
void master_open_control(struct master *);
void master_close_control(struct master *);
void master_serve_control(struct master *); /* somebody is there */
/* Unless it runs already, or is none of ours. */
void master_start_client_queue(struct master *);
void master_announce(const struct master *);
void master_write_pid(const struct master *);
/* Forks the roles of the current generation.  False: logged. */
bool master_start_current(struct master *);

/*
 * Reads the configuration anew (SIGHUP, refresh).  A child reads it first, with all that belongs to it:
 * files, maps, certificates; then its ports are opened; only then does it become the current one, whose
 * processes take new sessions while those of the old one finish theirs.  When the program itself is a
 * newer one by now, and it was that which found no fault, it takes master's place.  False: nothing has
 * changed, and `reason` has one problem a line.  It logs by itself and comes back within a minute.
 */
bool master_reload(struct master *, struct str *reason);

/*
 * takeover.c: puts the newer program in master's place, in the same process, with the same sockets.
 * It comes back only when that did not work, with errno.
 */
void takeover_execute(struct master *);
/*
 * Did the program whose output this is say that it could take over (daemonize.h)?  The line is taken out
 * of it: it is nobody's business.
 */
bool takeover_is_offered(struct str *output);
/* In the new program: what the one before left.  NULL: nothing, this is an ordinary start. */
struct orphans *takeover_receive(struct master *);
/* A daemon without a configuration that has the sockets. */
struct daemon *takeover_sockets(struct orphans *);
bool takeover_has_runner(const struct orphans *); /* the old runner has not left yet */
int takeover_count(const struct orphans *);
int64_t takeover_next_run(const struct orphans *); /* of its runner (clock.h); 0: none */
/* Kills those that are overdue; when it wants to be called again. */
int64_t takeover_tend(struct orphans *);
void takeover_signal(const struct orphans *, int signal_number); /* to all but the twins */
/* True when the process was one of them. */
bool takeover_reap(struct orphans *, pid_t);
void takeover_destroy(struct orphans *);

/* A configuration without processes or ports yet; it owns the configuration. */
struct generation *generation_create(const struct master *, struct config *);
/* Pools, pipes and page; the ports must be open.  False with errno. */
bool generation_start(struct generation *, const struct master_settings *, int poke_fd);
void generation_destroy(struct generation *);
void generation_leave(struct generation *);
/* `may_run`: the runner before this one is gone. */
int64_t generation_tend(struct generation *, bool may_run);
/* Of one that leaves: is its runner still there, and has not had a minute to go? */
bool generation_has_runner(const struct generation *);
/* True when the process was one of its workers. */
bool generation_reap(struct generation *, pid_t, int status);
int generation_count(const struct generation *);
/* To all workers, or to those alone that talk to clients; the twins end when they are gone. */
void generation_signal(struct generation *, int signal_number, bool sessions_only);

#endif
