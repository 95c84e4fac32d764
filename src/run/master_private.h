/*
 * master_private: what the files of master share.
 */
#ifndef RUN_MASTER_PRIVATE_H
#define RUN_MASTER_PRIVATE_H

#include <sys/types.h>

#include "base/str.h"
#include "proc/pool.h"
#include "run/master.h"
#include "run/roles.h"

/* One configuration and the processes that work by it.  After a SIGHUP the old ones finish what they do. */
struct generation {
	struct generation *next;
	struct daemon daemon;
	struct page *page;
	struct pool *runner, *jobs, *smtpd, *local, *refuse, *spawn,
	    *lookup; /* NULL where there is none */
	bool is_leaving;
};

/* How the daemon ends. */
enum master_stop {
	MASTER_GOES_ON,
	MASTER_STOPS,	      /* SIGTERM: what is not done after a while finishes by itself */
	MASTER_STOPS_GENTLY,  /* stopsrc: messages in hand are finished, within SRC's patience */
	MASTER_STOPS_AT_ONCE, /* stopsrc -f */
};

struct master {
	const struct master_settings *settings;
	struct generation *current, *old;
	int poke[2];
	pid_t client_queue_pid, adoption_pid;
	int64_t next_queues_ms, next_ports_ms;
	bool ports_are_missing;
	enum master_stop stop;
};

/*
 * Reads the configuration anew and works by it.  False: the old one goes on, and `reason` says why,
 * one problem a line, the first one first ("/etc/mail/sendmail.cf: line 7: ...").  Logs by itself.
 */
bool master_reload(struct master *, struct str *reason);

/* SRC's requests: serves those that are there. */
void master_serve_subsystem(struct master *);

/*
 * Opens the ports that are not open yet, taking over those of `old` (NULL: none) that are the same.
 * How many could not be opened; what is wrong is logged when `is_loud`.
 */
int master_open_ports(struct daemon *, struct daemon *old, bool is_loud);
void master_open_local(struct daemon *, const struct daemon *old);

/* A configuration without processes or ports yet; it owns the configuration. */
struct generation *generation_create(const struct master_settings *, struct config *);
/* Pools, pipes and page; the ports must be open.  False with errno. */
bool generation_start(struct generation *, const struct master_settings *, int poke_fd);
void generation_destroy(struct generation *);
void generation_leave(struct generation *);
int64_t generation_tend(struct generation *);
/* True when the process was one of its workers. */
bool generation_reap(struct generation *, pid_t, int status);
int generation_count(const struct generation *);
/* To all workers, or to those alone that talk to clients; the twins end when they are gone. */
void generation_signal(struct generation *, int signal_number, bool sessions_only);

#endif
