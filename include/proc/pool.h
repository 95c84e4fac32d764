/*
 * pool: a number of processes of one role, forked and replaced by master.
 *
 * Each worker has a pipe of which only master holds the write end.  When it closes, because master
 * says so or because master is gone, the worker leaves as soon as it is between two pieces of work;
 * whatever happens, it closes its listening sockets at once, so that nobody but a living master
 * holds a port.
 */
#ifndef PROC_POOL_H
#define PROC_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/page.h"

struct pool;

struct worker {
	const char *role;
	int number; /* slot within the pool */
	unsigned generation;
	int life_fd;			   /* readable (end of file) when it is time to leave */
	int poke_fd;			   /* one byte makes master look at the page */
	int first_slot, slot_count, spare; /* of the pool: see pool_settings */
	struct slot *slot;
	struct page *page;
};

/* The work of a worker; its value is the exit status.  0 means "was my time", anything else is a failure. */
typedef int worker_main(struct worker *, void *context);

struct pool_settings {
	const char *role;
	worker_main *run;
	void *context;
	int maximum;	/* slots */
	int minimum;	/* always there */
	int spare;	/* idle ones wanted beside the busy, up to maximum */
	int first_slot; /* its slots in the page: first_slot .. first_slot + maximum - 1 */
};

struct pool *pool_create(struct page *, const struct pool_settings *, int poke_fd);
void pool_destroy(struct pool *);

/*
 * Starts what is missing, kills what is overdue.  `wanted` is a number of workers asked for beyond
 * the settings' own rules, 0 when nobody asks.  A role whose workers die young is given time: twice
 * as long after each early death, a minute at most.  Returns when it wants to be called again.
 */
int64_t pool_tend(struct pool *, int wanted);

/* Is it one of ours that ended?  Its slot number, or -1.  *was_failure: not by its own will. */
int pool_reap(struct pool *, pid_t, int status, bool *was_failure);

/* All workers are told to leave; none is replaced from now on. */
void pool_leave(struct pool *);
/* Those that are there are told to leave; others come when they are wanted. */
void pool_dismiss(struct pool *);
void pool_kill(struct pool *, int signal_number);
int pool_count(const struct pool *); /* living workers */
int pool_idle(const struct pool *);

/* The worker of a slot (0: none) and the end of its pipe that we hold (-1: it was told to leave); -1 behind the last slot. */
pid_t pool_pid(const struct pool *, int number, int *life_fd);
int64_t pool_deadline(const struct pool *, int number); /* when it is overdue (clock.h) */

/* In any other child of master: closes what belongs to the pools, the pid file and SRC. */
void pool_close_in_child(void);

/* For workers.  Leave between two pieces of work. */
bool worker_should_leave(const struct worker *);
/* This very process was told by a signal: what is under way is to be cut short where that is polite. */
bool worker_was_told(void);
void worker_poke(const struct worker *);
/* Only when there are fewer idle ones left than master keeps ready. */
void worker_poke_if_scarce(const struct worker *);
/* Close these listening sockets the moment that master is gone. */
void worker_guard_sockets(const struct worker *, const int *fds, int count);

#endif
