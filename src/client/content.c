#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/transaction.h"
#include "mail/mime.h"

enum { CHUNK_SIZE = 64 * 1024 };

/*
 * V8: an 8-bit body to a peer without 8BITMIME is converted when it is MIME or EightBitMode says
 * mimify; other 8-bit bytes are passed as they are (runq.t: server without EHLO).
 */
const char *
transaction_choose_coding(struct transaction *t)
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

void
transaction_send_data(struct transaction *t)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	size_t accepted = transaction_accepted_count(t),
	       answers = t->client->is_lmtp ? t->count : 1;
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

/* What has come meanwhile may show that the rest is for nobody. */
static bool
is_hopeless(const struct transaction *t)
{
	size_t unanswered = 0;

	if (t->client->verdict.code != 0 || (t->mail.code != 0 && !reply_is(&t->mail, 2)))
		return true;
	for (const struct chunk *chunk = t->chunks; chunk != NULL; chunk = chunk->next) {
		if (chunk->reply.code != 0 && !reply_is(&chunk->reply, 2))
			return true;
	}
	for (size_t i = 0; i < t->count; i++)
		unanswered += !t->skipped[i] && t->rcpt[i].code == 0;
	return unanswered == 0 && transaction_accepted_count(t) == 0;
}

static void
fit_chunk(void *context)
{
	struct transaction *t = context;

	if (t->chunk.length < CHUNK_SIZE)
		return;
	t->is_hopeless = t->is_hopeless || is_hopeless(t);
	if (!t->is_hopeless) {
		send_chunk(t, false);
		client_collect_ready(t->client);
	}
	str_clear(&t->chunk);
}

/* RFC 3030: nothing waits for anything. */
void
transaction_send_chunks(struct transaction *t)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	struct client *c = t->client;
	const char *reason = "";
	struct wire wire;

	begin_wire(c, &wire);
	t->chunks_end = &t->chunks;
	wire.dots = false;
	wire.out = &t->chunk;
	conn_set_progress_timeout(c->conn, timeouts->data_block);
	if (!client_write_message(c, t->message, t->coding, &wire, fit_chunk, t, &reason)) {
		end_local(t, reason);
	} else if (!t->is_hopeless && !is_hopeless(t)) {
		send_chunk(t, true);
		t->body_sent = true;
		conn_flush(c->conn);
	}
	conn_set_progress_timeout(c->conn, 0);
	str_free(&t->chunk);
}
