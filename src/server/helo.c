/* HELO and EHLO. */
#include <string.h>

#include "base/log.h"
#include "server/session.h"
#include "smtp/command.h"

enum { HELO_MAXIMUM = 3 };

/*
 * Who sends on before the answer is a robot that does not listen, or stuffs a transaction into
 * somebody else's.
 */
static bool
is_early_talker(struct session *s, const char *verb)
{
	if (s->features.early_talk_allowed || !conn_has_input(s->conn))
		return false;
	log_at(6, LOG_INFO, "%s: rejecting server %s from %s [%s] due to traffic before response",
	    session_id(s), verb, s->peer_name, s->peer_address);
	session_reply(s, 554, "5.5.0", "SMTP protocol error");
	s->refusal = REFUSAL_TALKED;
	return true;
}

static void
list_extensions(struct session *s)
{
	const char *mechanisms = auth_mechanisms(s), *lines[16];
	size_t count = 0, i;

	lines[count++] = "ENHANCEDSTATUSCODES";
	if (s->refusal == REFUSAL_NONE) {
		if (s->features.pipelining)
			lines[count++] = "PIPELINING";
		if (s->features.expn) {
			lines[count++] = "EXPN";
			if (s->features.verb)
				lines[count++] = "VERB";
		}
		lines[count++] = "8BITMIME";
		lines[count++] =
		    s->options->max_message_size > 0
			? arena_printf(s->scratch, "SIZE %ld", s->options->max_message_size)
			: "SIZE";
		if (s->features.dsn)
			lines[count++] = "DSN";
		if (s->features.etrn)
			lines[count++] = "ETRN";
		if (mechanisms != NULL)
			lines[count++] = arena_printf(s->scratch, "AUTH %s", mechanisms);
		if (s->features.starttls && s->context->tls != NULL && !s->has_tls)
			lines[count++] = "STARTTLS";
		if (s->options->deliver_by_minimum_seconds >= 0)
			lines[count++] = s->options->deliver_by_minimum_seconds > 0
					     ? arena_printf(s->scratch, "DELIVERBY %ld",
						   s->options->deliver_by_minimum_seconds)
					     : "DELIVERBY";
		lines[count++] = "HELP";
	}
	for (i = 0; i < count; i++) {
		if (i + 1 < count)
			session_reply_more(s, 250, NULL, "%s", lines[i]);
		else
			session_reply(s, 250, NULL, "%s", lines[i]);
	}
}

/* V8: SMTP, ESMTP, and S for TLS and A for AUTH at its end. */
static void
set_protocol(struct session *s)
{
	session_set_macro(s, "r",
	    arena_printf(s->arena, "%s%s%s", s->is_esmtp ? "ESMTP" : "SMTP", s->has_tls ? "S" : "",
		s->is_authenticated ? "A" : ""));
}

static void
greet_back(struct session *s, char *name, const char *verb, bool is_esmtp)
{
	const char *remark = "pleased to meet you";
	size_t length = strlen(name);

	while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
		name[--length] = '\0';
	if (*name == '\0') {
		session_reply(s, 501, "5.0.0", "%s requires domain address", verb);
		return;
	}
	if (!smtp_helo_is_valid(name)) {
		if (!s->options->allow_bogus_helo) {
			session_reply(s, 501, "5.0.0", "Invalid domain name");
			return;
		}
		remark = "accepting invalid domain name";
	}
	session_count(s, COUNT_HELO, HELO_MAXIMUM, "HELO/EHLO");
	if (is_early_talker(s, verb))
		return;
	if (s->refusal == REFUSAL_TALKED)
		s->refusal = REFUSAL_NONE;
	if (s->is_greeted)
		session_new_envelope(s);
	s->is_greeted = true;
	s->is_esmtp = is_esmtp;
	s->helo = arena_strdup(s->arena, name);
	session_set_macro(s, "s", s->helo);
	set_protocol(s);
	session_filter_helo(s);
	if (s->is_over)
		return;
	if (is_esmtp)
		session_reply_more(
		    s, 250, NULL, "%s Hello %s, %s", session_macro(s, "j"), s->peer, remark);
	else
		session_reply(
		    s, 250, NULL, "%s Hello %s, %s", session_macro(s, "j"), s->peer, remark);
	if (is_esmtp)
		list_extensions(s);
}

void
command_helo(struct session *s, char *argument)
{
	greet_back(s, argument, "HELO", false);
}

void
command_ehlo(struct session *s, char *argument)
{
	greet_back(s, argument, "EHLO", true);
}
