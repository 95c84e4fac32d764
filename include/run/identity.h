/*
 * identity: as whom queued messages are worked on.
 */
#ifndef RUN_IDENTITY_H
#define RUN_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/config.h"
#include "queue/queue.h"

struct identity {
	uid_t uid;
	gid_t gid;
	char user[64];	/* login name, "" when the ids have none */
	bool is_change; /* it is another than this process's */
};

/*
 * RunAsUser of the cf; else the mail user that configure built in, when the queue directory is his
 * (a queue that root owns was handed back to real sendmail, or never handed over: V8's way, as
 * root); else what this process is.
 */
void identity_find(const struct config *, const char *queue_path, struct identity *);

/* Becomes it, for good.  False with errno: end the process. */
bool identity_become(const struct identity *);

/*
 * The configuration's queue, with the file mode that goes with it; NULL with errno.  Groups whose directories
 * cannot be entered are left out; this tells of each of them, in V8's words.
 */
void identity_check_groups(
    const struct config *, void (*tell)(void *context, const char *problem), void *context);
struct queue *identity_open_queue(const struct config *, bool is_client);

#endif
