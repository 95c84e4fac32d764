/* RCPT (RFC 5321 4.1.1.3; NOTIFY and ORCPT RFC 3461). */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "server/session.h"
#include "smtp/command.h"

/* Of one that comes without NOTIFY. */
enum { PLAIN_FLAGS = RECIPIENT_PRIMARY | RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY };

struct rcpt {
	const char *address;
	const char *const *parameters;
	unsigned flags;
	const char *orcpt;
	struct resolved resolved;
};

static bool
take_notify(struct session *s, struct rcpt *rcpt, char *value)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = {{"SUCCESS", RECIPIENT_NOTIFY_SUCCESS}, {"FAILURE", RECIPIENT_NOTIFY_FAILURE},
	    {"DELAY", RECIPIENT_NOTIFY_DELAY}};
	static const unsigned all =
	    RECIPIENT_NOTIFY_SUCCESS | RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY;
	char *next;

	if (!session_allows_dsn(s, "NOTIFY"))
		return false;
	if (value == NULL) {
		session_reply(s, 501, "5.5.2", "NOTIFY requires a value");
		return false;
	}
	rcpt->flags = (rcpt->flags & ~all) | RECIPIENT_HAS_NOTIFY;
	session_set_message_macro(s, "dsn_notify", value);
	if (text_equal_nocase(value, "never"))
		return true;
	for (; value != NULL; value = next) {
		size_t i;

		next = strchr(value, ',');
		if (next != NULL)
			*next++ = '\0';
		for (i = 0; i < sizeof words / sizeof words[0]; i++)
			if (text_equal_nocase(words[i].word, value))
				break;
		if (i == sizeof words / sizeof words[0]) {
			session_reply(s, 501, "5.5.4", "Bad argument \"%s\"  to NOTIFY", value);
			return false;
		}
		rcpt->flags |= words[i].flag;
	}
	if (session_has_privacy(s, PRIVACY_NO_RECEIPTS))
		rcpt->flags &= ~(unsigned)RECIPIENT_NOTIFY_SUCCESS;
	return true;
}

static bool
take_orcpt(struct session *s, struct rcpt *rcpt, const char *value)
{
	const char *semicolon = value != NULL ? strchr(value, ';') : NULL;

	if (!session_allows_dsn(s, "ORCPT"))
		return false;
	if (value == NULL) {
		session_reply(s, 501, "5.5.2", "ORCPT requires a value");
		return false;
	}
	if (semicolon == NULL || semicolon == value || !smtp_xtext_is_valid(semicolon + 1) ||
	    !smtp_xtext_is_valid(arena_memdup(s->scratch, value, (size_t)(semicolon - value)))) {
		session_reply(s, 501, "5.5.4", "Syntax error in ORCPT parameter value");
		return false;
	}
	if (rcpt->orcpt != NULL) {
		session_reply(s, 501, "5.5.0", "Duplicate ORCPT parameter");
		return false;
	}
	rcpt->orcpt = arena_strdup(s->envelope->arena, value);
	return true;
}

static bool
take_parameters(struct session *s, struct rcpt *rcpt, char *rest)
{
	char *name, *value;

	while (smtp_command_next_parameter(&rest, &name, &value)) {
		bool taken;

		if (text_equal_nocase(name, "NOTIFY")) {
			taken = take_notify(s, rcpt, value);
		} else if (text_equal_nocase(name, "ORCPT")) {
			taken = take_orcpt(s, rcpt, value);
		} else {
			session_reply(s, 555, "5.5.4", "%s parameter unrecognized", name);
			taken = false;
		}
		if (!taken)
			return false;
	}
	return true;
}

const char *
session_special_kind(const struct session *s, const struct resolved *resolved)
{
	const struct config *config = s->config;
	const struct mailer *mailer = resolved->mailer;
	bool is_local = mailer == config->local_mailer;
	const char *user = resolved->user;

	user += *user == '"';
	if (mailer == config->prog_mailer || (is_local && *user == '|'))
		return "programs";
	if (mailer == config->file_mailer || (is_local && *user == '/'))
		return "files";
	if (mailer == config->include_mailer || (is_local && text_starts_nocase(user, ":include:")))
		return ":include:s";
	return NULL;
}

static bool
is_put_off(const struct session *s, const struct mailer *mailer)
{
	char mode =
	    s->context->delivery_mode != 0 ? s->context->delivery_mode : s->options->delivery_mode;

	return mode == 'd' && mailer_is_smtp(mailer);
}

bool
session_is_deliverable(struct session *s, const char *address, const struct resolved *resolved,
    struct verdict *verdict)
{
	const char *kind = session_special_kind(s, resolved);
	struct rule_context context;
	struct alias_result alias;
	struct alias_user account;

	if (kind != NULL) {
		*verdict = verdict_make(s->scratch, 550, "5.7.1", EX_UNAVAILABLE,
		    "%s... Cannot mail directly to %s", address, kind);
		return false;
	}
	/* V8: what cannot be asked now, or is not to be (delivery mode d), is asked when it is delivered */
	*verdict = verdict_make(s->scratch, 250, "2.1.5", EX_OK, "Recipient ok%s",
	    resolved->is_deferred || is_put_off(s, resolved->mailer) ? " (will queue)" : "");
	session_rule_context(s, &context);
	switch (alias_check(
	    &context, resolved->mailer, resolved->host, resolved->user, &alias, &account)) {
	case ALIAS_UNKNOWN:
		*verdict = verdict_make(
		    s->scratch, 550, "5.1.1", EX_NOUSER, "%s... User unknown", address);
		return false;
	case ALIAS_NOT_KNOWN_NOW:
		*verdict =
		    verdict_make(s->scratch, 250, "2.1.5", EX_OK, "Recipient ok (will queue)");
		return true;
	case ALIAS_KNOWN_USER:
	case ALIAS_KNOWN_ALIAS:
	case ALIAS_KNOWN_OTHER:
		break;
	}
	return true;
}

static struct recipient *
find_same(struct session *s, const struct resolved *resolved)
{
	struct recipient *one;

	for (one = s->envelope->recipients; one != NULL; one = one->next) {
		bool cased = mailer_has(resolved->mailer, 'u');

		if (one->mailer == resolved->mailer &&
		    text_equal_nocase(one->host, resolved->host) &&
		    (cased ? strcmp(one->user, resolved->user) == 0
			   : text_equal_nocase(one->user, resolved->user)))
			return one;
	}
	return NULL;
}

static const char *
final_recipient(struct session *s, const struct resolved *resolved)
{
	struct arena *arena = s->envelope->arena;
	const char *type =
	    resolved->mailer->address_type != NULL ? resolved->mailer->address_type : "RFC822";
	char *user = arena_strdup(arena, resolved->user);

	text_trim_end(user);
	if (strchr(user, '@') != NULL)
		return arena_printf(arena, "%s; %s", type, user);
	if (!mailer_has(resolved->mailer, 'u'))
		text_to_lower(user);
	return arena_printf(arena, "%s; %s@%s", type, user, session_macro(s, "j"));
}

/* Adds it, or finds the one that is there already; V8 answers with the first one's spelling. */
static const struct recipient *
add_recipient(struct session *s, const struct rcpt *rcpt)
{
	struct arena *arena = s->envelope->arena;
	struct recipient *one = find_same(s, &rcpt->resolved);

	if (one != NULL)
		return one;
	one = envelope_add_recipient(s->envelope, rcpt->address, rcpt->flags);
	one->orcpt = rcpt->orcpt;
	one->mailer = rcpt->resolved.mailer;
	one->host = arena_strdup(arena, rcpt->resolved.host != NULL ? rcpt->resolved.host : "");
	one->user = arena_strdup(arena, rcpt->resolved.user != NULL ? rcpt->resolved.user : "");
	if (!session_has_privacy(s, PRIVACY_NO_ACTUAL_RECIPIENT))
		one->final = final_recipient(s, &rcpt->resolved);
	s->recipient_count++;
	session_set_message_macro(s, "nrcpts", arena_printf(s->scratch, "%d", s->recipient_count));
	return one;
}

/* V8: set localaddr sends the users of mailers with flag 5 elsewhere; those with aliases are asked later. */
static void
take_local_route(struct session *s, struct rcpt *rcpt)
{
	struct rule_context context;
	struct resolved elsewhere = {0};
	const struct mailer *mailer = rcpt->resolved.mailer;

	if (!mailer_has(mailer, '5') || mailer_has(mailer, 'A'))
		return;
	session_rule_context(s, &context);
	if (resolve_local(&context, &rcpt->resolved, &elsewhere) && elsewhere.mailer != NULL)
		rcpt->resolved = elsewhere;
}

void
session_set_recipient(struct session *s, const struct resolved *resolved)
{
	session_set_message_macro(s, "rcpt_mailer", resolved->mailer->name);
	session_set_message_macro(s, "rcpt_host", resolved->host);
	session_set_message_macro(s, "rcpt_addr", resolved->user);
}

static bool
resolve(struct session *s, struct rcpt *rcpt)
{
	if (!session_resolve(s, rcpt->address, 0, &rcpt->resolved)) {
		session_reply_verdict(s, &rcpt->resolved.error);
		return false;
	}
	take_local_route(s, rcpt);
	session_set_recipient(s, &rcpt->resolved);
	session_set_message_macro(s, "addr_type", "e r");
	return true;
}

/* A filter wants none of it. */
static void
drop_recipient(struct session *s, const struct recipient *one)
{
	envelope_remove_recipient(s->envelope, one);
	s->recipient_count--;
	session_set_message_macro(s, "nrcpts", arena_printf(s->scratch, "%d", s->recipient_count));
}

/* What is wrong with it, or nothing: checked by rules, but by no filter yet. */
static bool
judge(struct session *s, struct rcpt *rcpt, char *parameters, struct verdict *verdict)
{
	bool is_allowed;

	if (!resolve(s, rcpt) || !take_parameters(s, rcpt, parameters))
		return false;
	s->subject = rcpt->address;
	is_allowed = session_check(s, "check_rcpt", rcpt->address, NULL, true, verdict);
	s->subject = NULL;
	if (!is_allowed) {
		s->logs_errors = false;
		session_reply_verdict(s, verdict);
		return false;
	}
	s->listed_recipients++;
	if (!session_is_deliverable(s, rcpt->address, &rcpt->resolved, verdict)) {
		session_reply_verdict(s, verdict);
		return false;
	}
	return true;
}

/* The body of RCPT; true when the recipient was taken. */
static bool
take_recipient(struct session *s, struct rcpt *rcpt, char *argument)
{
	const struct recipient *taken;
	struct verdict refusal;
	struct verdict verdict;
	const char *scanned;
	char *path, *end;
	bool is_new;
	int count;

	path = smtp_command_skip_word(argument, "to", &scanned);
	if (path == NULL) {
		session_reply(
		    s, 501, "5.5.2", "Syntax error in parameters scanning \"%.100s\"", scanned);
		return false;
	}
	end = smtp_command_path_end(path);
	if (*end != '\0')
		*end++ = '\0';
	rcpt->address = arena_strdup(s->envelope->arena, path);
	rcpt->parameters = session_list_parameters(s, end);
	if (!judge(s, rcpt, end, &verdict)) {
		session_filter_refused_rcpt(s, rcpt->address, rcpt->parameters);
		return false;
	}
	count = s->recipient_count;
	taken = add_recipient(s, rcpt);
	is_new = s->recipient_count > count;
	if (!is_new) /* it was there before */
		s->listed_recipients--;
	if (!session_filter_rcpt(s, rcpt->address, rcpt->parameters, &refusal)) {
		if (is_new)
			drop_recipient(s, taken);
		s->logs_errors = false;
		session_reply_verdict(s, &refusal);
		return false;
	}
	session_reply(s, 250, "2.1.5", "%s... %s", taken->address, verdict.text);
	return true;
}

bool
session_add_recipient(struct session *s, const char *address, char *parameters)
{
	struct rcpt rcpt = {
	    .address = arena_strdup(s->envelope->arena, address), .flags = PLAIN_FLAGS};

	if (!resolve(s, &rcpt) || !take_parameters(s, &rcpt, parameters))
		return false;
	if (session_special_kind(s, &rcpt.resolved) != NULL) {
		session_reply(s, 550, "5.7.1", "%s... Cannot mail directly to %s", address,
		    session_special_kind(s, &rcpt.resolved));
		return false;
	}
	/* one that nobody knows is taken: its sender hears of it when it is delivered */
	add_recipient(s, &rcpt);
	return true;
}

bool
session_delete_recipient(struct session *s, const char *address)
{
	struct resolved resolved = {0};
	const struct recipient *one;

	if (!session_resolve(s, address, 0, &resolved) || (one = find_same(s, &resolved)) == NULL)
		return false;
	envelope_remove_recipient(s->envelope, one);
	s->recipient_count--;
	return true;
}

/* Option BadRcptThrottle: after so many unknown recipients each further one waits a second. */
static void
throttle(struct session *s)
{
	int maximum = s->options->bad_rcpt_throttle;

	if (maximum <= 0 || s->bad_recipients < maximum)
		return;
	if (s->bad_recipients == maximum)
		log_at(6, LOG_INFO, "%s: %s: Possible SMTP RCPT flood, throttling.", session_id(s),
		    s->peer);
	conn_flush(s->conn);
	if (!conn_failed(s->conn))
		sleep(1);
}

/*
 * Options BadRcptShutdown and BadRcptShutdownGood: so many unknown recipients, and at least that part of all in
 * percent, end the session.
 */
static bool
is_flood(struct session *s)
{
	int maximum = s->options->bad_rcpt_shutdown, bad = s->bad_recipients;

	if (maximum <= 0 || bad < maximum ||
	    100L * bad < (long)s->options->bad_rcpt_shutdown_good * (bad + s->recipient_count))
		return false;
	log_at(6, LOG_INFO, "%s: %s: Possible SMTP RCPT flood, shutting down connection.",
	    session_id(s), s->peer);
	session_end(
	    s, "4.7.0", "%s Too many bad recipients; closing connection", session_macro(s, "j"));
	return true;
}

void
command_rcpt(struct session *s, char *argument)
{
	int maximum = s->options->max_recipients_per_message;
	struct rcpt rcpt = {.flags = PLAIN_FLAGS};

	if (!s->has_mail) {
		session_reply(s, 503, "5.0.0", "Need MAIL before RCPT");
		return;
	}
	if (is_flood(s))
		return;
	s->logs_errors = true;
	if (maximum > 0 && s->recipient_count >= maximum) {
		session_reply(s, 452, "4.5.3", "Too many recipients");
	} else if (!take_recipient(s, &rcpt, argument)) {
		s->bad_recipients++;
		session_set_message_macro(
		    s, "nbadrcpts", arena_printf(s->scratch, "%d", s->bad_recipients));
		throttle(s);
	}
	s->logs_errors = false;
}
