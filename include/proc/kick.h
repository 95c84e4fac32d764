/*
 * kick: a hint to the runner that there is something to do.  It may be lost without harm: the
 * runner compares its index with the directory now and then.  Records are so small that a pipe
 * takes each whole (PIPE_BUF), so many processes write into one.
 */
#ifndef PROC_KICK_H
#define PROC_KICK_H

#include <stdbool.h>

enum { KICK_ID_SIZE = 24, KICK_LANE_SIZE = 160 };

enum kick_kind {
	KICK_NEW = 'N',	    /* a message: id, and its lane where the sender knows it */
	KICK_RUN_NOW = 'Q', /* somebody put messages there: look, and try what is due */
	KICK_READY = 'R',   /* worker `slot` waits for work */
	KICK_DONE = 'D',    /* worker `slot` is done with id; see outcome */
	KICK_DIED = 'X',    /* master: the worker in `slot` is gone */
	KICK_CLOSED = 'C',  /* worker: the host of `lane` is dead */
	KICK_OPENED = 'O',  /* worker: the host of `lane` answers */
	KICK_WORK = 'W',    /* runner to worker: a message; `priority` counts the intervals */
	KICK_END = 'E',	    /* runner to worker: that was the batch */
};

enum kick_outcome {
	KICK_OUTCOME_GONE,    /* delivered, set aside, or somebody else took it away */
	KICK_OUTCOME_WAITS,   /* deferred: stays for the next interval */
	KICK_OUTCOME_LOCKED,  /* somebody else works on it */
	KICK_OUTCOME_SKIPPED, /* not tried: its lane is closed */
};

enum kick_work {
	KICK_WORK_NEW = 1 << 0, /* the first attempt after it came in */
	KICK_WORK_DUE = 1 << 1, /* its back-off is over: the runner knows */
	KICK_WORK_UNTRIED =
	    1 << 2, /* only if nobody has tried it yet; else it waits for the next interval */
};

struct kick {
	unsigned char kind, outcome; /* outcome of KICK_WORK: enum kick_work */
	short slot;
	unsigned generation; /* of the worker in the slot */
	long priority;
	long
	    wait_seconds; /* of KICK_DONE: not before that, 0: at the next interval; of KICK_WORK: nice(2) of its group */
	char id[KICK_ID_SIZE];
	char lane[KICK_LANE_SIZE]; /* "mailer host", "" when not known */
};

/* The write end of the runner's pipe in this process; -1 (from the start): nobody listens. */
void kick_open(int fd);

/* Never blocks for more than a second; false when it was not taken. */
bool kick_write(int fd, const struct kick *);

/* For those who put a message into the queue: a no-op where no runner listens. */
void kick_send(const char *id, const char *lane);
void kick_run_now(void);

/* One whole record; 0: none there now, -1: end of file or an error. */
int kick_read(int fd, struct kick *);

#endif
