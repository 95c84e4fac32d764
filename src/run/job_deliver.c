#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/client.h"
#include "job_private.h"
#include "route/compose.h"
#include "run/lanes.h"
#include "run/sessions.h"

enum { RECIPIENTS_DEFAULT = 100 };

/* The domain of an address, without a final dot; "" when it has none. */
static const char *
domain_of(const char *address, char *buffer, size_t size)
{
	const char *at = strrchr(address, '@');
	size_t length;

	text_copy(buffer, size, at != NULL ? at + 1 : "");
	length = strcspn(buffer, "> \t");
	buffer[length] = '\0';
	if (length > 0 && buffer[length - 1] == '.')
		buffer[length - 1] = '\0';
	return buffer;
}

/*
 * A host that is not the recipient's own domain is one of ours: a smart host.  What is wrong with
 * its name is ours to mend and returns no mail.
 */
static bool
is_smart_host(const char *host, struct recipient *const recipients[], size_t count)
{
	char name[256], domain[256];
	size_t length;

	text_copy(name, sizeof name, host);
	length = strlen(name);
	if (length > 0 && name[length - 1] == '.')
		name[length - 1] = '\0';
	for (size_t i = 0; i < count; i++) {
		if (text_equal_nocase(
			name, domain_of(recipients[i]->user, domain, sizeof domain)) ||
		    text_equal_nocase(
			name, domain_of(recipients[i]->address, domain, sizeof domain)))
			return false;
	}
	return true;
}

static void
set_all(struct recipient *const recipients[], size_t count, const struct verdict *verdict,
    const char *relay)
{
	for (size_t i = 0; i < count; i++) {
		recipients[i]->verdict = *verdict;
		recipients[i]->relay = relay;
		recipients[i]->reply = NULL;
		recipients[i]->reply_is_own = false;
		recipients[i]->why = NULL;
		recipients[i]->said = recipients[i]->said_after = NULL;
		recipients[i]->diagnostic = recipients[i]->remote = NULL;
	}
}

/* "mx.example.org. [192.0.2.1]" -> "mx.example.org" */
static const char *
host_of_relay(struct arena *arena, const char *relay)
{
	size_t length = strcspn(relay, " ");

	return arena_memdup(
	    arena, relay, length > 0 && relay[length - 1] == '.' ? length - 1 : length);
}

/* What a report says of a host that let us send nothing. */
static void
note_no_session(struct job *job, struct recipient *one, const struct client *client,
    const struct verdict *verdict, const char *refusal)
{
	struct arena *arena = job->envelope->arena;

	one->reply = arena_strdup(arena, client_failure_reply(client));
	one->why = arena_strdup(arena, client_trouble(client));

	if (refusal != NULL) { /* our own ruleset's */
		one->diagnostic = arena_strdup(arena, refusal);
		return;
	}
	one->diagnostic = one->reply;
	if (verdict_is_permanent(verdict) && client_diagnostic(client) != NULL)
		one->diagnostic = arena_strdup(arena, client_diagnostic(client));
	if (verdict->exit_status != EX_CONFIG || one->diagnostic == NULL)
		one->remote = host_of_relay(arena, one->relay);
}

/* The words of a verdict must outlive the session they came from. */
static struct verdict
keep_verdict(struct job *job, struct verdict verdict)
{
	verdict.text = arena_strdup(job->envelope->arena, verdict.text != NULL ? verdict.text : "");
	return verdict;
}

/* One transaction; in the arena of its message, which it may outlive the delivery of (run->pending). */
struct sending {
	struct job *job;
	struct job_group *group;
	struct client *client;
	struct client_context context;
	struct client_message message;
	struct recipient **recipients; /* in the order of the qf */
	size_t count;
	int64_t started_ms;
	bool was_used_before;	    /* the session */
	struct client *next_client; /* with another host of the list, see try_next_hosts */
	char next_lane[KICK_LANE_SIZE];
	struct sending *next; /* whose answer is outstanding too */
};

/* V8's order of RCPT, the newest first, and the names for -v. */
static void
reverse_recipients(struct sending *sending)
{
	struct arena *arena = sending->job->envelope->arena;
	size_t count = sending->count;
	struct recipient **reversed = ARENA_ARRAY(arena, struct recipient *, count + 1);
	struct str names = {0};

	for (size_t i = 0; i < count; i++)
		reversed[i] = sending->recipients[count - 1 - i];
	sending->message.recipients = reversed;
	sending->message.recipient_count = count;
	job_log_names(&names, sending->recipients, count);
	sending->context.verbose_prefix = arena_strdup(arena, str_text(&names));
	str_free(&names);
}

/* What lssrc -l tells of the smart host. */
static void
note_session(const struct sending *sending, const struct client *client)
{
	struct slot *slot = sending->job->run->slot;
	struct str tls = {0}, auth = {0}, result = {0};

	if (slot == NULL ||
	    !is_smart_host(sending->group->host, sending->recipients, sending->count))
		return;
	client_describe(client, &tls, &auth);
	job_log_status(&result, sending->recipients[0]);
	text_copy(slot->session.relay, sizeof slot->session.relay, client_relay(client));
	text_copy(slot->session.tls, sizeof slot->session.tls, str_text(&tls));
	text_copy(slot->session.auth, sizeof slot->session.auth, str_text(&auth));
	text_copy(slot->session.result, sizeof slot->session.result, str_text(&result));
	slot->session.when = clock_now();
	str_free(&tls);
	str_free(&auth);
	str_free(&result);
}

static struct client *
open_session(struct sending *sending)
{
	struct job *job = sending->job;
	struct job_group *group = sending->group;
	struct client *client;
	struct verdict verdict;
	const char *relay, *refusal;

	sessions_make_room(job->run->sessions);
	client = client_open(&sending->context, group->mailer, group->host,
	    is_smart_host(group->host, sending->recipients, sending->count));
	job->run->tls = sending->context.tls; /* made when it was needed first */
	if (client_is_open(client)) {
		if (job->run->lane_opened != NULL)
			job->run->lane_opened(job->run->callback_context, group->lane);
		return client;
	}
	verdict = keep_verdict(job, client_verdict(client));
	relay = arena_strdup(job->envelope->arena, client_relay(client));
	refusal = verdict_is_permanent(&verdict) ? client_failure_reason(client) : NULL;
	if (refusal !=
	    NULL) { /* V8: the words are for the report, the exit status for the caller */
		verdict.text = verdict_text_from_exit(verdict.exit_status);
		job->run->rule_status = EX_DATAERR;
	}
	set_all(sending->recipients, sending->count, &verdict, relay);
	for (size_t i = 0; i < sending->count; i++)
		note_no_session(job, sending->recipients[i], client, &verdict, refusal);
	sending->recipients[0]->said = arena_strdup(job->envelope->arena, client_told(client));
	if (verdict.exit_status == EX_CONFIG) {
		job->is_out_of_order = true;
		job->run->rule_status = EX_SOFTWARE; /* V8: an error of the system's own */
	}
	note_session(sending, client);
	client_close(client);
	if (verdict_is_temporary(&verdict)) {
		lanes_close(job->run->lanes, group->lane, &verdict, relay);
		if (job->run->lane_closed != NULL)
			job->run->lane_closed(job->run->callback_context, group->lane);
	}
	return NULL;
}

static bool
is_settled(const struct sending *sending)
{
	for (size_t i = 0; i < sending->count; i++) {
		if (sending->recipients[i]->verdict.code == 0)
			return false;
	}
	return true;
}

/* The session broke under a message that it was not opened for: the message deserves a session of its own. */
static bool
was_let_down(const struct sending *sending)
{
	if (!sending->was_used_before || client_is_open(sending->client))
		return false;
	for (size_t i = 0; i < sending->count; i++) {
		if (sending->recipients[i]->verdict.code != 421)
			return false;
	}
	return true;
}

/* Narrows it to those who are still to be delivered to; false: there is nobody. */
static bool
keep_deferred(struct sending *sending)
{
	struct recipient **left =
	    ARENA_ARRAY(sending->job->envelope->arena, struct recipient *, sending->count + 1);
	size_t count = 0;

	for (size_t i = 0; i < sending->count; i++) {
		if (verdict_is_temporary(&sending->recipients[i]->verdict))
			left[count++] = sending->recipients[i];
	}
	sending->recipients = left;
	sending->count = count;
	reverse_recipients(sending);
	return count > 0;
}

/* An open session with the next host of the list, one from before if there is any. */
static struct client *
find_next_session(struct sending *sending, const struct client *before)
{
	struct sessions *sessions = sending->job->run->sessions;
	char *lane = sending->next_lane;
	struct client *next;

	if (snprintf(lane, KICK_LANE_SIZE, "%s > %s", sending->group->lane,
		client_next_host(before)) >= KICK_LANE_SIZE)
		lane[0] = '\0';
	next = sessions_take(sessions, lane);
	if (next != NULL && client_is_reusable(next))
		return next;
	client_close(next);
	sessions_make_room(sessions);
	return client_open_next(&sending->context, before);
}

/* That no other host can be reached is news of those only whom the last one did not refuse by name. */
static void
end_unreachable(struct sending *sending, const struct client *client)
{
	struct job *job = sending->job;
	struct recipient **others =
	    ARENA_ARRAY(job->envelope->arena, struct recipient *, sending->count + 1);
	struct verdict verdict = keep_verdict(job, client_verdict(client));
	size_t count = 0;

	if (verdict_is_permanent(&verdict)) {
		job_keep_refusals(job, sending->recipients, sending->count);
		return;
	}
	for (size_t i = 0; i < sending->count; i++) {
		if (sending->recipients[i]->reply_is_own)
			job_keep_refusals(job, sending->recipients + i, 1);
		else
			others[count++] = sending->recipients[i];
	}
	set_all(others, count, &verdict, arena_strdup(job->envelope->arena, client_relay(client)));
	for (size_t i = 0; i < count; i++)
		note_no_session(job, others[i], client, &verdict, NULL);
	job_settle_each(job, others, count, sending->started_ms, false);
}

/* V8: what one host of the list does not take now is offered to the next, whatever the reason. */
static void
try_next_hosts(struct sending *sending)
{
	struct job *job = sending->job;
	struct client *client = sending->client, *next;

	while (client_next_host(client) != NULL) {
		job_settle_each(
		    job, sending->recipients, sending->count, sending->started_ms, true);
		if (!keep_deferred(sending))
			return;
		next = find_next_session(sending, client);
		if (client != sending->client)
			client_close(client);
		sending->next_client = client = next;
		if (!client_is_open(client)) {
			end_unreachable(sending, client);
			return;
		}
		for (size_t i = 0; i < sending->count; i++)
			sending->recipients[i]->reply_is_own = false;
		client_send(client, &sending->context, &sending->message);
	}
	job_settle_each(job, sending->recipients, sending->count, sending->started_ms, false);
}

/* Words of verdicts live with the session's answers or the message: the message keeps its own. */
static void
end_sending(struct sending *sending)
{
	struct job *job = sending->job;

	if (sending->client != NULL)
		note_session(sending, sending->client);
	if (sending->client != NULL && !was_let_down(sending)) {
		try_next_hosts(sending);
		return;
	}
	job->deserves_retry = job->deserves_retry || sending->client != NULL;
	job_settle_each(job, sending->recipients, sending->count, sending->started_ms, false);
}

/* The session with another host than the first of the list waits for the next message that needs it. */
static void
keep_next(struct sending *sending)
{
	if (sending->next_client != NULL)
		sessions_keep(
		    sending->job->run->sessions, sending->next_lane, sending->next_client);
	sending->next_client = NULL;
}

/* The oldest message without an answer: it has one now.  Its job ends. */
static void
end_pending(struct run_context *run)
{
	struct sending *sending = run->pending;
	struct job *job = sending->job;

	run->pending = sending->next;
	end_sending(sending);
	keep_next(sending);
	job_end_pending(job);
}

void
job_finish(struct run_context *run)
{
	struct client *client;
	char lane[KICK_LANE_SIZE];

	if (run->pending == NULL)
		return;
	client = run->pending->client; /* all are on one session */
	text_copy(lane, sizeof lane, run->pending->group->lane);
	client_send_finish(client);
	while (run->pending != NULL)
		end_pending(run);
	sessions_keep(run->sessions, lane, client);
}

static void
add_pending(struct run_context *run, struct sending *sending)
{
	struct sending **end = &run->pending;

	while (*end != NULL)
		end = &(*end)->next;
	*end = sending;
}

/* The session that the message before is still on, or one from the cache, or a new one. */
static struct client *
find_session(struct sending *sending)
{
	struct run_context *run = sending->job->run;
	const char *lane = sending->group->lane;
	struct client *client;

	if (run->pending != NULL && *lane != '\0' && strcmp(run->pending->group->lane, lane) == 0 &&
	    client_takes_more(run->pending->client)) {
		sending->was_used_before = true;
		return run->pending->client;
	}
	job_finish(run);
	client = sessions_take(run->sessions, lane);
	if (client != NULL &&
	    (!client_is_reusable(client) || /* the peer has hung up meanwhile */
		(run->settled == NULL && !client_reset(client, &sending->context)))) {
		client_close(client);
		client = NULL;
	}
	sending->was_used_before = client != NULL;
	return client != NULL ? client : open_session(sending);
}

/* True when its answer is left for later: the next message travels with this one's final dot. */
static bool
send_by_smtp(struct sending *sending, bool may_wait)
{
	struct run_context *run = sending->job->run;
	const char *lane = sending->group->lane, *relay;
	const struct verdict *closed = lanes_find_closed(run->lanes, lane, &relay);

	if (closed != NULL) {
		set_all(sending->recipients, sending->count, closed, relay);
		return false;
	}
	sending->client = find_session(sending);
	if (sending->client == NULL)
		return false;
	client_send_start(sending->client, &sending->context, &sending->message);
	while (run->pending != NULL && is_settled(run->pending))
		end_pending(run);
	if (may_wait && !is_settled(sending)) {
		add_pending(run, sending);
		return true;
	}
	client_send_finish(sending->client);
	while (run->pending != NULL)
		end_pending(run);
	return false;
}

static bool
deliver_by_smtp(
    struct job *job, struct job_group *group, struct recipient **recipients, size_t count)
{
	struct arena *arena = job->envelope->arena;
	struct sending *sending = ARENA_NEW(arena, struct sending);
	struct composed composed;

	*sending = (struct sending){
	    .job = job,
	    .group = group,
	    .recipients = recipients,
	    .count = count,
	    .started_ms = clock_monotonic_ms(),
	};
	compose_message(&job->rule, job->envelope, group->mailer, &composed);
	sending->context = (struct client_context){
	    .config = job->run->config,
	    .macros = NULL, /* a session outlives this message */
	    .verbose = job->run->verbose,
	    .log_id = job->envelope->id,
	    .is_first_attempt = job->run->is_first_attempt,
	    .is_submission = job->run->is_submission,
	    .tls = job->run->tls,
	};
	sending->message = (struct client_message){
	    .envelope = job->envelope,
	    .sender = composed.sender,
	    .header = composed.header,
	    .header_length = composed.header_length,
	};
	reverse_recipients(sending);
	/* only a message that is all in this transaction can wait: nothing else of it is left to do */
	if (send_by_smtp(sending,
		job->run->settled != NULL && job->groups->next == NULL && count == group->count))
		return true;
	end_sending(sending);
	if (sending->client != NULL)
		sessions_keep(job->run->sessions, group->lane, sending->client);
	keep_next(sending);
	return false;
}

/* $#discard: done, and nothing happens. */
static void
discard(struct job *job, struct recipient **recipients, size_t count)
{
	struct verdict verdict =
	    verdict_make(job->envelope->arena, 250, "2.0.0", EX_OK, "%s", "discarded");

	set_all(recipients, count, &verdict, NULL);
	job_settle_recipients(job, recipients, count, clock_monotonic_ms());
}

/*
 * Mailers that are not for now: expensive ones at submission (HoldExpensive, flag e), and those that
 * are only called on demand (flag %: -qI, -qR, -qS).
 */
static bool
is_held(const struct job *job, const struct mailer *mailer)
{
	const struct run_context *run = job->run;

	/* V8: who watches (-v) does not wait */
	return (run->is_first_attempt && run->config->options.hold_expensive &&
		   run->verbose == NULL && mailer_has(mailer, 'e')) ||
	       (!run->is_on_demand && mailer_has(mailer, '%'));
}

static void
hold(struct job *job, const struct job_group *group)
{
	struct job_log log = {job->run, job->envelope, NULL, 0};

	for (size_t i = 0; i < group->count; i++) {
		job_log_queued(&log, group->recipients[i]);
		group->recipients[i]->flags |= RECIPIENT_QUEUED_UP;
	}
	job->is_deferred = true;
}

static bool
is_too_large(const struct job *job, const struct mailer *mailer)
{
	const struct envelope *envelope = job->envelope;
	off_t size =
	    envelope->message_size > 0 ? envelope->message_size : compose_message_size(envelope);

	/* V8: a report has no size */
	return mailer->maximum_size > 0 && (envelope->flags & ENVELOPE_RESPONSE) == 0 &&
	       size > mailer->maximum_size;
}

/* M=: the mailer is not even called; its sender gets the header back, the body would be too large as well. */
static void
refuse_size(struct job *job, const struct job_group *group)
{
	struct arena *arena = job->envelope->arena;
	const struct mailer *mailer = group->mailer;
	const char *dsn = mailer_has(mailer, 'l') ? "5.2.3" : "5.3.4", *control = job->control;
	struct verdict verdict =
	    verdict_make(arena, 554, dsn, EX_UNAVAILABLE, "Service unavailable");

	job->envelope->flags |= ENVELOPE_NO_BODY_RETURN;
	job->control = NULL; /* nothing is done in anybody's name */
	for (size_t i = 0; i < group->count; i++) {
		struct recipient *one = group->recipients[i];

		set_all(&one, 1, &verdict, mailer_is_smtp(mailer) ? group->host : NULL);
		if (!mailer_is_smtp(mailer))
			one->diagnostic = arena_printf(arena, "%d", EX_UNAVAILABLE);
		one->said = arena_printf(arena, "552 %s Message is too large; %ld bytes max\n", dsn,
		    mailer->maximum_size);
		job_settle_recipients(job, &one, 1, clock_monotonic_ms());
	}
	job->control = control;
}

bool
job_deliver_group(struct job *job, struct job_group *group)
{
	const struct mailer *mailer = group->mailer;
	size_t most = mailer->maximum_recipients > 0 ? (size_t)mailer->maximum_recipients
						     : RECIPIENTS_DEFAULT;

	if (is_held(job, mailer)) {
		hold(job, group);
		return false;
	}
	if (is_too_large(job, mailer)) {
		refuse_size(job, group);
		return false;
	}
	if (!mailer_has(mailer, 'm'))
		most = 1;
	for (size_t at = 0; at < group->count; at += most) {
		size_t count = group->count - at < most ? group->count - at : most;
		struct recipient **recipients = group->recipients + at;

		if (text_equal_nocase(mailer->name, "discard"))
			discard(job, recipients, count);
		else if (mailer_is_smtp(mailer) && mailer->path[0] == '/')
			job_deliver_to_program(job, group, recipients, count);
		else if (!mailer_is_smtp(mailer))
			job_deliver_locally(job, group, recipients, count);
		else if (deliver_by_smtp(job, group, recipients, count))
			return true;
	}
	return false;
}
