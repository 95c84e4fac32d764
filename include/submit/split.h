/*
 * split: a message whose recipients belong into several queue groups (ruleset queuegroup, Q= of a mailer), or are
 * more than a group's r=, becomes several, with the same body.
 */
#ifndef SUBMIT_SPLIT_H
#define SUBMIT_SPLIT_H

#include "queue/queue.h"
#include "rule/rule.h"
#include "submit/clone.h"

/*
 * Chooses envelope->queue_group and makes the other messages, which have what the first one loses.  Without Q
 * lines nothing happens.
 */
void split_make(struct rule_context *, struct envelope *, struct clones *);

/*
 * Queues them, before the first one, whose body it is; logs "ID: split: count=N, ids=A; B" as V8.  0, or -1 with errno: then
 * none of them is in the queue.
 */
int split_commit(struct queue *, const struct envelope *, const struct clones *);

/* The first one could not be queued: takes the others away again. */
void split_discard(struct queue *, const struct clones *);

/* Both, for a message that just came in: body_fd belongs to the queue from now on.  0, or -1 with errno: nothing is queued. */
int split_commit_all(struct queue *, struct envelope *, const struct clones *, int body_fd);

#endif
