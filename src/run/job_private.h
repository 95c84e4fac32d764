/*
 * job_private: what the parts of a job share.
 */
#ifndef RUN_JOB_PRIVATE_H
#define RUN_JOB_PRIVATE_H

#include "rule/rule.h"
#include "run/job_log.h"
#include "run/report.h"
#include "run/run.h"

/* Recipients of one message for one mailer and host. */
struct job_group {
	struct job_group *next;
	const struct mailer *mailer;
	const char *host;
	char lane[KICK_LANE_SIZE];
	struct recipient **recipients; /* in the order of the qf */
	size_t count, capacity;
};

struct job {
	struct run_context *run;
	struct envelope *envelope;
	struct macro_env *macros; /* of the envelope */
	struct rule_context rule;
	struct job_group *groups, **groups_end;
	const char *control;	  /* "alice (1001/1001)" */
	const char *control_user; /* "alice", "" */
	/* what the qf will say */
	const char *failed_status, *deferred_status;
	const char *delay_status; /* a delay was reported: what mailq will say */
	size_t sent_since_checkpoint;
	/* for reports */
	struct str transcript;
	bool was_expanded; /* an alias of several whose sender wants to know */
	bool
	    is_out_of_order; /* a mailer found fault with this system: the postmaster hears of it */
	bool is_homeless;    /* it can neither be delivered nor returned */
	bool has_failed, is_deferred;
	bool deserves_retry;		 /* its session broke under it, see was_let_down */
	struct job_expansion *expansion; /* job_expand's own; NULL: nothing was looked up yet */
};

/*
 * job_deliver: delivers one group; each of its recipients has a verdict then and is settled.  True:
 * the answer to its final dot is outstanding, the job goes on in job_end_pending.
 */
bool job_deliver_group(struct job *, struct job_group *);

/* The lane of a mailer and host; "" when the host's name is too long to be one. */
const char *job_name_lane(const struct mailer *, const char *host, char lane[KICK_LANE_SIZE]);

/* Settles the qf of a job whose last group has its answer now, reports it and frees it. */
void job_end_pending(struct job *);

/*
 * job_expand: a local name that stands for others (aliases, :include:, .forward) is replaced by them,
 * at the end of the list of recipients; true when it was, or was settled with an error.
 */
bool job_expand_recipient(struct job *, struct recipient *);

/* Members of lists with an owner go into messages of their own, which are queued and announced. */
void job_split_lists(struct job *);

/* Finds what names a program or file (recipient->chain), where that is not known. */
void job_find_chain(struct job *, struct recipient *);

/* job_local: delivers to one local mailer; the recipients are settled then. */
void job_deliver_locally(
    struct job *, struct job_group *, struct recipient **recipients, size_t count);
/* The same by SMTP or LMTP on its standard input and output. */
void job_deliver_to_program(
    struct job *, struct job_group *, struct recipient **recipients, size_t count);
/*
 * job_report: what was said about recipients that share an outcome goes into the transcript, and
 * those who are to be told of success are marked.
 */
void job_write_down(struct job *, struct recipient *const recipients[], size_t count);
/* And, at a first attempt, that aliases were followed whose sender wants to know of success. */
void job_write_expansions(struct job *);
/* A report that is queued goes out now: by the runner where there is one, else in this process. */
void job_send_report(struct job *, const char *id);
/*
 * Tells who has to be told: what failed, what waits too long, what came through where that was asked for.  What is
 * left without RECIPIENT_DONE stays in the queue.
 */
void job_report(struct job *);
/* Its age alone is reason to look at the message, even when its host is known to be dead. */
bool job_is_due_for_report(const struct job *);
/* Timeout.queuereturn=now: it goes back without an attempt. */
bool job_is_expired_untried(const struct job *);

/*
 * job_refused: what submission refused is queued along with the rest, so that the report about it cannot
 * get lost: its status line has the refusal (submission_refuse).  True: it is such a one, and is settled now.
 */
bool job_was_refused(struct job *, struct recipient *);

/*
 * job_settle: takes over the verdicts of recipients that share one, logs them: what the qf, the transcript and the exit
 * status will say.
 */
void job_settle_recipients(
    struct job *, struct recipient *const recipients[], size_t count, int64_t started_ms);

/*
 * The same for recipients with verdicts of their own: runs of equal ones go together.  `goes_on`: the deferred ones are
 * noted only (job_note_refusal), another host is asked for them.
 */
void job_settle_each(struct job *, struct recipient *const recipients[], size_t count,
    int64_t started_ms, bool goes_on);

/* A recipient that was refused before it was queued: its verdict is there, and logged. */
void job_take_refusal(struct job *, struct recipient *);

/*
 * What one host of several said is written down, before another is asked; it is the outcome, and logged as
 * such, where it was about this recipient alone.
 */
void job_note_refusal(struct job *, struct recipient *, int64_t started_ms);

/* No other host could be asked: what was noted is the outcome. */
void job_keep_refusals(struct job *, struct recipient *const recipients[], size_t count);

#endif
