/*
 * page: one piece of memory that master and its workers share: what each worker is doing.  It holds
 * no pointer and nobody waits on it; each field has one writer.  A worker that an intruder has taken over
 * may write what it likes, so master, which is root, believes no process id and no size that stands here.
 */
#ifndef PROC_PAGE_H
#define PROC_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_IDLE, SLOT_BUSY };

/* What workers did, since master was started. */
struct tally {
	volatile unsigned long accepted, refused;      /* connections */
	volatile unsigned long sent, deferred, failed; /* recipients */
};

/* The last session with a smart host: all of it text for people, seen by whoever asks, perhaps half changed. */
struct last_session {
	volatile int64_t when; /* calendar time; 0: there was none */
	char relay[96], tls[96], auth[48], result[192];
};

struct slot {
	/* written by master */
	volatile pid_t pid;
	volatile unsigned generation; /* counts the workers that were in this slot */
	volatile int64_t started_ms;
	/* written by the worker */
	volatile int state;
	volatile int64_t state_since_ms;
	volatile int64_t deadline_ms; /* when master may kill it (clock.h); DEADLINE_NEVER */
	volatile unsigned uses;
	volatile uint64_t
	    client;    /* who is served while it is busy (proc/rates.h), 0: nobody that counts */
	char what[96]; /* for ps and a state dump */
	/* these stay when the worker is replaced */
	struct tally tally;
	struct last_session session;
};

struct page {
	volatile int wanted_workers;  /* written by the runner: job workers it could use */
	volatile int missed_kicks;    /* anyone: a hint was lost, look at the directory */
	volatile int64_t next_run_ms; /* written by the runner: clock.h; 0: there is no interval */
	struct slot slots[];
};

struct page *page_create(int slot_count); /* NULL with errno */
void page_destroy(struct page *, int slot_count);

void tally_add(struct tally *sum, const struct tally *more);
void page_tally(const struct page *, int slot_count, struct tally *sum); /* adds all slots */

/* A number that master writes and all of its children see; NULL with errno. */
volatile int *page_number_create(void);

void slot_set_state(struct slot *, enum slot_state, int64_t deadline, const char *what);

#endif
