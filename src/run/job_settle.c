#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "job_private.h"
#include "queue/statistics.h"

/* V8: the first that is recorded counts. */
static void
set_exit_status(struct run_context *run, int exit_status)
{
	if (run->exit_status == EX_OK)
		run->exit_status = exit_status;
}

/* What happened to one recipient in the terms of the qf and of the exit status. */
static void
take_verdict(struct job *job, struct recipient *recipient, const char *status)
{
	const struct verdict *verdict = &recipient->verdict;

	recipient->status = recipient->reply_is_own ? status : NULL;
	if (verdict_is_success(verdict)) {
		recipient->flags |= RECIPIENT_DONE;
		if (recipient->mailer != NULL)
			statistics_count_message(STATISTICS_TO, recipient->mailer->number,
			    (long)job->envelope->message_size);
		job->sent_since_checkpoint++;
	} else if (verdict_is_temporary(verdict)) {
		recipient->flags |= RECIPIENT_QUEUED_UP;
		job->is_deferred = true;
		/* V8: what is wrong with the host goes before what it says of one recipient */
		if (job->deferred_status == NULL || !recipient->reply_is_own)
			job->deferred_status = status;
		if (verdict->exit_status == EX_OSERR || verdict->exit_status == EX_IOERR)
			set_exit_status(job->run, verdict->exit_status);
	} else {
		job->has_failed = true;
		job->failed_status = status;
		set_exit_status(job->run, verdict->exit_status);
	}
}

/* No failure is final that rests on an answer we did not get. */
static void
soften(struct job *job, struct recipient *recipient)
{
	struct verdict *verdict = &recipient->verdict;

	if (verdict->code != 0 &&
	    ((recipient->flags & RECIPIENT_UNCERTAIN) == 0 || !verdict_is_permanent(verdict)))
		return;
	*verdict = verdict_make(job->envelope->arena, 451, "4.4.3", EX_TEMPFAIL,
	    "Transient parse error -- message queued for future delivery");
	recipient->reply = NULL;
	recipient->reply_is_own = false;
}

/* V8: what is run for its recipient (flag o) names him, else the sender. */
static const char *
control_of(const struct job *job, const struct recipient *recipient)
{
	if (recipient->mailer == NULL || !mailer_has(recipient->mailer, 'o') ||
	    recipient->control_alias == NULL || !recipient->has_control_ids)
		return job->control;
	return arena_printf(job->envelope->arena, "%s (%ld/%ld)", recipient->control_alias,
	    (long)recipient->control_uid, (long)recipient->control_gid);
}

static void
tally(struct slot *slot, const struct verdict *verdict)
{
	if (slot == NULL)
		return;
	if (verdict_is_temporary(verdict))
		slot->tally.deferred++;
	else if (verdict_is_permanent(verdict))
		slot->tally.failed++;
	else
		slot->tally.sent++;
}

static void
take_verdicts(struct job *job, struct recipient *const recipients[], size_t count)
{
	struct str text = {0};
	const char *status = recipients[0]->why;

	if (status == NULL) {
		job_log_status(&text, recipients[0]);
		status = arena_strdup(job->envelope->arena, str_text(&text));
		str_free(&text);
	}
	for (size_t i = 0; i < count; i++) {
		tally(job->run->slot, &recipients[i]->verdict);
		take_verdict(job, recipients[i], status);
	}
}

void
job_settle_recipients(
    struct job *job, struct recipient *const recipients[], size_t count, int64_t started_ms)
{
	struct job_log log = {job->run, job->envelope, control_of(job, recipients[0]), started_ms};

	for (size_t i = 0; i < count; i++)
		soften(job, recipients[i]);
	job_log_delivery(&log, recipients, count);
	job_write_down(job, recipients, count);
	take_verdicts(job, recipients, count);
}

void
job_note_refusal(struct job *job, struct recipient *recipient, int64_t started_ms)
{
	struct job_log log = {job->run, job->envelope, control_of(job, recipient), started_ms};

	if (recipient->reply_is_own) {
		job_log_delivery(&log, &recipient, 1);
		job_write_down(job, &recipient, 1);
	} else {
		str_add_text(&job->transcript, recipient->said != NULL ? recipient->said : "");
		str_add_text(
		    &job->transcript, recipient->said_after != NULL ? recipient->said_after : "");
	}
	recipient->said = recipient->said_after = NULL;
}

void
job_keep_refusals(struct job *job, struct recipient *const recipients[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		take_verdicts(job, recipients + i, 1);
}

void
job_take_refusal(struct job *job, struct recipient *recipient)
{
	const char *text = recipient->verdict.text, *status = recipient->status;
	const struct recipient *one = job->envelope->recipients;
	int exit_status;

	/* what is wrong with the message as a whole is said once */
	while (one != recipient &&
	       (one->status == NULL || strcmp(one->status, recipient->status) != 0))
		one = one->next;
	if (one == recipient || recipient->diagnostic != NULL)
		job_write_down(job, &recipient, 1);
	recipient->flags |= RECIPIENT_REFUSED;
	exit_status = job->run->exit_status; /* whoever was refused has had its own */
	/* V8: where an unknown user stands is for the transcript alone */
	if (strcmp(recipient->verdict.dsn, "5.1.1") == 0 && strstr(text, "... ") != NULL)
		text = strstr(text, "... ") + strlen("... ");
	take_verdict(job, recipient, text);
	job->run->exit_status = exit_status;
	recipient->status = status; /* should it have to stay */
}

/* One outcome may be shared by several: runs of equal ones are logged together. */
static bool
share_outcome(const struct recipient *one, const struct recipient *other)
{
	return !one->reply_is_own && !other->reply_is_own &&
	       one->verdict.code == other->verdict.code &&
	       strcmp(one->verdict.dsn, other->verdict.dsn) == 0 &&
	       strcmp(one->verdict.text != NULL ? one->verdict.text : "",
		   other->verdict.text != NULL ? other->verdict.text : "") == 0 &&
	       (one->reply == other->reply || (one->reply != NULL && other->reply != NULL &&
						  strcmp(one->reply, other->reply) == 0));
}

/*
 * V8: first those whom the peer refused by name, as it did so; then the others.  Both newest first, as
 * they were asked for.
 */
void
job_settle_each(struct job *job, struct recipient *const recipients[], size_t count,
    int64_t started_ms, bool goes_on)
{
	struct recipient **others =
	    ARENA_ARRAY(job->envelope->arena, struct recipient *, count + 1);
	size_t left = 0, last;

	for (size_t i = count; i > 0; i--) {
		struct recipient *one = recipients[i - 1];

		if (goes_on && verdict_is_temporary(&one->verdict))
			job_note_refusal(job, one, started_ms);
		else if (one->reply_is_own)
			job_settle_recipients(job, recipients + i - 1, 1, started_ms);
	}
	for (size_t i = 0; i < count; i++) {
		struct recipient *one = recipients[i];

		if (!one->reply_is_own && !(goes_on && verdict_is_temporary(&one->verdict)))
			others[left++] = one;
	}
	for (; left > 0; left = last) {
		last = left - 1;
		while (last > 0 && share_outcome(others[last - 1], others[left - 1]))
			last--;
		job_settle_recipients(job, others + last, left - last, started_ms);
	}
}
