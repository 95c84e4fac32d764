/*
 * run: what the delivery of queued messages needs, in whatever process it happens: a worker of the
 * daemon, `sendmail -q`, the delivery right after a submission.
 */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "conf/config.h"
#include "deliver/spawn.h"
#include "proc/kick.h"
#include "proc/page.h"
#include "queue/list.h"
#include "queue/queue.h"

struct sessions; /* run/sessions.h */
struct lanes;	 /* run/lanes.h */

struct job_report {
	enum kick_outcome outcome;
	long priority;
	long wait_seconds; /* until the next attempt may be made (MinQueueAge, MaxQueueAge) */
	char lane[KICK_LANE_SIZE]; /* of the first recipient that waits; "" */
};

struct sending;

struct run_context {
	struct config *config;
	struct queue *queue;
	struct spawner *spawner;
	struct sessions *sessions;
	struct lanes *lanes;
	char kind;     /* of control files: 'h' quarantined, 'Q' set aside; 0: 'q' */
	FILE *verbose; /* -v; or NULL */
	void *tls;     /* for client sessions: see client.h */
	/*
	 * The attempt right after the message came in: its priority does not count it.  When the
	 * submission itself makes it, the sender's ids are the caller's (V8: ctladdr).
	 */
	bool is_first_attempt, is_submission;
	bool forgets_back_off; /* messages are tried however young their last attempt is */
	bool
	    is_if_untried; /* one that was tried before only waits; one that was not has its first attempt */
	uid_t caller_uid;
	gid_t caller_gid;
	bool
	    has_sender_flag; /* -f was given, or a queue run: mailers with flag f or r get it too */
	/*
	 * A lane that is closed already makes a message wait untouched, once its qf has a reason
	 * (daemon); otherwise each message gets the reason of its own (a run in the foreground).
	 */
	bool skip_closed_lanes;
	bool refusals_only; /* nothing is tried: only what submission refused is reported (-odq) */
	char error_mode;    /* of a submission that waits: ErrorMode; 0: by mail */
	bool is_on_demand;  /* a run of chosen messages: mailers with flag % are called */
	void (*lane_closed)(void *context, const char *lane); /* or NULL */
	void (*lane_opened)(void *context, const char *lane); /* a session was opened; or NULL */
	void (*queued)(void *context, const char *id); /* a message was made of another; or NULL */
	/* A report was queued and is to be tried at once; NULL: job_run does that itself. */
	void (*reported)(void *context, const char *id);
	void *callback_context;
	int exit_status; /* the first one recorded, as V8's exit code */
	int rule_status; /* V8: that of a ruleset that refused a session stays; 0: none did */
	/*
	 * Called for a message that job_run left unfinished (it returned false).  NULL: there are none.
	 * V8 has nothing of the kind; a far smart host costs one round trip a message by it.
	 */
	void (*settled)(void *context, const char *id, const struct job_report *);
	struct slot *slot;	 /* of the worker, for what lssrc -l tells; NULL: nobody counts */
	struct sending *pending; /* the job's own: the oldest of those without an answer */
};

/*
 * Locks, reads, resolves, delivers and settles one message.  False: the answer to its final dot is
 * outstanding; it is settled (run->settled) in the course of the next job_run, or by job_finish.
 */
bool job_run(struct run_context *, const char *id, struct job_report *);
void job_finish(struct run_context *);

/*
 * Would job_run leave it waiting because all that it is for is in closed lanes?  Tells from what the
 * list says of it, without touching its files; false when somebody may have to be told about it by
 * now (Timeout.queuereturn, queuewarn).
 */
bool job_would_wait(struct run_context *, const struct queue_listed *, struct arena *scratch);

#endif
