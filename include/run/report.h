/*
 * report: who hears of what became of a message, and the message that tells them (V8: savemail;
 * RFC 3461, 3464).  It works on the recipients as a delivery left them: those with a `report` (enum
 * report_action of mail/report.h) are told of.
 */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include <stdbool.h>
#include <time.h>

#include "mail/envelope.h"
#include "mail/report.h"
#include "queue/queue.h"
#include "rule/rule.h"

enum report_occasion {
	REPORT_OF_FAILURE,
	REPORT_OF_DELAY, /* with failures among it too */
	REPORT_OF_SUCCESS,
};

struct report_order {
	struct rule_context *rule; /* of the message: configuration, its macros, its arena */
	struct queue *queue;
	const struct envelope *original;
	enum report_occasion occasion;
	bool has_failure;	   /* some recipient is told of as failed */
	bool copies_to_postmaster; /* something here is out of order: he hears of it as well */
	struct str *transcript;	   /* lines; what is found out about the sender is added */
	const char *message;	   /* what happened, for the log */
	time_t retry_until;
	void (*queued)(void *context, const char *id); /* each report that is durable, at once */
	void *context;
};

enum report_result {
	REPORT_QUEUED,	 /* durable */
	REPORT_UNWANTED, /* a report of a report, and DoubleBounceAddress is empty: nobody is told */
	REPORT_HOMELESS, /* nobody can be told */
	REPORT_TROUBLE,	 /* it could not be queued now; logged */
};

/*
 * Makes the report, and the copy for PostmasterCopy, and commits them to the queue.  After
 * REPORT_QUEUED the recipients that it tells of may be dropped from the original's queue file, and not before.
 */
enum report_result report_make(struct report_order *);

/*
 * A message that can neither be delivered nor returned goes to the end of the file DeadLetterDrop.  False: there is none, or it
 * could not be written.
 */
bool report_drop(struct report_order *);

/* Timeout.queuereturn and Timeout.queuewarn of this message, by its priority; 0: none (of queuewarn). */
long report_return_seconds(const struct config *, const struct envelope *);
long report_warn_seconds(const struct config *, const struct envelope *);

#endif
