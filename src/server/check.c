/* Hook rulesets of the server, and what they leave of its service. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/statistics.h"
#include "route/resolve.h"
#include "server/session.h"
#include "smtp/body.h"

/*
 * What the engine says: about the rules themselves (the log), about the text of an address (an error
 * of the command at hand), or once more what a result has anyway.  A notice of a map is neither: the
 * recipient is taken, and asked about again when it is delivered.
 */
static void
take_complaint(void *context, const char *message, int exit_status)
{
	struct session *s = context;

	if (*message == '\0')
		return;
	if (exit_status == EX_SOFTWARE)
		log_at(1, LOG_CRIT, "%s: SYSERR(root): %s", session_id(s), message);
	else if (s->complaint == NULL && (exit_status == EX_OK || exit_status == EX_USAGE))
		s->complaint = arena_strdup(s->scratch, message);
}

void
session_rule_context(struct session *s, struct rule_context *context)
{
	*context = (struct rule_context){
	    .config = s->config,
	    .macros = s->message_macros,
	    .arena = s->scratch,
	    .is_deferred = s->context->delivery_mode == 'd',
	    .report = take_complaint,
	    .report_context = s,
	};
	s->complaint = NULL;
}

bool
session_resolve(struct session *s, const char *address, unsigned what, struct resolved *resolved)
{
	struct rule_context context;
	bool is_good;

	session_rule_context(s, &context);
	is_good = resolve_address(&context, address, what, resolved);
	if (resolved->host == NULL)
		resolved->host = "";
	if (resolved->user == NULL)
		resolved->user = "";
	if (is_good && s->complaint == NULL)
		return true;
	if (!is_good && resolved->is_error_mailer) {
		struct verdict *error = &resolved->error;

		session_set_exit(s, error->exit_status);
		if (!verdict_is_temporary(error) && error->code != 551)
			error->text = arena_printf(
			    s->scratch, "%s... %s", rule_shorten(&context, address), error->text);
	} else if (s->complaint != NULL) {
		resolved->error = verdict_make(s->scratch, 553,
		    strstr(s->complaint, "too long") != NULL ? "5.1.0" : "5.0.0", EX_USAGE, "%s",
		    s->complaint);
	}
	return false;
}

static void
log_check(struct session *s, const char *ruleset, const char *text1, const char *text2,
    bool with_id, const char *what, const char *why)
{
	if (s->shown != NULL)
		text1 = s->shown;
	log_at(4, LOG_NOTICE, "%s%sruleset=%s, arg1=%s%s%s, relay=%s, %s%s",
	    with_id ? session_id(s) : "", with_id ? ": " : "", ruleset, text1,
	    text2 != NULL ? ", arg2=" : "", text2 != NULL ? text2 : "", s->peer, what, why);
}

/* V8: of the message, when its sender is known, and once of the session. */
static void
count_refusal(struct session *s)
{
	if (s->sender_mailer != NULL)
		statistics_count_message(STATISTICS_REFUSED, s->sender_mailer->number, 0);
	if (!s->was_refused)
		statistics_count_session_refused();
	s->was_refused = true;
}

bool
session_check(struct session *s, const char *ruleset, const char *text1, const char *text2,
    bool with_id, struct verdict *verdict)
{
	struct rule_context context;
	struct rule_result result = {0};

	if (!ruleset_is_there(s->config, ruleset))
		return true;
	session_rule_context(s, &context);
	rule_check(&context, ruleset, text1, text2, &result);
	switch (result.answer) {
	case RULE_REJECT:
		*verdict = result.verdict;
		session_soften(s, verdict);
		/* V8: the address at hand stands in front, but for a few codes */
		if (s->subject != NULL && verdict->code != 551 && verdict->code != 251 &&
		    verdict->code != 451)
			verdict->text =
			    arena_printf(s->scratch, "%s... %s", s->subject, verdict->text);
		log_check(s, ruleset, text1, text2, with_id, "reject=",
		    arena_printf(s->scratch, "%d %s%s%s", verdict->code, verdict->dsn,
			verdict->dsn[0] != '\0' ? " " : "", verdict->text));
		session_set_exit(s, verdict->exit_status);
		count_refusal(s);
		return false;
	case RULE_DISCARD:
		log_check(s, ruleset, text1, text2, with_id, "discard", "");
		s->is_discarded = true;
		return true;
	case RULE_QUARANTINE:
		log_check(s, ruleset, text1, text2, with_id, "quarantine=", result.verdict.text);
		s->envelope->quarantine = arena_strdup(s->envelope->arena, result.verdict.text);
		session_set_message_macro(s, "quarantine", s->envelope->quarantine);
		return true;
	case RULE_ACCEPT:
	case RULE_OTHER:
		break;
	}
	/* V8: a map that fails for now is the rules' own matter (-T); DNS that is down refuses nobody */
	return true;
}

/* One letter of srv_features; a capital letter takes away what the small one gives, save F, G, O and U. */
static void
apply_feature(struct session_features *f, char letter, bool replaces)
{
	bool on = letter >= 'a';

	switch (letter | 0x20) {
	case 'a':
		f->auth = on;
		break;
	case 'b':
		f->verb = on;
		break;
	case 'c':
		f->plaintext_needs_layer = on;
		break;
	case 'd':
		f->dsn = on;
		break;
	case 'e':
		f->etrn = on;
		break;
	case 'f':
		f->early_talk_allowed = !on;
		break;
	case 'g':
		f->bare_lf = replaces ? SMTP_BARE_SPACE : on ? SMTP_BARE_REFUSE : SMTP_BARE_ALLOWED;
		break;
	case 'h':
		f->http_ends = on;
		break;
	case 'l':
		f->auth_required = on;
		break;
	case 'o':
		f->lax_end = !on;
		break;
	case 'p':
		f->pipelining = on;
		break;
	case 's':
		f->starttls = on;
		break;
	case 'u':
		f->bare_cr = replaces ? SMTP_BARE_SPACE : on ? SMTP_BARE_REFUSE : SMTP_BARE_ALLOWED;
		break;
	case 'v':
		f->certificate = on;
		break;
	case 'x':
		f->expn = on;
		break;
	default:
		break;
	}
}

void
session_read_features(struct session *s)
{
	struct session_features *f = &s->features;
	const char *modifiers = s->link->port != NULL && s->link->port->modifiers != NULL
				    ? s->link->port->modifiers
				    : "";
	struct rule_context context;
	struct rule_result result = {0};
	const char *letter;

	*f = (struct session_features){
	    .auth = strchr(modifiers, 'A') == NULL,
	    .auth_required = strchr(modifiers, 'a') != NULL,
	    .verb = !session_has_privacy(s, PRIVACY_NO_VERB | PRIVACY_NO_EXPN),
	    .dsn = !session_has_privacy(s, PRIVACY_NO_RECEIPTS),
	    .etrn = strchr(modifiers, 'E') == NULL && !session_has_privacy(s, PRIVACY_NO_ETRN),
	    .pipelining = true,
	    .starttls = strchr(modifiers, 'S') == NULL,
	    .certificate = true,
	    .expn = !session_has_privacy(s, PRIVACY_NO_EXPN),
	    .bare_lf = SMTP_BARE_REFUSE,
	    .bare_cr = SMTP_BARE_REFUSE,
	};
	if (!ruleset_is_there(s->config, "srv_features"))
		return;
	session_rule_context(s, &context);
	rule_check(&context, "srv_features", s->peer_name, s->peer_address, &result);
	if (result.answer != RULE_OTHER || result.text == NULL)
		return;
	for (letter = result.text; *letter != '\0'; letter++)
		if (text_is_alpha((unsigned char)*letter))
			apply_feature(f, *letter, letter[1] == '2');
}

/* Ruleset greet_pause: milliseconds to keep silent; who talks meanwhile is refused instead of greeted. */
bool
session_greet_pause(struct session *s)
{
	struct rule_context context;
	struct rule_result result = {0};
	long milliseconds;
	int64_t end;
	struct pollfd waiting = {.fd = conn_input_fd(s->conn), .events = POLLIN};

	if (!ruleset_is_there(s->config, "greet_pause") || s->link->kind != SERVER_TCP)
		return true;
	session_rule_context(s, &context);
	rule_check(&context, "greet_pause", s->peer_name, s->peer_address, &result);
	if (result.answer != RULE_OTHER || result.text == NULL ||
	    !text_to_number(result.text, 1, 300000, &milliseconds))
		return true;
	end = clock_monotonic_ms() + milliseconds;
	if (poll(&waiting, 1, (int)milliseconds) <= 0)
		return true;
	if (!conn_has_input(s->conn))
		return true;
	log_at(9, LOG_INFO,
	    "%s: rejecting commands from %s [%s] due to pre-greeting traffic after %ld seconds",
	    session_id(s), s->peer_name, s->peer_address,
	    (long)((clock_monotonic_ms() - end + milliseconds) / 1000));
	session_reply(s, 554, NULL, "%s ESMTP not accepting messages", session_macro(s, "j"));
	s->refusal = REFUSAL_RULE;
	s->refusal_verdict =
	    verdict_make(s->arena, 550, "5.0.0", EX_UNAVAILABLE, "Command rejected");
	return false;
}
