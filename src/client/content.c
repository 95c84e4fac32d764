#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/transaction.h"

enum { CHUNK_SIZE = 64 * 1024 };

static struct render
make_render(const struct transaction *t)
{
	return (struct render){
	    .config = t->client->config,
	    .macros = t->client->macros,
	    .mailer = t->client->mailer,
	    .envelope = t->message->envelope,
	    .header = t->message->header,
	    .header_length = t->message->header_length,
	};
}

const char *
transaction_choose_coding(struct transaction *t)
{
	const struct client *c = t->client;
	const struct envelope *envelope = t->message->envelope;
	const struct render render = make_render(t);
	bool may_label = c->config->options.eight_bit_mode == 'm';

	t->coding = render_choose_coding(&render, c->offers.eight_bit_mime);
	if ((envelope->flags & ENVELOPE_8BIT) == 0 || mailer_has(c->mailer, '8'))
		return envelope->body_type;
	if (!c->offers.eight_bit_mime)
		return NULL;
	return envelope->body_type != NULL || !may_label ? envelope->body_type : "8BITMIME";
}

static void
to_peer(void *context, const char *bytes, size_t length)
{
	conn_write(context, bytes, length);
}

static void
to_chunk(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
}

/* SMTP has its own line ends and dots, whatever the mailer's flags say. */
static struct lines
smtp_lines(const struct client *c)
{
	struct lines lines = render_lines(c->mailer);

	lines.write = to_peer;
	lines.context = c->conn;
	lines.eol = "\r\n";
	lines.dots = true;
	return lines;
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
	const struct render render = make_render(t);
	struct lines lines = smtp_lines(c);
	const char *reason = "";
	bool written = true;

	conn_set_progress_timeout(c->conn, timeouts->data_block);
	/* a pipelining peer that took DATA without a recipient gets an empty message for nobody */
	if (accepted > 0)
		written = render_message(&render, t->coding, &lines, NULL, NULL, &reason);
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
	const struct render render = make_render(t);
	struct lines lines = smtp_lines(c);
	const char *reason = "";

	t->chunks_end = &t->chunks;
	lines.dots = false;
	lines.write = to_chunk;
	lines.context = &t->chunk;
	conn_set_progress_timeout(c->conn, timeouts->data_block);
	if (!render_message(&render, t->coding, &lines, fit_chunk, t, &reason)) {
		end_local(t, reason);
	} else if (!t->is_hopeless && !is_hopeless(t)) {
		send_chunk(t, true);
		t->body_sent = true;
		conn_flush(c->conn);
	}
	conn_set_progress_timeout(c->conn, 0);
	str_free(&t->chunk);
}
