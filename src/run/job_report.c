#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/config.h"
#include "job_private.h"
#include "mail/report.h"
#include "route/compose.h"
#include "run/report.h"
#include "submit/dead_letter.h"

/* "550 5.1.1 a@x,b@x... User unknown": what V8 says itself of a failure. */
static void
write_failure(struct job *job, const struct str *names, const struct recipient *one)
{
	const struct verdict *verdict = &one->verdict;
	bool is_peers = one->mailer != NULL && mailer_is_smtp(one->mailer) && one->relay != NULL;
	/* V8: of what a peer said it keeps the exit status, and the words that go with that */
	int code = is_peers ? verdict_code_from_exit(verdict->exit_status) : verdict->code;
	const char *dsn = is_peers ? verdict_dsn_from_exit(verdict->exit_status) : verdict->dsn;
	bool is_soft = job->run->config->options.soft_bounce && code >= 500;
	struct str text = {0};

	job_log_status(&text, one);
	if (is_soft)
		code -= 100;
	str_printf(&job->transcript, "%d ", code);
	if (*dsn != '\0')
		str_printf(&job->transcript, "%c%s ", is_soft ? '4' : dsn[0], dsn + 1);
	if (verdict_code_names_recipients(code) && strstr(str_text(&text), "... ") == NULL)
		str_printf(&job->transcript, "%s... ", str_text(names));
	str_printf(&job->transcript, "%s\n", str_text(&text));
	str_free(&text);
}

/* One of several that an alias stands for. */
static bool
is_member(const struct recipient *one)
{
	return (one->flags & RECIPIENT_PRIMARY) == 0;
}

static void
write_success(struct job *job, struct recipient *const recipients[], size_t count)
{
	for (size_t i = count; i > 0; i--) {
		struct recipient *one = recipients[i - 1];
		bool is_relayed = one->mailer != NULL && mailer_is_smtp(one->mailer), is_told;

		if ((one->flags & RECIPIENT_NOTIFY_SUCCESS) == 0 ||
		    (is_relayed && one->peer_reports) ||
		    (job->run->config->options.privacy & PRIVACY_NO_RECEIPTS) != 0)
			continue;
		/* V8: of the members of an alias only those of a later run count by themselves */
		is_told = !is_member(one) || !job->run->is_first_attempt;
		if (is_told || !is_relayed)
			str_printf(&job->transcript, "%s... %s\n", one->address,
			    is_relayed ? "relayed; expect no further notifications"
				       : "Successfully delivered");
		if (is_told)
			one->report = is_relayed ? REPORT_RELAYED : REPORT_DELIVERED;
	}
}

static void
write_deferral(struct job *job, const struct str *names, const struct recipient *one)
{
	struct str text = {0};

	if (one->verdict.exit_status == EX_OSERR || one->verdict.exit_status == EX_IOERR) {
		write_failure(job, names, one);
		return;
	}
	job_log_status(&text, one);
	str_printf(&job->transcript, "%s... %s\n", str_text(names), str_text(&text));
	str_free(&text);
}

void
job_write_down(struct job *job, struct recipient *const recipients[], size_t count)
{
	const struct recipient *one = recipients[0];
	struct str names = {0};

	for (size_t i = count; i > 0; i--)
		if (recipients[i - 1]->said != NULL)
			str_add_text(&job->transcript, recipients[i - 1]->said);
	job_log_names(&names, recipients, count);
	if (verdict_is_success(&one->verdict))
		write_success(job, recipients, count);
	else if (verdict_is_temporary(&one->verdict))
		write_deferral(job, &names, one);
	else
		write_failure(job, &names, one);
	for (size_t i = count; i > 0; i--)
		if (recipients[i - 1]->said_after != NULL)
			str_add_text(&job->transcript, recipients[i - 1]->said_after);
	str_free(&names);
}

/* An alias that was followed at submission, of which the queue file has the members alone. */
static bool
is_first_of_alias(const struct envelope *envelope, const struct recipient *member)
{
	const struct recipient *one = envelope->recipients;

	while (one != member && (one->control_alias == NULL ||
				    strcmp(one->control_alias, member->control_alias) != 0))
		one = one->next;
	return one == member;
}

void
job_write_expansions(struct job *job)
{
	for (const struct recipient *one = job->envelope->recipients; one != NULL;
	     one = one->next) {
		if (!job->run->is_first_attempt || one->alias_of != NULL ||
		    (one->flags & RECIPIENT_NOTIFY_SUCCESS) == 0 || !is_member(one) ||
		    one->control_alias == NULL || *one->control_alias == '\0' ||
		    !is_first_of_alias(job->envelope, one))
			continue;
		job->was_expanded = true;
		str_printf(
		    &job->transcript, "%s... expanded to multiple addresses\n", one->control_alias);
	}
}

/* V8: Priority chooses among the time limits; those of reports are their own. */
static long
choose(const struct envelope *envelope, const struct class_timeouts *timeouts)
{
	const struct header *priority = header_find(&envelope->headers, "Priority");
	const char *word = priority != NULL ? text_skip_space(priority->value) : "";

	if ((envelope->flags & ENVELOPE_RESPONSE) != 0)
		return timeouts->dsn;
	if (text_equal_nocase(word, "urgent"))
		return timeouts->urgent;
	if (text_equal_nocase(word, "non-urgent"))
		return timeouts->non_urgent;
	return timeouts->normal;
}

long
report_return_seconds(const struct config *config, const struct envelope *envelope)
{
	return choose(envelope, &config->options.timeouts.queue_return);
}

long
report_warn_seconds(const struct config *config, const struct envelope *envelope)
{
	const char *sender = envelope->sender;

	/* V8: nobody wants to know it of what has no sender, or is sent in bulk */
	if ((envelope->flags & (ENVELOPE_WARNED | ENVELOPE_RESPONSE)) != 0 ||
	    envelope->message_class < 0 || sender == NULL || strcmp(sender, "<>") == 0)
		return 0;
	return choose(envelope, &config->options.timeouts.queue_warn);
}

static bool
is_older(const struct envelope *envelope, long seconds)
{
	return clock_age(envelope->created) > seconds;
}

/* DELIVERBY with mode R (RFC 2852): the sender wants it back rather than late. */
static bool
is_past_its_time(const struct envelope *envelope)
{
	return envelope->deliver_by > 0 && envelope->deliver_by_mode != NULL &&
	       (envelope->deliver_by_mode[0] & DELIVER_BY_RETURN) != 0 &&
	       is_older(envelope, envelope->deliver_by);
}

/* And with mode N: he wants to know it. */
static bool
is_late_for_notice(const struct envelope *envelope)
{
	return envelope->deliver_by_mode != NULL &&
	       (envelope->deliver_by_mode[0] & DELIVER_BY_NOTIFY) != 0 &&
	       (envelope->flags & (ENVELOPE_WARNED | ENVELOPE_RESPONSE)) == 0 &&
	       is_older(envelope, envelope->deliver_by);
}

bool
job_is_due_for_report(const struct job *job)
{
	const struct envelope *envelope = job->envelope;
	long warn = report_warn_seconds(job->run->config, envelope);

	return is_past_its_time(envelope) || is_late_for_notice(envelope) ||
	       is_older(envelope, report_return_seconds(job->run->config, envelope)) ||
	       (warn > 0 && is_older(envelope, warn));
}

bool
job_is_expired_untried(const struct job *job)
{
	return !job->run->is_first_attempt &&
	       (report_return_seconds(job->run->config, job->envelope) == 0 ||
		   is_past_its_time(job->envelope));
}

static const char *
span_text(struct job *job, const char *format, long seconds)
{
	struct str span = {0};
	const char *text;

	report_interval(&span, seconds);
	text = arena_printf(job->envelope->arena, "%s%s", format, str_text(&span));
	str_free(&span);
	return text;
}

static const char *
late_text(const struct job *job)
{
	return arena_printf(job->envelope->arena, "Warning: Delivery time (%lds) exceeded",
	    job->envelope->deliver_by);
}

/* What waits has waited too long. */
static void
expire(struct job *job)
{
	long seconds = report_return_seconds(job->run->config, job->envelope);

	if (!job->is_deferred ||
	    (!is_older(job->envelope, seconds) && !job_is_expired_untried(job)))
		return;
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_QUEUED_UP) == 0)
			continue;
		one->flags &= ~(unsigned)RECIPIENT_QUEUED_UP;
		one->report = REPORT_FAILED;
		if (is_past_its_time(job->envelope))
			one->verdict = verdict_make(job->envelope->arena, 554, "5.4.7",
			    EX_UNAVAILABLE, "delivery time expired");
	}
	job->is_deferred = false;
	job->has_failed = true;
	if (is_past_its_time(job->envelope)) {
		job->failed_status = arena_printf(
		    job->envelope->arena, "delivery time expired %lds", job->envelope->deliver_by);
		str_printf(&job->transcript,
		    "Delivery time (%lds) expired\nMessage will be deleted from queue\n",
		    job->envelope->deliver_by);
	} else {
		job->failed_status = span_text(job, "Cannot send message for ", seconds);
		str_printf(&job->transcript, "%s\nMessage will be deleted from queue\n",
		    span_text(job, "Message could not be delivered for ", seconds));
	}
	if (job->run->verbose != NULL)
		fprintf(job->run->verbose, "%s%s%s\n",
		    is_past_its_time(job->envelope) ? job->envelope->recipients->address : "",
		    is_past_its_time(job->envelope) ? "... " : "", job->failed_status);
}

/* What waits has waited so long that its sender wants to know; gives when it ends, 0: not now. */
static time_t
find_delay(struct job *job)
{
	const struct config *config = job->run->config;
	long warn = report_warn_seconds(config, job->envelope);
	long give_up = report_return_seconds(config, job->envelope);
	bool any = false, is_late = is_late_for_notice(job->envelope);

	if (!job->is_deferred || (!is_late && (warn <= 0 || !is_older(job->envelope, warn))))
		return 0;
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_QUEUED_UP) == 0 ||
		    (one->flags & RECIPIENT_NOTIFY_DELAY) == 0)
			continue;
		one->report = REPORT_DELAYED;
		any = true;
	}
	if (!any)
		return 0;
	str_printf(&job->transcript, "%s\n%s old\n",
	    is_late ? late_text(job)
		    : span_text(job, "Warning: message still undelivered after ", warn),
	    span_text(job, "Will keep trying until message is ", give_up));
	return job->envelope->created + give_up;
}

/* Those that are lost: told of unless the sender wanted no word of it. */
static bool
find_failures(struct job *job)
{
	bool any = false;

	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & (RECIPIENT_DONE | RECIPIENT_QUEUED_UP)) != 0)
			continue;
		one->report =
		    (one->flags & RECIPIENT_NOTIFY_FAILURE) != 0 ? REPORT_FAILED : REPORT_NOTHING;
		any = any || one->report == REPORT_FAILED;
	}
	return any;
}

static bool
has_success(const struct job *job)
{
	for (const struct recipient *one = job->envelope->recipients; one != NULL;
	     one = one->next) {
		if ((one->flags & RECIPIENT_DONE) != 0 && one->report != REPORT_NOTHING)
			return true;
	}
	return job->was_expanded;
}

/* The failures are dealt with: they go, and are tried no more. */
static void
drop_failures(struct job *job)
{
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_QUEUED_UP) == 0)
			one->flags |= RECIPIENT_DONE;
	}
}

/* Nothing could be told now: the failures stay, and the next run finds them again. */
static void
keep_failures(struct job *job)
{
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_DONE) == 0)
			one->flags |= RECIPIENT_QUEUED_UP;
	}
	job->is_deferred = true;
}

/* V8, ErrorMode p: whoever sits at the terminal has read it, and keeps the message. */
static bool
save_dead_letter(struct job *job)
{
	struct run_context *run = job->run;
	struct composed composed;
	struct dead_letter letter = {
	    .uid = run->caller_uid,
	    .gid = run->caller_gid,
	    .sender = job->envelope->sender,
	    .created = job->envelope->created,
	    .body_fd = job->envelope->body_fd,
	};

	if (run->config->local_mailer == NULL ||
	    !dead_letter_is_own(run->caller_uid, letter.sender))
		return false;
	compose_message(&job->rule, job->envelope, run->config->local_mailer, &composed);
	letter.header = composed.header;
	letter.header_length = composed.header_length;
	return dead_letter_save(&letter, job->envelope->arena);
}

/* V8: of a message that is no good as it is its sender hears by mail, and the caller need not know. */
static bool
was_refused_whole(const struct job *job)
{
	const struct recipient *first = job->envelope->recipients;

	return first != NULL && first->report == REPORT_FAILED && first->verdict.code == 552 &&
	       (first->flags & RECIPIENT_REFUSED) != 0;
}

/* The caller waits and has chosen how it hears of failures; true: it has. */
static bool
tell_caller(struct job *job)
{
	if (!job->run->is_submission || was_refused_whole(job))
		return false;
	switch (job->run->error_mode) {
	case 'q':
		return true;
	case 'p':
		return save_dead_letter(job);
	default:
		return false;
	}
}

static void
lose(struct job *job, struct report_order *order)
{
	if (report_drop(order)) {
		drop_failures(job);
		return;
	}
	keep_failures(job);
	job->is_homeless = true;
}

/* It is no part of what was asked for, and its failures are not the caller's. */
static void
send_report(void *context, const char *id)
{
	job_send_report(context, id);
}

static void
send(struct job *job, struct report_order *order)
{
	order->queued = send_report;
	order->context = job;
	switch (report_make(order)) {
	case REPORT_QUEUED:
		drop_failures(job);
		break;
	case REPORT_UNWANTED:
		drop_failures(job);
		break;
	case REPORT_HOMELESS:
		lose(job, order);
		break;
	case REPORT_TROUBLE:
		keep_failures(job);
		break;
	}
	if (order->occasion == REPORT_OF_DELAY && !job->is_homeless) {
		job->envelope->flags |= ENVELOPE_WARNED;
		job->delay_status = order->message;
	}
}

void
job_report(struct job *job)
{
	struct report_order order = {
	    .rule = &job->rule,
	    .queue = job->run->queue,
	    .original = job->envelope,
	    .copies_to_postmaster = job->is_out_of_order,
	    .transcript = &job->transcript,
	};

	expire(job);
	order.retry_until = find_delay(job);
	order.has_failure = find_failures(job);
	if (order.has_failure && tell_caller(job)) {
		drop_failures(job);
		order.has_failure = false;
		for (struct recipient *one = job->envelope->recipients; one != NULL;
		     one = one->next)
			one->report = one->report == REPORT_FAILED ? REPORT_NOTHING : one->report;
	}
	if (order.retry_until != 0) {
		order.occasion = REPORT_OF_DELAY;
		order.message = is_late_for_notice(job->envelope)
				    ? late_text(job)
				    : span_text(job, "Warning: could not send message for past ",
					  report_warn_seconds(job->run->config, job->envelope));
	} else if (order.has_failure) {
		order.occasion = REPORT_OF_FAILURE;
		order.message = job->failed_status;
	} else if (has_success(job)) {
		order.occasion = REPORT_OF_SUCCESS;
		order.message = "Return receipt";
	} else {
		drop_failures(job);
		return;
	}
	send(job, &order);
}
