#include <sysexits.h>

#include "client/host_status.h"
#include "client/transaction.h"

static const char *
keep(const struct transaction *t, const char *text)
{
	return arena_strdup(t->message->envelope->arena, text);
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

void
transaction_settle(const struct transaction *t)
{
	struct client *c = t->client;
	struct arena *arena = t->message->envelope->arena;
	bool enhanced = c->offers.enhanced_codes;

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
			if (c->failure_reply == NULL)
				recipient->diagnostic =
				    arena_printf(arena, "451 4.4.1 %s", c->verdict.text);
			continue;
		}
		transaction_settle_one(t, recipient,
		    outcome_of_reply(arena, stage, deciding, enhanced),
		    reply_is(deciding, 2) ? NULL : deciding->first);
		recipient->reply_is_own = stage == STAGE_RCPT;
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
