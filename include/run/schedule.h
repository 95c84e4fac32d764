/*
 * schedule: the runner's index of the queue: which messages wait, which are due, in which lane.
 * Pure data: it neither reads nor resolves; ids go in, batches for workers come out.
 *
 * A lane is one mailer and host.  Messages whose lane is not known yet are in the lane "".  A lane
 * whose host was found dead is closed; at the next interval it is opened for one attempt, and for
 * all of its messages when that came through.
 *
 * Messages belong to groups, 0 being the one without limits that every message is in before somebody has seen
 * where its files are; the same host has a lane in each group.
 */
#ifndef RUN_SCHEDULE_H
#define RUN_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/envelope.h"
#include "proc/kick.h"

struct schedule;

/* `workers` is the most that there may ever be; each has a number below it. */
struct schedule *schedule_create(int workers);
enum { SCHEDULE_GROUPS = 256 };
/*
 * How many workers may be busy with a group: -1 any number, 0 none: what is in it waits.  When it is bound, a worker
 * that took work of it gets no other from then on.
 */
void schedule_limit_group(struct schedule *, int group, int workers, bool is_bound);
void schedule_use_one_worker_a_lane(struct schedule *); /* SingleThreadDelivery */
void schedule_destroy(struct schedule *);		/* NULL is allowed */

/* A message that is to be tried at once; one that is known already is left as it is. */
void schedule_add(struct schedule *, const char *id, const char *lane, long priority);

/*
 * What waits in a group and whose back-off is over is due, no more than `most` of it (the most urgent; 0: all);
 * closed lanes get their attempt.
 */
void schedule_make_due(struct schedule *, int group, size_t most);

/*
 * Compares the index with the directory: begin, seen for each id there, end.  New ids are added,
 * and are what `how` says; ids that are gone are forgotten.  A message goes over to the group that it is seen in.
 */
enum schedule_how {
	SCHEDULE_WAITS,
	SCHEDULE_DUE,
	SCHEDULE_UNTRIED, /* due if nobody has tried them, which the worker finds out */
};
void schedule_compare_begin(struct schedule *);
void schedule_compare_seen(struct schedule *, const char *id, int group, enum schedule_how);
void schedule_compare_end(struct schedule *);

enum { SCHEDULE_BATCH = 8 };
struct schedule_job {
	char id[ENVELOPE_ID_SIZE];
	char lane[KICK_LANE_SIZE];
	int group;
	bool is_new;	    /* it came in just now: its first attempt */
	bool is_known;	    /* a worker has seen it, so its back-off is known here, and over */
	bool is_if_untried; /* SCHEDULE_UNTRIED */
};

/*
 * Work for an idle worker: up to SCHEDULE_BATCH messages of one lane, the one it served last if
 * that has work.  0: there is none for it now.
 */
size_t schedule_take(struct schedule *, int worker, struct schedule_job jobs[SCHEDULE_BATCH]);

/* What became of one; it is not due again before wait_seconds are over. */
void schedule_done(struct schedule *, int worker, const char *id, enum kick_outcome,
    const char *lane, long priority, long wait_seconds);
void schedule_close_lane(struct schedule *, const char *lane);
/* The host answers: if the lane was closed, what waits in it is due. */
void schedule_open_lane(struct schedule *, const char *lane);
/* The worker has nothing any more: it said so, or it died.  What it had and did not finish is due again. */
void schedule_worker_idle(struct schedule *, int worker);
void schedule_worker_gone(struct schedule *, int worker);

/* Messages that somebody else had locked are due again after a while; when the next is (clock.h). */
int64_t schedule_wake(struct schedule *);

size_t schedule_count(const struct schedule *);
bool schedule_is_busy(const struct schedule *); /* something is due or under way */
size_t schedule_due(const struct schedule *);	/* due and in open lanes */
/* How many workers could be busy now, those that are included. */
int schedule_wanted_workers(const struct schedule *);

#endif
