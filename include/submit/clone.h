/*
 * clone: a list with an owner (owner-LIST) has him as its sender, so that what cannot be delivered
 * comes to him.  Its members go into a message of their own, a copy of the first.
 */
#ifndef SUBMIT_CLONE_H
#define SUBMIT_CLONE_H

#include "queue/queue.h"

struct clones {
	struct envelope **envelopes; /* one an owner, in the order V8 names them */
	size_t count;
	int most; /* r= of the only group that they are of; 0: they are not split by that */
};

/*
 * A copy with a new id and the recipients that it takes; no body.  What is not written into a control file is not
 * copied, but for flags and mailers.
 */
struct envelope *clone_copy(const struct envelope *,
    bool (*takes)(const struct recipient *, const void *), const void *context);

/*
 * Copies for the owners of the recipients (recipient->owner) that are not the sender already; each
 * has its new id and sender.  The envelope itself is left as it is.
 */
void clone_make(const struct envelope *, struct clones *);

/*
 * Queues them with copies of the body; logs "ID: NEWID: clone: owner=X".  0, or -1 with errno: then
 * none of them is in the queue.
 */
int clone_commit(struct queue *, const struct envelope *, struct clones *, int body_fd);

/* Takes the recipients that are in a clone out of the envelope's list. */
void clone_leave(struct envelope *);

void clone_destroy(struct clones *);

/*
 * A message that just came in: its clones, and what is left of it, are queued; body_fd belongs to the
 * queue from now on.  0, or -1 with errno: nothing is.  The envelope may have no recipients
 * afterwards; it is not queued then.
 */
int clone_commit_all(struct queue *, struct envelope *, struct clones *, int body_fd);

/* The ids of what was queued, in V8's order of delivery, with commas; those of clones have a plus in front. */
const char *clone_ids(const struct envelope *, const struct clones *, struct arena *);

#endif
