/*
 * job_log: the outcome of a delivery in words: log lines, status lines of the qf, -v.
 */
#ifndef RUN_JOB_LOG_H
#define RUN_JOB_LOG_H

#include <stdint.h>

#include "base/str.h"
#include "mail/envelope.h"
#include "run/run.h"

/* stat= of a verdict: "Sent (accepted as 42)", "Deferred: 451 4.3.0 try later", "User unknown". */
void job_log_status(struct str *out, const struct recipient *);

/* "a@x,b@x": recipients in V8's order, the newest first; `count` of them, given oldest first. */
void job_log_names(struct str *out, struct recipient *const recipients[], size_t count);

struct job_log {
	const struct run_context *run;
	const struct envelope *envelope;
	const char *control; /* "alice (1001/1001)" for ctladdr=, or NULL */
	int64_t started_ms;  /* of this delivery, for xdelay= */
};

/* The to= line and the -v line of recipients that share one outcome. */
void job_log_delivery(const struct job_log *, struct recipient *const recipients[], size_t count);

/* The to= line of one that was not tried. */
void job_log_queued(const struct job_log *, const struct recipient *);

/* V8's form of a span of time: "00:00:01", "2+00:10:00". */
void job_log_interval(struct str *out, long seconds);

#endif
