/* MAIL (RFC 5321 4.1.1.2; SIZE RFC 1870, BODY 6152, RET ENVID 3461, AUTH 4954, BY 2852). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "server/session.h"
#include "smtp/command.h"

/* One parameter; value is NULL without '='.  False: it was answered with an error. */
typedef bool take_parameter(struct session *, const char *value);

static bool
needs_value(struct session *s, const char *value, const char *name)
{
	if (value != NULL)
		return true;
	session_reply(s, 501, "5.5.2", "%s requires a value", name);
	return false;
}

static bool
take_size(struct session *s, const char *value)
{
	long size;

	if (!needs_value(s, value, "SIZE"))
		return false;
	errno = 0;
	size = strtol(value, NULL, 10);
	if (size < 0) {
		s->envelope->message_size = LONG_MAX; /* V8: so the log has it */
		session_reply(s, 552, "5.2.3", "Message size invalid");
		return false;
	}
	if (errno == ERANGE) {
		session_reply(s, 552, "5.2.3", "Message size exceeds maximum value");
		return false;
	}
	s->declared_size = size;
	s->envelope->message_size = size;
	return true;
}

static bool
take_body(struct session *s, const char *value)
{
	if (!needs_value(s, value, "BODY"))
		return false;
	if (!text_equal_nocase(value, "8BITMIME") && !text_equal_nocase(value, "7BIT")) {
		session_reply(s, 501, "5.5.4", "Unknown BODY type %s", value);
		return false;
	}
	s->body_type = s->envelope->body_type = arena_strdup(s->envelope->arena, value);
	session_set_message_macro(s, "bodytype", value);
	return true;
}

bool
session_allows_dsn(struct session *s, const char *name)
{
	if (s->features.dsn)
		return true;
	session_reply(s, 504, "5.7.0", "Sorry, %s not supported, we do not allow DSN", name);
	return false;
}

static bool
take_ret(struct session *s, const char *value)
{
	if (!session_allows_dsn(s, "RET"))
		return false;
	if ((s->envelope->flags & ENVELOPE_HAS_RET) != 0) {
		session_reply(s, 501, "5.5.0", "Duplicate RET parameter");
		return false;
	}
	if (!needs_value(s, value, "RET"))
		return false;
	if (text_equal_nocase(value, "HDRS")) {
		s->envelope->flags |= ENVELOPE_NO_BODY_RETURN;
	} else if (!text_equal_nocase(value, "FULL")) {
		session_reply(s, 501, "5.5.2", "Bad argument \"%s\" to RET", value);
		return false;
	} else if (session_has_privacy(s, PRIVACY_NO_BODY_RETURN)) {
		s->envelope->flags |= ENVELOPE_NO_BODY_RETURN;
	}
	s->envelope->flags |= ENVELOPE_HAS_RET;
	session_set_message_macro(s, "dsn_ret", value);
	return true;
}

static bool
take_envid(struct session *s, const char *value)
{
	if (!session_allows_dsn(s, "ENVID"))
		return false;
	if (!needs_value(s, value, "ENVID"))
		return false;
	if (!smtp_xtext_is_valid(value)) {
		session_reply(s, 501, "5.5.4", "Syntax error in ENVID parameter value");
		return false;
	}
	if (s->envelope->envid != NULL) {
		session_reply(s, 501, "5.5.0", "Duplicate ENVID parameter");
		return false;
	}
	s->envelope->envid = arena_strdup(s->envelope->arena, value);
	session_set_message_macro(s, "dsn_envid", value);
	session_set_message_macro(s, "envid", value);
	return true;
}

/*
 * RFC 4954 5: what a client that we do not trust says of the author counts as "<>".  trust_auth
 * decides about one that has authenticated itself.
 */
static bool
take_auth(struct session *s, const char *value)
{
	struct verdict verdict;
	struct str decoded = {0};
	bool trusted;

	if (!needs_value(s, value, "AUTH="))
		return false;
	if (s->envelope->auth != NULL) {
		session_reply(s, 501, "5.5.0", "Duplicate AUTH parameter");
		return false;
	}
	if (!smtp_xtext_decode(&decoded, value)) {
		session_reply(s, 501, "5.5.4", "Syntax error in AUTH parameter value");
		return false;
	}
	session_set_message_macro(s, "auth_author", str_text(&decoded));
	trusted = s->is_authenticated &&
		  (strcmp(str_text(&decoded), "<>") == 0 ||
		      session_check(s, "trust_auth", str_text(&decoded), NULL, true, &verdict));
	s->envelope->auth = arena_strdup(s->envelope->arena, trusted ? value : "<>");
	str_free(&decoded);
	return true;
}

static bool
take_by(struct session *s, const char *value)
{
	long seconds, minimum = s->options->deliver_by_minimum_seconds;
	char mode;
	bool trace;

	if (minimum < 0) {
		session_reply(s, 555, "5.5.4", "BY parameter unrecognized");
		return false;
	}
	if (!needs_value(s, value, "BY="))
		return false;
	switch (smtp_parse_by(value, &seconds, &mode, &trace)) {
	case SMTP_BY_NO_SEMICOLON:
		session_reply(s, 501, "5.5.2", "BY= missing ';'");
		return false;
	case SMTP_BY_OUT_OF_RANGE:
		session_reply(s, 501, "5.5.2", "BY=%s out of range", value);
		return false;
	case SMTP_BY_BAD_MODE:
		session_reply(s, 501, "5.5.2", "illegal by-mode '%c'", mode);
		return false;
	case SMTP_BY_NOT_AHEAD:
		session_reply(s, 501, "5.5.4", "mode R requires BY time > 0");
		return false;
	case SMTP_BY_OK:
		break;
	}
	if (mode == 'r' && minimum > 0 && seconds < minimum) {
		session_reply(s, 555, "5.5.2", "time %ld less than %ld", seconds, minimum);
		return false;
	}
	s->envelope->deliver_by = seconds;
	s->envelope->deliver_by_mode = arena_printf(s->envelope->arena, "%c",
	    (mode == 'r' ? DELIVER_BY_RETURN : DELIVER_BY_NOTIFY) | (trace ? DELIVER_BY_TRACE : 0));
	return true;
}

static const struct parameter_row {
	const char *name;
	take_parameter *take;
} rows[] = {
    {"SIZE", take_size},
    {"BODY", take_body},
    {"RET", take_ret},
    {"ENVID", take_envid},
    {"AUTH", take_auth},
    {"BY", take_by},
};

bool
session_take_mail_parameters(struct session *s, char *rest)
{
	char *name, *value;
	size_t i;

	while (smtp_command_next_parameter(&rest, &name, &value)) {
		for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
			if (text_equal_nocase(rows[i].name, name))
				break;
		if (i == sizeof rows / sizeof rows[0]) {
			session_reply(s, 555, "5.5.4", "%s parameter unrecognized", name);
			return false;
		}
		if (!rows[i].take(s, value))
			return false;
	}
	return true;
}

/* Option MinFreeBlocks: room for the message and this many blocks more. */
static bool
has_disk_space(struct session *s)
{
	struct statvfs disk;
	unsigned long long block, needed, available;

	if (s->options->min_free_blocks <= 0 || fstatvfs(s->context->queue->df_dir, &disk) != 0)
		return true;
	block = disk.f_frsize > 0 ? disk.f_frsize : 512;
	available = disk.f_bavail;
	needed = (unsigned long long)s->declared_size / block + 1;
	if (available >= needed &&
	    available - needed >= (unsigned long long)s->options->min_free_blocks)
		return true;
	log_at(1, LOG_ALERT,
	    "%s: low on space (%s needs %ld bytes + %ld blocks in %s), max avail: %llu",
	    session_id(s), s->peer_name, s->declared_size, s->options->min_free_blocks,
	    s->context->queue->path, available);
	session_reply(s, 452, "4.4.5", "Insufficient disk space; try again later");
	return false;
}

/* V8: sets 3, 1 and 4 make of a sender what $f is. */
static const char *
canonical_sender(struct session *s, const char *address)
{
	static const int sets[] = {3, 1, 4};
	struct rule_context context;
	struct tokens tokens;
	size_t i;

	session_rule_context(s, &context);
	if (!rule_scan(&context, address, '\0', false, &tokens, NULL))
		return address;
	for (i = 0; i < sizeof sets / sizeof sets[0]; i++)
		rule_run(&context, sets[i], &tokens);
	return rule_text(&context, tokens.items, tokens.count);
}

void
session_set_sender(struct session *s, const char *address, const struct resolved *resolved)
{
	struct arena *arena = s->envelope->arena;
	struct alias_user account;

	s->sender = arena_strdup(arena, canonical_sender(s, address));
	s->full_name = NULL;
	s->sender_mailer = resolved->mailer;
	if (mailer_has(resolved->mailer, 'w') && alias_find_user(resolved->user, arena, &account) &&
	    account.full_name[0] != '\0')
		s->full_name = account.full_name;
	session_set_message_macro(s, "mail_mailer", resolved->mailer->name);
	session_set_message_macro(s, "mail_host", resolved->host);
	session_set_message_macro(s, "mail_addr", resolved->user);
	session_set_message_macro(s, "f", s->sender);
}

/* Resolves the sender; fills s->sender.  False: it was answered. */
bool
session_read_sender(struct session *s, const char *address)
{
	struct resolved resolved = {0};

	s->envelope->sender = arena_strdup(s->envelope->arena, address);
	session_set_message_macro(
	    s, "mail_from", address); /* what FEATURE(delay_checks) asks for in check_rcpt */
	if (strcmp(address, "<>") == 0) {
		s->sender = "";
		s->full_name = NULL;
		s->sender_mailer = s->config->local_mailer;
		session_set_message_macro(s, "mail_addr", "<>");
		session_set_message_macro(s, "f", ""); /* V8: $f of the null sender is empty */
		return true;
	}
	if (!session_resolve(s, address, RESOLVE_SENDER, &resolved)) {
		session_reply_verdict(s, &resolved.error);
		return false;
	}
	session_set_sender(s, address, &resolved);
	return true;
}

static bool
may_start(struct session *s)
{
	if (!s->is_greeted && session_has_privacy(s, PRIVACY_NEED_MAIL_HELO)) {
		session_reply(s, 503, "5.0.0", "Polite people say HELO first");
		return false;
	}
	if (s->has_mail) {
		session_reply(s, 503, "5.5.0", "Sender already specified");
		return false;
	}
	if (s->features.auth_required && !s->is_authenticated) {
		session_reply(s, 530, "5.7.0", "Authentication required");
		return false;
	}
	if (s->filters_put_off) {
		session_reply(s, 451, "4.3.2", "Please try again later");
		return false;
	}
	return true;
}

/* What an earlier MAIL that failed has left. */
static void
forget_parameters(struct session *s)
{
	struct envelope *envelope = s->envelope;

	s->declared_size = 0;
	envelope->message_size = 0;
	envelope->flags &= ~(unsigned)(ENVELOPE_HAS_RET | ENVELOPE_NO_BODY_RETURN);
	envelope->envid = envelope->auth = NULL;
	envelope->deliver_by = 0;
	envelope->deliver_by_mode = NULL;
}

void
command_mail(struct session *s, char *argument)
{
	const char *scanned, *address;
	char *path, *end;
	const char *const *parameters;
	struct verdict verdict;
	bool is_allowed;

	s->issued_something = true;
	if (!may_start(s))
		return;
	path = smtp_command_skip_word(argument, "from", &scanned);
	if (path == NULL) {
		session_reply(
		    s, 501, "5.5.2", "Syntax error in parameters scanning \"%.100s\"", scanned);
		return;
	}
	session_id(s);
	if (!s->is_greeted)
		session_auth_warning(s, "%s didn't use HELO protocol", s->peer);
	forget_parameters(s);
	end = smtp_command_path_end(path);
	if (*end != '\0')
		*end++ = '\0';
	address = arena_strdup(s->scratch, path);
	if (!session_read_sender(s, address))
		return;
	s->log_sender = true;
	parameters = session_list_parameters(s, end);
	if (!session_take_mail_parameters(s, end))
		return;
	session_set_message_macro(s, "msg_size", arena_printf(s->scratch, "%ld", s->declared_size));
	session_set_message_macro(s, "addr_type", "e s");
	s->subject = address;
	is_allowed =
	    session_check(s, "tls_client", arena_strdup(s->scratch, session_macro(s, "verify")),
		"MAIL", true, &verdict) &&
	    session_check(s, "check_mail", address, NULL, true, &verdict);
	s->subject = NULL;
	if (!is_allowed) {
		session_reply_verdict(s, &verdict);
		return;
	}
	if (s->options->max_message_size > 0 && s->declared_size > s->options->max_message_size) {
		session_reply(s, 552, "5.2.3",
		    "Message size exceeds fixed maximum message size (%ld)",
		    s->options->max_message_size);
		return;
	}
	if (!has_disk_space(s))
		return;
	if (!session_filter_mail(s, address, parameters, &verdict)) {
		session_reply_verdict(s, &verdict);
		return;
	}
	s->has_mail = true;
	session_reply(s, 250, "2.1.0", "%s... Sender ok", address);
}
