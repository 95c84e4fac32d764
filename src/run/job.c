#include "config.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/text.h"
#include "job_private.h"
#include "queue/statistics.h"
#include "route/alias.h"
#include "route/compose.h"
#include "route/resolve.h"
#include "run/back_off.h"
#include "run/lanes.h"
#include "submit/finish.h"
#include "submit/submission.h"

const char *
job_name_lane(const struct mailer *mailer, const char *host, char lane[KICK_LANE_SIZE])
{
	if (snprintf(lane, KICK_LANE_SIZE, "%s %s", mailer->name, host) >= KICK_LANE_SIZE)
		lane[0] = '\0'; /* too long to be a host: it has no lane */
	return lane;
}

static struct job_group *
find_group(struct job *job, const struct recipient *recipient)
{
	struct job_group *group;

	for (group = job->groups; group != NULL; group = group->next) {
		if (group->mailer == recipient->mailer &&
		    text_equal_nocase(group->host, recipient->host))
			return group;
	}
	group = ARENA_NEW(job->envelope->arena, struct job_group);
	group->mailer = recipient->mailer;
	group->host = recipient->host;
	job_name_lane(group->mailer, group->host, group->lane);
	*job->groups_end = group;
	job->groups_end = &group->next;
	return group;
}

static void
add_to_group(struct job *job, struct recipient *recipient)
{
	struct job_group *group = find_group(job, recipient);

	if (group->count == group->capacity) {
		size_t capacity = group->capacity == 0 ? 8 : group->capacity * 2;

		group->recipients = arena_grow(job->envelope->arena, group->recipients,
		    group->capacity * sizeof *group->recipients,
		    capacity * sizeof *group->recipients);
		group->capacity = capacity;
	}
	group->recipients[group->count++] = recipient;
}

static bool
has_alias(struct job *job, const struct resolved *resolved)
{
	struct alias_result alias;

	if (!mailer_has(resolved->mailer, 'A'))
		return false;
	alias_lookup(job->run->config, resolved->user, job->envelope->arena, &alias);
	return alias.found || alias.is_temporary;
}

/*
 * What V8 does with a local name that no alias file knows: set localaddr may send it elsewhere (flag 5), step by step
 * (user+detail, user+*, user) until it has no more to say.
 */
static void
resolve_local_name(struct job *job, struct resolved *resolved)
{
	struct resolved local = {0};

	for (int round = 0; round < LOCALADDR_ROUNDS && mailer_has(resolved->mailer, '5') &&
			    !has_alias(job, resolved);
	     round++) {
		if (!resolve_local(&job->rule, resolved, &local))
			return;
		*resolved = local;
	}
}

static bool
resolve_one(struct job *job, struct recipient *recipient, struct resolved *resolved)
{
	bool found = resolve_address(&job->rule, recipient->address, 0, resolved);

	/* a map without an answer may have led astray: then no failure is final */
	if (resolved->is_deferred)
		recipient->flags |= RECIPIENT_UNCERTAIN;
	if (found)
		resolve_local_name(job, resolved);
	recipient->mailer = resolved->mailer;
	recipient->host = resolved->host != NULL ? resolved->host : "";
	recipient->user = resolved->user;
	if (found && mailer_has(resolved->mailer, 's'))
		recipient->user = resolve_strip_quotes(job->envelope->arena, resolved->user);
	return found;
}

/* Members of aliases and lists come to the end of the list, and get their turn there. */
static void
resolve_all(struct job *job)
{
	for (struct recipient *recipient = job->envelope->recipients; recipient != NULL;
	     recipient = recipient->next) {
		struct resolved resolved = {0};

		if ((recipient->flags & (RECIPIENT_DONE | RECIPIENT_REFUSED)) != 0 ||
		    job_was_refused(job, recipient))
			continue;
		if (job->run->refusals_only) {
			recipient->flags |= RECIPIENT_QUEUED_UP;
			job->is_deferred = true;
			continue;
		}
		if (resolve_one(job, recipient, &resolved)) {
			job_expand_recipient(job, recipient);
			continue;
		}
		recipient->verdict = resolved.error;
		job_settle_recipients(job, &recipient, 1, clock_monotonic_ms());
	}
}

/* Those that nothing is said about yet. */
static void
make_groups(struct job *job)
{
	for (struct recipient *recipient = job->envelope->recipients; recipient != NULL;
	     recipient = recipient->next) {
		if ((recipient->flags &
			(RECIPIENT_DONE | RECIPIENT_REFUSED | RECIPIENT_QUEUED_UP)) == 0 &&
		    recipient->verdict.code == 0)
			add_to_group(job, recipient);
	}
}

static int
compare_groups(const struct job_group *one, const struct job_group *other)
{
	return text_compare_nocase(one->host, other->host);
}

static void
sort_groups(struct job *job)
{
	struct job_group *sorted = NULL, *next;

	for (struct job_group *group = job->groups; group != NULL; group = next) {
		struct job_group **link = &sorted;

		next = group->next;
		while (*link != NULL && compare_groups(*link, group) <= 0)
			link = &(*link)->next;
		group->next = *link;
		*link = group;
	}
	job->groups = sorted;
}

/* "@host.example" of "x@host.example" or "<x@host.example>"; NULL: it has none. */
static const char *
domain_of_sender(struct arena *arena, const char *sender)
{
	const char *at = strrchr(sender, '@');

	return at != NULL ? arena_memdup(arena, at, strcspn(at, "> \t")) : NULL;
}

/* Whose ids count (V8: ctladdr): the sender's when it is a user here, at submission the caller's. */
static void
find_control(struct job *job)
{
	struct arena *arena = job->envelope->arena;
	struct resolved resolved = {0};
	const struct passwd *user = NULL;
	const char *sender = job->envelope->sender;

	job->control_user = "";
	if ((job->envelope->flags & ENVELOPE_RESPONSE) != 0 || sender == NULL ||
	    strcmp(sender, "<>") == 0)
		return;
	if (!resolve_address(&job->rule, sender, RESOLVE_SENDER, &resolved))
		resolved.mailer = NULL;
	if (resolved.mailer != NULL && mailer_has(resolved.mailer, 'C'))
		job->rule.sender_domain = domain_of_sender(arena, sender);
	if (resolved.mailer != NULL && mailer_has(resolved.mailer, 'w')) {
		user = getpwnam(resolved.user);
		if (user == NULL) /* nobody here: it is done for no user */
			return;
	}
	if (user != NULL) {
		job->control_user = arena_strdup(arena, user->pw_name);
		job->control = arena_printf(
		    arena, "%s (%ld/%ld)", sender, (long)user->pw_uid, (long)user->pw_gid);
	} else if (job->run->is_submission && envelope_macro(job->envelope, "r") == NULL) {
		user = job->run->caller_uid != 0 ? getpwuid(job->run->caller_uid) : NULL;
		if (user != NULL)
			job->control_user = arena_strdup(arena, user->pw_name);
		job->control = arena_printf(arena, "%s (%ld/%ld)", sender,
		    (long)job->run->caller_uid, (long)job->run->caller_gid);
	}
}

/*
 * What the message was counted as when it came in, of which only its priority is left; its header in the queue may be
 * longer, where lists of addresses were folded anew.  The priority is of no use when recipients were refused, except
 * of a report and of a message that was refused whole, which V8 counts as they were made.
 */
static off_t
size_at_first(const struct run_context *run, const struct envelope *envelope)
{
	enum { FOLDING_MAXIMUM = 4096 };
	const struct options *options = &run->config->options;
	const struct recipient *first = envelope->recipients;
	off_t size = envelope->priority + envelope->message_class * options->class_factor,
	      as_read = compose_size_as_read(envelope);
	bool is_certain =
	    (envelope->flags & ENVELOPE_RESPONSE) != 0 ||
	    (first != NULL && first->status != NULL && text_starts(first->status, "552 "));

	for (const struct recipient *one = first; one != NULL; one = one->next)
		size -= options->recipient_factor;
	if (!is_certain && (size > as_read + FOLDING_MAXIMUM || size < as_read - FOLDING_MAXIMUM))
		return as_read;
	return size > 0 ? size : as_read;
}

static void
begin(struct job *job, struct run_context *run, struct envelope *envelope)
{
	char date[DATE_CTIME_SIZE];

	*job = (struct job){.run = run, .envelope = envelope};
	job->groups_end = &job->groups;
	job->macros = macro_env_create(run->config->macros);
	finish_read_class(envelope, run->config);
	job->rule = (struct rule_context){
	    .config = run->config,
	    .macros = job->macros,
	    .arena = envelope->arena,
	};
	for (const struct saved_macro *macro = envelope->macros; macro != NULL; macro = macro->next)
		config_set_macro(run->config, job->macros, macro->name, macro->value);
	config_set_macro(run->config, job->macros, "i", envelope->id);
	config_set_macro(run->config, job->macros, "d", date_ctime(clock_now(), date));
	config_set_macro(run->config, job->macros, "f", envelope->sender);
	config_set_macro(run->config, job->macros, "g", envelope->sender);
	if (envelope->message_size == 0 && run->is_first_attempt)
		envelope->message_size = size_at_first(run, envelope);
	if (envelope->message_size <= 0)
		envelope->message_size = compose_message_size(envelope);
	/* V8: an I line is for those who read the file after this; a report of ours was just read */
	if (run->is_first_attempt && (envelope->flags & ENVELOPE_RESPONSE) == 0)
		envelope->body_inode = 0;
	/* V8: what is queued again by those who took it in is as they know it */
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (run->is_first_attempt && (one->flags & RECIPIENT_DERIVED) != 0)
			one->flags &= ~(unsigned)RECIPIENT_PRIMARY;
	}
	find_control(job);
}

static void
count_attempt(struct job *job)
{
	struct envelope *envelope = job->envelope;

	envelope->attempts++;
	envelope->last_attempt = clock_now();
	if (!job->run->is_first_attempt)
		envelope->priority += job->run->config->options.retry_factor;
}

/* A crash behind many deliveries must not repeat all of them (CheckpointInterval). */
static void
checkpoint(struct job *job)
{
	int interval = job->run->config->options.checkpoint_interval;

	if (interval <= 0 || job->sent_since_checkpoint < (size_t)interval)
		return;
	job->sent_since_checkpoint = 0;
	if (queue_rewrite(job->run->queue, job->envelope) < 0)
		log_at(0, LOG_CRIT, "%s: SYSERR: cannot rewrite the queue file at a checkpoint",
		    job->envelope->id);
}

static bool
all_lanes_are_closed(const struct job *job)
{
	const char *relay;

	for (const struct job_group *group = job->groups; group != NULL; group = group->next) {
		if (lanes_find_closed(job->run->lanes, group->lane, &relay) == NULL)
			return false;
	}
	return job->groups != NULL && !job->has_failed && !job->is_deferred;
}

static size_t
count_left(const struct envelope *envelope)
{
	size_t left = 0;

	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next)
		left += (one->flags & RECIPIENT_DONE) == 0;
	return left;
}

/* V8: whom a recipient stands for in reports is known from the first attempt on; an alias is meant by its name. */
static void
add_final_addresses(struct job *job)
{
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		const char *named = one->control_alias;

		if (one->final != NULL || (one->flags & RECIPIENT_DONE) != 0)
			continue;
		one->final = submission_final_address(job->run->config, job->envelope->arena,
		    named != NULL && *named != '\0' ? named : one->address, one->mailer);
	}
}

static void
log_done(const struct envelope *envelope)
{
	struct str delay = {0};

	job_log_interval(&delay, (long)(clock_now() - envelope->created));
	log_at(10, LOG_INFO, "%s: done; delay=%s, ntries=%d", envelope->id, str_text(&delay),
	    envelope->attempts);
	str_free(&delay);
}

/* The end of a job: the message is gone, waits, or is set aside. */
static void
settle(struct job *job, struct job_report *report)
{
	struct envelope *envelope = job->envelope;
	struct queue *queue = job->run->queue;

	job_report(job);
	statistics_post(job->run->config->options.status_file);
	if (!job->run->is_first_attempt)
		envelope_sort_recipients(envelope, envelope->attempts > 1);
	report->outcome = KICK_OUTCOME_GONE;
	if (count_left(envelope) == 0) {
		if (queue_remove(queue, envelope) < 0)
			log_at(0, LOG_CRIT,
			    "%s: SYSERR: cannot remove the delivered message from the queue",
			    envelope->id);
		log_done(envelope);
		return;
	}
	if (job->delay_status != NULL)
		envelope->status = job->delay_status;
	else if (job->deferred_status != NULL)
		envelope->status =
		    job->deferred_status; /* why it waits; what failed was reported */
	else if (job->has_failed)
		envelope->status = job->failed_status;
	add_final_addresses(job);
	if (queue_rewrite(queue, envelope) < 0)
		log_at(0, LOG_CRIT, "%s: SYSERR: cannot rewrite the queue file", envelope->id);
	if (job->is_homeless) {
		/* kept for the administrator, never dropped */
		queue_set_aside(queue, envelope, "savemail panic");
		log_at(0, LOG_CRIT,
		    "%s: SYSERR(root): savemail: cannot save rejected email anywhere",
		    envelope->id);
		return;
	}
	/* "locked": to be tried again in a moment, on another session */
	report->outcome = job->deserves_retry ? KICK_OUTCOME_LOCKED : KICK_OUTCOME_WAITS;
	report->priority = envelope->priority;
	report->wait_seconds =
	    back_off_seconds(&job->run->config->options, envelope->created, envelope->last_attempt);
	for (const struct job_group *group = job->groups; group != NULL; group = group->next) {
		for (size_t i = 0; i < group->count; i++) {
			if ((group->recipients[i]->flags & RECIPIENT_QUEUED_UP) == 0)
				continue;
			text_copy(report->lane, sizeof report->lane, group->lane);
			return;
		}
	}
}

/* Nothing is tried any more: it only goes back. */
static void
hold_all(struct job *job)
{
	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & (RECIPIENT_DONE | RECIPIENT_REFUSED)) == 0)
			one->flags |= RECIPIENT_QUEUED_UP;
	}
	job->is_deferred = true;
	job->groups = NULL;
}

/* True when the job ends here; false when an answer is outstanding. */
static bool
work(struct job *job, struct job_report *report)
{
	resolve_all(job);
	job_split_lists(job);
	if (!job->run->is_first_attempt && job->envelope->attempts > 0)
		envelope_sort_recipients(job->envelope, true);
	make_groups(job);
	sort_groups(job);
	report->priority = job->envelope->priority;
	if (job->run->skip_closed_lanes && job->envelope->status != NULL &&
	    all_lanes_are_closed(job) && !job_is_due_for_report(job)) {
		/* its qf has a reason already; the lane has the newest one */
		report->outcome = KICK_OUTCOME_SKIPPED;
		text_copy(report->lane, sizeof report->lane, job->groups->lane);
		return true;
	}
	if (!job->run->refusals_only)
		count_attempt(job);
	if (job->run->is_first_attempt)
		envelope_sort_recipients(job->envelope, false);
	job_write_expansions(job);
	if (job_is_expired_untried(job))
		hold_all(job);
	for (struct job_group *group = job->groups; group != NULL; group = group->next) {
		if (job_deliver_group(job, group))
			return false;
		if (group->next != NULL)
			checkpoint(job);
	}
	settle(job, report);
	return true;
}

void
job_send_report(struct job *job, const char *id)
{
	const char *protocol = envelope_macro(job->envelope, "r");
	struct run_context inner = *job->run;
	struct job_report report;

	if (job->run->reported != NULL) {
		job->run->reported(job->run->callback_context, id);
		return;
	}
	inner.kind = 0;
	inner.is_first_attempt = inner.is_on_demand = true;
	inner.is_submission = inner.refusals_only = false;
	inner.has_sender_flag = inner.has_sender_flag || (protocol != NULL && *protocol != '\0');
	job_run(&inner, id, &report);
	job->run->tls = inner.tls;
}

static void
destroy(struct job *job)
{
	str_free(&job->transcript);
	macro_env_destroy(job->macros);
	envelope_destroy(job->envelope);
	free(job);
}

void
job_end_pending(struct job *job)
{
	struct run_context *run = job->run;
	struct job_report report = {0};
	char id[ENVELOPE_ID_SIZE];

	text_copy(id, sizeof id, job->envelope->id);
	settle(job, &report);
	destroy(job);
	run->settled(run->callback_context, id, &report);
}

static long
time_left(const struct run_context *run, const struct envelope *envelope)
{
	if (run->is_first_attempt || run->forgets_back_off)
		return 0;
	return back_off_left(&run->config->options, envelope->created, envelope->last_attempt);
}

static enum kick_outcome
outcome_of(enum queue_taken taken)
{
	switch (taken) {
	case QUEUE_LOCKED:
		return KICK_OUTCOME_LOCKED;
	case QUEUE_NOT_YET:
	case QUEUE_ERROR:
		return KICK_OUTCOME_WAITS;
	default:
		return KICK_OUTCOME_GONE;
	}
}

bool
job_run(struct run_context *run, const char *id, struct job_report *report)
{
	struct envelope *envelope = NULL;
	struct job *job;
	enum queue_taken taken;

	*report = (struct job_report){.outcome = KICK_OUTCOME_GONE};
	/* mailq lists whatever begins with qf; a file that is called so and no more is no message */
	if (!queue_id_is_valid(id))
		return true;
	taken = queue_take_kind(run->queue, run->kind != 0 ? run->kind : 'q', id, &envelope);
	report->outcome = outcome_of(taken);
	if (run->verbose != NULL && run->queue->complaint[0] != '\0' && taken != QUEUE_TAKEN)
		fprintf(run->verbose, "%s\n", run->queue->complaint);
	if (run->verbose != NULL && taken == QUEUE_LOCKED)
		fprintf(run->verbose, "%s: locked\n", id);
	if ((taken == QUEUE_SET_ASIDE || taken == QUEUE_NOT_YET) &&
	    run->queue->complaint[0] != '\0')
		run->exit_status = EX_SOFTWARE;
	if (taken != QUEUE_TAKEN)
		return true;
	report->wait_seconds = time_left(run, envelope);
	if (run->is_if_untried && envelope->attempts == 0)
		run->is_first_attempt = true;
	if (report->wait_seconds > 0 || (run->is_if_untried && envelope->attempts > 0)) {
		report->outcome = KICK_OUTCOME_WAITS;
		report->priority = envelope->priority;
		envelope_destroy(envelope);
		return true;
	}
	job = check_malloc(sizeof *job);
	begin(job, run, envelope);
	if (!work(job, report))
		return false;
	destroy(job);
	return true;
}
