/*
 * master_private: what the files of master share.
 */
#ifndef RUN_MASTER_PRIVATE_H
#define RUN_MASTER_PRIVATE_H

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

#endif
