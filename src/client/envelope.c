#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/str.h"
#include "client/transaction.h"

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
	transaction_settle_one(t, recipient,
	    outcome_of_event(c->answers, STAGE_TLS, client_forbidden(c, verdict), "%s", words),
	    NULL);
}

void
transaction_check_recipients(struct transaction *t)
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
			transaction_settle_one(t, recipient,
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
	if (c->offers.dsn) {
		if (envelope->envid != NULL && is_sendable(envelope->envid))
			str_printf(out, " ENVID=%s", envelope->envid);
		if ((envelope->flags & ENVELOPE_HAS_RET) != 0)
			str_printf(out, " RET=%s",
			    (envelope->flags & ENVELOPE_NO_BODY_RETURN) != 0 ? "HDRS" : "FULL");
	}
	if (c->offers.auth && envelope->auth != NULL && is_sendable(envelope->auth) &&
	    (auth_options == NULL || strchr(auth_options, 'A') == NULL || c->is_authenticated))
		str_printf(out, " AUTH=%s", envelope->auth);
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

const char *
transaction_rcpt_command(
    const struct client *c, const struct recipient *recipient, struct arena *arena)
{
	struct str parameters = {0};
	const char *command;

	add_rcpt_parameters(c, &parameters, recipient);
	command = arena_printf(arena, "RCPT To:<%s>%s", recipient->user, str_text(&parameters));
	str_free(&parameters);
	return command;
}

size_t
transaction_accepted_count(const struct transaction *t)
{
	size_t accepted = 0;

	for (size_t i = 0; i < t->count; i++)
		accepted += !t->skipped[i] && reply_is(&t->rcpt[i], 2);
	return accepted;
}

/* MAIL and RCPT; true when it is worth going on, as far as we know. */
bool
transaction_ask_envelope(struct transaction *t, const char *body_type, long size)
{
	const struct timeouts *timeouts = &t->client->config->options.timeouts;
	struct client *c = t->client;
	struct str parameters = {0};

	if (c->needs_rset)
		client_ask(c, &t->reset, STAGE_MISC, timeouts->rset, "RSET");
	c->needs_rset = false;
	add_mail_parameters(t, &parameters, body_type, size);
	t->mail_command = arena_printf(t->message->envelope->arena, "MAIL From:<%s>%s",
	    t->message->sender, str_text(&parameters));
	client_ask(c, &t->mail, STAGE_MAIL, timeouts->mail, "%s", t->mail_command);
	if (c->is_submission) /* V8 waits here; nobody else's mail stands behind */
		client_sync(c);
	for (size_t i = 0; i < t->count; i++) {
		if (t->skipped[i])
			continue;
		if (t->mail.code != 0 && !reply_is(&t->mail, 2))
			break;
		c->about = t->recipients[i]->address;
		client_ask(c, &t->rcpt[i], STAGE_RCPT, timeouts->rcpt, "%s",
		    transaction_rcpt_command(c, t->recipients[i], t->message->envelope->arena));
	}
	str_free(&parameters);
	return (c->offers.pipelining && t->mail.code == 0) || transaction_accepted_count(t) > 0 ||
	       (c->offers.pipelining && reply_is(&t->mail, 2));
}
