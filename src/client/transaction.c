#include "client/transaction.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/log.h"

static long
message_size(const struct client_message *message)
{
	struct stat status;

	if (message->envelope->message_size > 0)
		return (long)message->envelope->message_size;
	if (message->envelope->body_fd < 0 || fstat(message->envelope->body_fd, &status) < 0)
		status.st_size = 0;
	return (long)(message->header_length + 1 + (size_t)status.st_size);
}

/* What the peer says it would not take is not offered to it. */
static bool
is_too_large(struct transaction *t, long size)
{
	long maximum = t->client->offers.size_maximum;

	if (maximum == 0 || size <= maximum)
		return false;
	for (size_t i = 0; i < t->count; i++) {
		if (!t->skipped[i])
			transaction_settle_one(t, t->recipients[i],
			    verdict_make(t->client->answers, 552, "5.2.3", EX_UNAVAILABLE,
				"Message is too large (%ld bytes max)", maximum),
			    NULL);
	}
	return true;
}

static bool
is_careless(const struct transaction *t)
{
	return !reply_is(&t->mail, 2) && transaction_accepted_count(t) > 0;
}

/* A peer that took recipients of a sender it refused would deliver what we must keep. */
static void
end_careless(struct transaction *t)
{
	struct client *c = t->client;

	c->may_quit = false;
	conn_fail(c->conn, CONN_GARBLED, "%s takes DATA after it refused MAIL", c->host);
	client_end_lost(c, STAGE_DATA);
}

static bool
uses_chunks(const struct client *c)
{
	return c->offers.chunking && c->offers.pipelining && mailer_has(c->mailer, 'K') &&
	       !c->is_lmtp && !c->no_chunking;
}

/* Everything up to the last answer.  True when that is still to come, and the transaction is sound so far. */
static bool
start(struct transaction *t)
{
	struct client *c = t->client;
	bool chunked = uses_chunks(c);
	long size = message_size(t->message);
	const char *body_type;
	size_t skipped = 0;

	transaction_check_recipients(t);
	for (size_t i = 0; i < t->count; i++)
		skipped += t->skipped[i];
	body_type = transaction_choose_coding(t);
	if (skipped == t->count || is_too_large(t, size))
		return false;
	/* nobody knows yet how the transaction before ended, and a refused BDAT leaves it open */
	if (chunked && c->pending_count > 0)
		c->needs_rset = true;
	if (c->verdict.code == 0 && transaction_ask_envelope(t, body_type, size)) {
		if (chunked) {
			transaction_send_chunks(t);
		} else {
			client_ask(
			    c, &t->data, STAGE_DATA, c->config->options.timeouts.data_init, "DATA");
			client_sync(c);
			if (c->verdict.code == 0 && reply_is(&t->data, 3))
				is_careless(t) ? end_careless(t) : transaction_send_data(t);
		}
	}
	/* the answer to a body ends its transaction; only a refused BDAT leaves that in doubt */
	c->needs_rset = reply_is(&t->mail, 2) && !t->body_sent;
	t->last_question = c->asked;
	return true;
}

/*
 * The peer offered CHUNKING and then did not know BDAT.  It may have taken the chunk for commands, so
 * nothing that it says on this connection counts any more: the message goes by DATA on a new one.
 */
static void
send_without_chunks(struct transaction *t)
{
	struct client *c = t->client;
	const struct reply *answer = transaction_body_answer(t, 0);
	struct arena *answers = c->answers;

	if (!c->no_chunking) {
		log_at(5, LOG_WARNING, "%s: CHUNKING of %s fails, DATA is used: %s",
		    t->message->envelope->id, c->relay, answer->first);
		c->no_chunking = true;
		c->may_quit = false;
		client_reopen(c);
	}
	t->chunks = NULL;
	t->mail = t->data = (struct reply){0};
	memset(t->rcpt, 0, t->count * sizeof *t->rcpt);
	memset(t->end, 0, t->count * sizeof *t->end);
	t->body_sent = t->is_hopeless = false;
	c->answers = t->message->envelope->arena;
	if (!c->is_open || start(t)) {
		client_sync(c);
		transaction_settle(t);
	}
	c->answers = answers;
}

/* Settles the oldest, as far as their answers are in; when the session has ended that is all. */
static void
settle_answered(struct client *c)
{
	struct transaction *refused[PENDING_MAXIMUM];
	size_t settled = 0, count = 0;

	while (settled < c->pending_count) {
		struct transaction *t = c->pending[settled];

		if (c->question_count > 0 && c->asked - c->question_count < t->last_question)
			break;
		settled++;
		if (transaction_knows_no_chunks(t)) {
			client_sync(c); /* what comes behind it counts, as far as it makes sense */
			refused[count++] = t;
			continue;
		}
		transaction_settle(t);
		c->needs_rset = c->needs_rset ||
				(t->chunks != NULL && !reply_is(transaction_body_answer(t, 0), 2));
	}
	c->pending_count -= settled;
	memmove(c->pending, c->pending + settled, c->pending_count * sizeof *c->pending);
	for (size_t i = 0; i < count; i++)
		send_without_chunks(refused[i]);
}

void
client_send_finish(struct client *c)
{
	client_sync(c);
	settle_answered(c);
}

static void
start_one(struct client *c, const struct client_message *message, size_t first, size_t count)
{
	struct arena *arena = message->envelope->arena;
	struct transaction *t = ARENA_NEW(arena, struct transaction);
	struct client_message *copy = ARENA_NEW(arena, struct client_message);

	*copy = *message;
	*t = (struct transaction){.client = c, .message = copy, .count = count};
	t->recipients = ARENA_ARRAY(arena, struct recipient *, count);
	t->rcpt = ARENA_ARRAY(arena, struct reply, count);
	t->end = ARENA_ARRAY(arena, struct reply, count);
	t->skipped = ARENA_ARRAY(arena, bool, count);
	for (size_t i = 0; i < count; i++) {
		t->recipients[i] = message->recipients[first + i];
		t->recipients[i]->verdict = (struct verdict){0};
	}
	if (c->pending_count == PENDING_MAXIMUM)
		client_sync_to(c, c->pending[0]->last_question);
	else if (c->pending_count > 0 && uses_chunks(c))
		client_collect_ready(c);
	settle_answered(c);
	if (start(t))
		c->pending[c->pending_count++] = t;
	settle_answered(c);
}

/* V8 clears a transaction that came to nothing at once, which people with -v see. */
static void
reset_at_once(struct client *c)
{
	struct reply answer;

	if (!c->needs_rset)
		return;
	client_ask(c, &answer, STAGE_MISC, c->config->options.timeouts.rset, "RSET");
	client_sync(c);
	c->needs_rset = false;
}

void
client_send_start(struct client *c, struct client_context *context, struct client_message *message)
{
	size_t limit =
	    c->mailer->maximum_recipients > 0 ? (size_t)c->mailer->maximum_recipients : 100;

	c->answers = message->envelope->arena;
	c->verbose = context->verbose;
	c->log_id = context->log_id;
	c->prefix = context->verbose_prefix;
	if (c->messages++ > 0 && c->is_open && c->prefix != NULL)
		client_show(c, "%s... Using cached %s connection to %s via %s...", c->prefix,
		    c->is_esmtp ? "ESMTP" : "SMTP", c->host, c->mailer->name);
	for (size_t at = 0; at < message->recipient_count; at += limit) {
		size_t left = message->recipient_count - at;

		start_one(c, message, at, left < limit ? left : limit);
	}
	/* people who watch want to see each message through */
	if (c->verbose != NULL || !c->offers.pipelining)
		client_send_finish(c);
	if (c->verbose != NULL && c->is_open)
		reset_at_once(c);
	c->answers = c->arena;
}

void
client_send(struct client *c, struct client_context *context, struct client_message *message)
{
	client_send_start(c, context, message);
	client_send_finish(c);
}
