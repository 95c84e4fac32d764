#include "client/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "mail/mime.h"

enum {
	/* a larger body waits for the answers to MAIL and RCPT, even where it need not */
	BLIND_MAXIMUM = 64 * 1024,
	CHUNK_SIZE = 64 * 1024,
};

/* One transaction: what was asked for its recipients and what the peer said. */
struct transaction {
	struct client *client;
	const struct client_message
	    *message; /* a copy: the caller's may be gone when the last answer comes */
	struct recipient **recipients;
	size_t count;
	struct reply reset, mail, data, *rcpt, *end; /* one end, or one a recipient (LMTP) */
	bool *skipped;				     /* tls_rcpt has spoken */
	enum client_coding coding;
	struct str chunk;
	struct chunk *chunks, **chunks_end; /* what was said to each BDAT */
	bool body_sent;
};

struct chunk {
	struct chunk *next;
	struct reply reply;
};

static const char *
keep(const struct transaction *t, const char *text)
{
	return arena_strdup(t->message->envelope->arena, text);
}

static void
settle_one(const struct transaction *t, struct recipient *recipient, struct verdict verdict,
    const char *reply)
{
	recipient->verdict = verdict;
	recipient->verdict.text = keep(t, verdict.text);
	recipient->reply = keep(t, reply);
	recipient->relay = keep(t, t->client->relay);
}

/* An address that could end its command is none. */
static bool
is_sendable(const char *address)
{
	for (; *address != '\0'; address++) {
		if ((unsigned char)*address < ' ' || *address == 0x7f)
			return false;
	}
	return true;
}

/* tls_rcpt wants more security for this recipient than the session has. */
static void
refuse(struct transaction *t, size_t index, const struct verdict *verdict)
{
	struct client *c = t->client;
	struct recipient *recipient = t->recipients[index];
	const char *words = client_rule_words(c->answers, verdict);

	t->skipped[index] = true;
	log_at(3, LOG_NOTICE, "%s: ruleset=tls_rcpt, arg1=%s, relay=%s, reject=%s",
	    t->message->envelope->id, recipient->user, c->server_name, words);
	settle_one(t, recipient,
	    outcome_of_event(c->answers, STAGE_TLS, EVENT_FORBIDDEN, "%s", words), NULL);
}

static void
check_recipients(struct transaction *t)
{
	struct arena *scratch = arena_create();
	struct client *c = t->client;

	for (size_t i = 0; i < t->count; i++) {
		struct recipient *recipient = t->recipients[i];
		struct rule_result result;

		recipient->reply = NULL;
		recipient->reply_is_own = false;
		if (!is_sendable(recipient->user) || !is_sendable(t->message->sender)) {
			t->skipped[i] = true;
			settle_one(t, recipient,
			    verdict_make(c->answers, 553, "5.1.3", EX_DATAERR,
				"Address has control characters"),
			    NULL);
			continue;
		}
		client_rule(c, "tls_rcpt", recipient->user, NULL, scratch, &result);
		if (result.answer == RULE_REJECT)
			refuse(t, i, &result.verdict);
		arena_reset(scratch);
	}
	arena_destroy(scratch);
}

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

/*
 * V8: an 8-bit body to a peer without 8BITMIME is converted when it is MIME or EightBitMode says
 * mimify; other 8-bit bytes are passed as they are (runq.t: server without EHLO).
 */
static const char *
choose_coding(struct transaction *t)
{
	const struct client *c = t->client;
	const struct envelope *envelope = t->message->envelope;
	bool has_8bit = (envelope->flags & ENVELOPE_8BIT) != 0,
	     may_label = c->config->options.eight_bit_mode == 'm';
	bool is_mime =
	    mime_header_has(t->message->header, t->message->header_length, "MIME-Version");

	t->coding = CODING_AS_IS;
	if (!has_8bit || mailer_has(c->mailer, '8') || mailer_has(c->mailer, '7'))
		return envelope->body_type;
	if (c->offers.eight_bit_mime) {
		if (may_label && !is_mime)
			t->coding = CODING_LABELLED;
		return envelope->body_type != NULL || !may_label ? envelope->body_type : "8BITMIME";
	}
	if (is_mime || may_label)
		t->coding = CODING_7BIT;
	return NULL;
}

static void
add_mail_parameters(struct transaction *t, struct str *out, const char *body_type, long size)
{
	const struct client *c = t->client;
	const struct envelope *envelope = t->message->envelope;
	const char *auth_options = c->config->options.auth_options;

	if (c->offers.size)
		str_printf(out, " SIZE=%ld", size);
	if (c->offers.eight_bit_mime && body_type != NULL)
		str_printf(out, " BODY=%s", body_type);
	if (c->offers.auth && envelope->auth != NULL && is_sendable(envelope->auth) &&
	    (auth_options == NULL || strchr(auth_options, 'A') == NULL || c->is_authenticated))
		str_printf(out, " AUTH=%s", envelope->auth);
	if (c->offers.dsn) {
		if (envelope->envid != NULL && is_sendable(envelope->envid))
			str_printf(out, " ENVID=%s", envelope->envid);
		if ((envelope->flags & ENVELOPE_HAS_RET) != 0)
			str_printf(out, " RET=%s",
			    (envelope->flags & ENVELOPE_NO_BODY_RETURN) != 0 ? "HDRS" : "FULL");
	}
}

static void
add_rcpt_parameters(const struct client *c, struct str *out, const struct recipient *recipient)
{
	static const struct {
		unsigned flag;
		const char *word;
	} words[] = {
	    {RECIPIENT_NOTIFY_SUCCESS, "SUCCESS"},
	    {RECIPIENT_NOTIFY_FAILURE, "FAILURE"},
	    {RECIPIENT_NOTIFY_DELAY, "DELAY"},
	};
	const char *before = " NOTIFY=";

	if (!c->offers.dsn)
		return;
	if ((recipient->flags & RECIPIENT_HAS_NOTIFY) != 0) {
		for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
			if ((recipient->flags & words[i].flag) == 0)
				continue;
			str_printf(out, "%s%s", before, words[i].word);
			before = ",";
		}
		if (*before == ' ')
			str_add_text(out, " NOTIFY=NEVER");
	}
	if (recipient->orcpt != NULL && is_sendable(recipient->orcpt))
		str_printf(out, " ORCPT=%s", recipient->orcpt);
}

static size_t
accepted_count(const struct transaction *t)
{
	size_t accepted = 0;

	for (size_t i = 0; i < t->count; i++)
		accepted += !t->skipped[i] && reply_is(&t->rcpt[i], 2);
	return accepted;
}

/* MAIL and RCPT; true when it is worth going on, as far as we know. */
static bool
ask_envelope(struct transaction *t, const char *body_type, long size)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	struct client *c = t->client;
	struct str parameters = {0};

	if (c->needs_rset)
		client_ask(c, &t->reset, STAGE_MISC, timeouts->rset, "RSET");
	c->needs_rset = false;
	add_mail_parameters(t, &parameters, body_type, size);
	client_ask(c, &t->mail, STAGE_MAIL, timeouts->mail, "MAIL From:<%s>%s", t->message->sender,
	    str_text(&parameters));
	/*
	 * The first MAIL of a session goes alone, as with V8: whether this peer lets us send at all shows
	 * there, and a careless one might take RCPT and DATA behind a refusal.
	 */
	if (!c->is_welcome)
		client_sync(c);
	c->is_welcome = c->is_welcome || reply_is(&t->mail, 2);
	for (size_t i = 0; i < t->count; i++) {
		if (t->skipped[i])
			continue;
		if (t->mail.code != 0 && !reply_is(&t->mail, 2))
			break;
		str_clear(&parameters);
		add_rcpt_parameters(c, &parameters, t->recipients[i]);
		client_ask(c, &t->rcpt[i], STAGE_RCPT, timeouts->rcpt, "RCPT To:<%s>%s",
		    t->recipients[i]->user, str_text(&parameters));
	}
	str_free(&parameters);
	return (c->offers.pipelining && t->mail.code == 0) || accepted_count(t) > 0 ||
	       (c->offers.pipelining && reply_is(&t->mail, 2));
}

static void
begin_wire(const struct client *c, struct wire *wire)
{
	*wire = (struct wire){
	    .conn = c->conn,
	    .dots = true,
	    .line_limit = c->mailer->line_limit > 0 ? (size_t)c->mailer->line_limit : 0,
	    .seven_bit = mailer_has(c->mailer, '7'),
	};
}

/* Our own file failed: the connection goes, and no final dot can follow half a message. */
static void
end_local(struct transaction *t, const char *reason)
{
	struct client *c = t->client;

	log_at(
	    1, LOG_CRIT, "%s: SYSERR: cannot read the body: %s", t->message->envelope->id, reason);
	c->may_quit = false;
	client_end(c,
	    outcome_of_event(
		c->arena, STAGE_END, EVENT_LOCAL_FAILURE, "cannot read the body: %s", reason),
	    NULL);
	conn_fail(c->conn, CONN_BROKEN, "%s", reason);
}

/* A peer that wants data of a sender it refused would deliver what we must keep. */
static void
end_careless(struct transaction *t)
{
	struct client *c = t->client;

	c->may_quit = false;
	conn_fail(c->conn, CONN_GARBLED, "%s takes DATA after it refused MAIL", c->host);
	client_end_lost(c, STAGE_DATA);
}

static void
send_body(struct transaction *t)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	size_t accepted = accepted_count(t), answers = t->client->is_lmtp ? t->count : 1;
	struct client *c = t->client;
	const char *reason = "";
	struct wire wire;
	bool written = true;

	begin_wire(c, &wire);
	conn_set_progress_timeout(c->conn, timeouts->data_block);
	/* a pipelining peer that took DATA without a recipient gets an empty message for nobody */
	if (accepted > 0)
		written =
		    client_write_message(c, t->message, t->coding, &wire, NULL, NULL, &reason);
	conn_set_progress_timeout(c->conn, 0);
	if (!written) {
		end_local(t, reason);
		return;
	}
	for (size_t i = 0; i < answers; i++) {
		if (!c->is_lmtp || (!t->skipped[i] && reply_is(&t->rcpt[i], 2)))
			client_expect(
			    c, &t->end[i], STAGE_END, timeouts->data_final, i == 0 ? "." : NULL);
	}
	conn_write(c->conn, ".\r\n", 3);
	t->body_sent = true;
}

static void
send_chunk(struct transaction *t, bool is_last)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	struct client *c = t->client;
	char command[48];

	snprintf(command, sizeof command, "BDAT %zu%s", t->chunk.length, is_last ? " LAST" : "");
	conn_printf(c->conn, "%s\r\n", command);
	conn_write(c->conn, t->chunk.data, t->chunk.length);
	*t->chunks_end = ARENA_NEW(t->message->envelope->arena, struct chunk);
	client_expect(c, &(*t->chunks_end)->reply, STAGE_END,
	    is_last ? timeouts->data_final : timeouts->data_block, command);
	t->chunks_end = &(*t->chunks_end)->next;
	str_clear(&t->chunk);
}

static void
fit_chunk(void *context)
{
	struct transaction *t = context;

	if (t->chunk.length >= CHUNK_SIZE && t->client->verdict.code == 0)
		send_chunk(t, false);
}

/* RFC 3030: nothing waits for anything, unless the body is large. */
static void
send_chunked(struct transaction *t, long size)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	struct client *c = t->client;
	const char *reason = "";
	struct wire wire;

	if (size > BLIND_MAXIMUM) {
		client_sync(c);
		if (c->verdict.code != 0 || accepted_count(t) == 0)
			return;
	}
	begin_wire(c, &wire);
	t->chunks_end = &t->chunks;
	wire.dots = false;
	wire.out = &t->chunk;
	conn_set_progress_timeout(c->conn, timeouts->data_block);
	if (!client_write_message(c, t->message, t->coding, &wire, fit_chunk, t, &reason)) {
		conn_set_progress_timeout(c->conn, 0);
		end_local(t, reason);
		str_free(&t->chunk);
		return;
	}
	send_chunk(t, true);
	t->body_sent = true;
	conn_set_progress_timeout(c->conn, 0);
	str_free(&t->chunk);
}

/* The answer to the body as a whole; of chunks the first refusal decides, as the rest follows from it. */
static const struct reply *
body_answer(const struct transaction *t, size_t recipient)
{
	const struct chunk *chunk = t->chunks;

	if (chunk == NULL)
		return &t->end[t->client->is_lmtp ? recipient : 0];
	while (chunk->next != NULL && reply_is(&chunk->reply, 2))
		chunk = chunk->next;
	return &chunk->reply;
}

static void
settle(const struct transaction *t)
{
	struct client *c = t->client;
	struct arena *arena = t->message->envelope->arena;
	bool enhanced = c->offers.enhanced_codes;

	for (size_t i = 0; i < t->count; i++) {
		struct recipient *recipient = t->recipients[i];
		const struct reply *deciding = body_answer(t, i);
		enum client_stage stage = STAGE_END;

		if (t->skipped[i])
			continue;
		if (t->mail.code == 0 || !reply_is(&t->mail, 2)) {
			deciding = &t->mail;
			stage = STAGE_MAIL;
		} else if (!reply_is(&t->rcpt[i], 2)) {
			deciding = &t->rcpt[i];
			stage = STAGE_RCPT;
		} else if (t->data.code != 0 && !reply_is(&t->data, 3)) {
			deciding = &t->data;
			stage = STAGE_DATA;
		}
		if (deciding->code == 0) {
			settle_one(t, recipient, c->verdict, c->failure_reply);
			continue;
		}
		settle_one(t, recipient, outcome_of_reply(arena, stage, deciding, enhanced),
		    reply_is(deciding, 2) ? NULL : deciding->first);
		recipient->reply_is_own = stage == STAGE_RCPT;
	}
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
			settle_one(t, t->recipients[i],
			    verdict_make(t->client->answers, 552, "5.2.3", EX_UNAVAILABLE,
				"Message is too large (%ld bytes max)", maximum),
			    NULL);
	}
	return true;
}

/* Everything up to the last answer.  True when that is still to come, and the transaction is sound so far. */
static bool
start(struct transaction *t)
{
	struct client *c = t->client;
	bool chunked =
	    c->offers.chunking && c->offers.pipelining && mailer_has(c->mailer, 'K') && !c->is_lmtp;
	long size = message_size(t->message);
	const char *body_type;
	size_t skipped = 0;

	check_recipients(t);
	for (size_t i = 0; i < t->count; i++)
		skipped += t->skipped[i];
	body_type = choose_coding(t);
	if (skipped == t->count || is_too_large(t, size))
		return false;
	/* nobody knows yet how the transaction before ended, and a refused BDAT leaves it open */
	if (chunked && c->pending_count > 0)
		c->needs_rset = true;
	if (ask_envelope(t, body_type, size)) {
		if (chunked) {
			send_chunked(t, size);
		} else {
			client_ask(
			    c, &t->data, STAGE_DATA, c->config->options.timeouts.data_init, "DATA");
			client_sync(c);
			if (c->verdict.code == 0 && reply_is(&t->data, 3))
				reply_is(&t->mail, 2) ? send_body(t) : end_careless(t);
		}
	}
	/* the answer to a body ends its transaction; only a refused BDAT leaves that in doubt */
	c->needs_rset = reply_is(&t->mail, 2) && !t->body_sent;
	return true;
}

/* Settles those whose answers are in: after a sync all of them. */
static void
settle_pending(struct client *c)
{
	for (size_t i = 0; i < c->pending_count; i++) {
		const struct transaction *t = c->pending[i];

		settle(t);
		c->needs_rset =
		    c->needs_rset || (t->chunks != NULL && !reply_is(body_answer(t, 0), 2));
	}
	c->pending_count = 0;
}

void
client_send_finish(struct client *c)
{
	client_sync(c);
	settle_pending(c);
}

static void
start_one(struct client *c, const struct client_message *message, size_t first, size_t count)
{
	struct arena *arena = message->envelope->arena;
	struct transaction *t = ARENA_NEW(arena, struct transaction);
	struct client_message *copy = ARENA_NEW(arena, struct client_message);
	unsigned syncs;

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
		client_send_finish(c);
	syncs = c->syncs;
	if (!start(t))
		return;
	/* a sync on the way has brought the answers to all before this one */
	if (c->syncs != syncs)
		settle_pending(c);
	c->pending[c->pending_count++] = t;
	if (c->question_count == 0 || c->verdict.code != 0)
		client_send_finish(c);
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
	c->answers = c->arena;
}

void
client_send(struct client *c, struct client_context *context, struct client_message *message)
{
	client_send_start(c, context, message);
	client_send_finish(c);
}
