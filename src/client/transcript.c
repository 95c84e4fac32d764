#include "client/transaction.h"

#include <string.h>

#include "base/str.h"

/* What V8 writes down of a session, as it goes along: where it is with one transaction. */
struct script {
	const struct transaction *transaction;
	const char *command; /* the last one sent, until it is written */
	bool is_introduced;
};

static struct arena *
arena_of(const struct script *script)
{
	return script->transaction->message->envelope->arena;
}

/* The lines about a refusal; NULL when it is none. */
static const char *
take(struct script *script, const struct reply *reply)
{
	struct str out = {0};
	const char *line, *end, *text;

	if (reply->lines == NULL)
		return NULL;
	if (!script->is_introduced)
		str_printf(&out, "... while talking to %s:\n", script->transaction->client->host);
	script->is_introduced = true;
	if (script->command != NULL)
		str_printf(&out, ">>> %s\n", script->command);
	script->command = NULL;
	for (line = reply->lines; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		str_printf(&out, "<<< %.*s\n", (int)(end - line), line);
	}
	text = arena_memdup(arena_of(script), str_text(&out), out.length);
	str_free(&out);
	return text;
}

static void
take_recipients(struct script *script)
{
	const struct transaction *t = script->transaction;
	bool pipelines = t->client->offers.pipelining;

	if (pipelines) /* the last that was sent before their answers were read */
		script->command = "DATA";
	for (size_t i = 0; i < t->count; i++) {
		if (t->skipped[i])
			continue;
		if (!pipelines && t->rcpt[i].lines != NULL)
			script->command =
			    transaction_rcpt_command(t->client, t->recipients[i], arena_of(script));
		t->recipients[i]->said = take(script, &t->rcpt[i]);
		t->recipients[i]->diagnostic = arena_strdup(arena_of(script), t->rcpt[i].first);
	}
}

/* The answers to DATA and to the body, which are those of all that are left. */
static void
take_content(struct script *script)
{
	const struct transaction *t = script->transaction;
	struct recipient *last = NULL;
	bool is_first = true;

	if (!t->client->offers.pipelining && transaction_accepted_count(t) > 0)
		script->command = "DATA";
	for (size_t i = 0; i < t->count; i++) {
		const struct reply *answer = transaction_body_answer(t, i);

		if (t->skipped[i])
			continue;
		last = t->recipients[i];
		if (!reply_is(&t->rcpt[i], 2))
			continue;
		if (t->data.lines != NULL)
			answer = &t->data;
		if (is_first || t->client->is_lmtp)
			last->said = take(script, answer);
		if (answer->lines != NULL)
			last->diagnostic = arena_strdup(arena_of(script), answer->first);
		is_first = false;
	}
	if (is_first && last != NULL) /* a DATA that was on its way when nobody was left */
		last->said_after = take(script, &t->data);
}

static const char *
host_without_dot(const struct script *script)
{
	const char *host = script->transaction->client->host;
	size_t length = strlen(host);

	return arena_memdup(
	    arena_of(script), host, length > 0 && host[length - 1] == '.' ? length - 1 : length);
}

void
transaction_write_down(const struct transaction *t)
{
	struct script script = {.transaction = t, .command = t->mail_command};
	bool is_refused = !reply_is(&t->mail, 2);
	const char *said = take(&script, &t->mail), *host = host_without_dot(&script);

	for (size_t i = 0; i < t->count; i++) {
		struct recipient *one = t->recipients[i];

		if (t->skipped[i])
			continue;
		one->peer_reports = t->client->offers.dsn;
		one->remote = is_refused ? NULL : host;
		one->said = said;
		one->said_after = NULL;
		one->diagnostic =
		    is_refused ? arena_strdup(arena_of(&script), t->mail.first) : NULL;
		said = NULL;
	}
	if (is_refused)
		return;
	take_recipients(&script);
	take_content(&script);
}
