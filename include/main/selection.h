/*
 * selection: the messages that a queue run or mailq is about (-qI, -qR, -qS, -qQ, -qL), in the
 * order of QueueSortOrder.
 */
#ifndef MAIN_SELECTION_H
#define MAIN_SELECTION_H

#include <stddef.h>
#include <time.h>

#include "conf/config.h"
#include "main/arguments.h"
#include "mail/envelope.h"
#include "queue/queue.h"

struct selected {
	char id[ENVELOPE_ID_SIZE];
	long priority;
	time_t created, modified;
	char host[64]; /* the first recipient's domain, reversed for the order by host */
	unsigned random;
};

/*
 * Reads what is needed of each qf; one that cannot be read is selected when nothing but its id was
 * asked for (whoever runs it says what is wrong with it).  A malloc'd array; -1 with errno.
 */
int selection_gather(struct queue *, char kind, const struct queue_selection *,
    const struct config *, struct selected **, size_t *count);

/* The same letters are or'ed, different ones and'ed. */
bool selection_matches(const struct queue_selection *, const char *id, const struct envelope *);

#endif
