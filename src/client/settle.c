#include <sysexits.h>

#include "client/host_status.h"
#include "client/transaction.h"

#include <string.h>

#include "base/text.h"

static const char *
keep(const struct transaction *t, const char *text)
{
	return arena_strdup(t->message->envelope->arena, text);
}

/* "554-5.6.0 words" -> "554 5.6.0 words" */
static const char *
as_last_line(const struct transaction *t, const char *reply)
{
	char *copy = arena_strdup(t->message->envelope->arena, reply);

	if (strlen(copy) > 3 && copy[3] == '-')
		copy[3] = ' ';
	return copy;
}

void
transaction_settle_one(const struct transaction *t, struct recipient *recipient,
    struct verdict verdict, const char *reply)
{
	recipient->verdict = verdict;
	recipient->verdict.text = keep(t, verdict.text);
	recipient->reply = keep(t, reply);
	recipient->relay = keep(t, t->client->relay);
}

const struct reply *
transaction_body_answer(const struct transaction *t, size_t recipient)
{
	const struct chunk *chunk = t->chunks;

	if (chunk == NULL)
		return &t->end[t->client->is_lmtp ? recipient : 0];
	while (chunk->next != NULL && reply_is(&chunk->reply, 2))
		chunk = chunk->next;
	return &chunk->reply;
}

/*
 * "5.7.1 Relay access denied" may come from a smart host whose password nobody gave us yet.  Where there is no
 * enhanced code the words must do: "relay not permitted", "authentication required".
 */
static bool
lacks_credentials(const struct client *c, const struct reply *reply)
{
	if (!reply_is(reply, 5) || !c->is_smart_host || !c->offers.auth || c->is_authenticated)
		return false;
	if (reply->dsn[0] != '\0')
		return strncmp(reply->dsn, "5.7.", 4) == 0;
	for (const char *at = reply->text; *at != '\0'; at++) {
		if (text_starts_nocase(at, "relay") || text_starts_nocase(at, "auth"))
			return true;
	}
	return false;
}

/* A 5xx that keeps the message is about who we are to this peer: the next session may have a better password. */
static struct verdict
judge(const struct transaction *t, enum client_stage stage, const struct reply *reply)
{
	struct arena *arena = t->message->envelope->arena;
	struct verdict verdict;

	if (lacks_credentials(t->client, reply))
		verdict = outcome_of_event(arena, stage, EVENT_NO_CREDENTIALS, "%s", reply->first);
	else
		verdict = outcome_of_reply(arena, stage, reply, t->client->offers.enhanced_codes);
	if (reply_is(reply, 5) && verdict_is_temporary(&verdict))
		t->client->is_spent = true;
	return verdict;
}

void
transaction_settle(const struct transaction *t)
{
	struct client *c = t->client;
	bool is_told = false;

	transaction_write_down(t);
	for (size_t i = 0; i < t->count; i++) {
		struct recipient *recipient = t->recipients[i];
		const struct reply *deciding = transaction_body_answer(t, i);
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
			transaction_settle_one(t, recipient, c->verdict, c->failure_reply);
			recipient->why = keep(t, c->trouble);
			if (c->failure_reply == NULL)
				recipient->diagnostic =
				    arena_printf(t->message->envelope->arena, "451 4.4.1 %s",
					c->trouble != NULL ? c->trouble : c->verdict.text);
			if (c->trouble != NULL && !is_told) /* once: it is about the session */
				recipient->said =
				    arena_printf(t->message->envelope->arena, "%s451 4.4.1 %s\n",
					recipient->said != NULL ? recipient->said : "", c->trouble);
			is_told = true;
			continue;
		}
		transaction_settle_one(t, recipient, judge(t, stage, deciding),
		    reply_is(deciding, 2) ? NULL : deciding->first);
		recipient->reply_is_own = stage == STAGE_RCPT;
		if (stage == STAGE_END &&
		    recipient->reply != NULL) /* V8 shows this one as a last line */
			recipient->reply = as_last_line(t, recipient->reply);
		if (stage == STAGE_END && reply_is(deciding, 2))
			host_status_note(c->status, EX_OK, 0, "2.0.0", deciding->first);
	}
}

bool
transaction_knows_no_chunks(const struct transaction *t)
{
	const struct reply *answer;

	if (t->chunks == NULL || !reply_is(&t->mail, 2) || transaction_accepted_count(t) == 0)
		return false;
	answer = transaction_body_answer(t, 0);
	return answer->code >= 500 && answer->code <= 504;
}
