/*
 * crew: one run over a long list of messages by several processes, as a command (`sendmail -q`) and
 * as no daemon does it.  They take the messages from the list one after the other, so the order is
 * that of the list but for how long each takes.
 */
#ifndef RUN_CREW_H
#define RUN_CREW_H

#include "queue/list.h"
#include "run/run.h"

/* Below this a list is not worth a second process. */
enum { CREW_LEAST = 50 };

/*
 * It begins with a few processes, and takes more, up to `most`, as long as they spend their time
 * waiting and something gets through: a host far away is served by many sessions, and one nearby by
 * no more than there are processors for.  `run` is not used for a message in this process; queue and
 * spawner are shared with the others.  The worst exit status.
 */
int crew_run(struct run_context *run, const struct queue_list *, int most);

#endif
