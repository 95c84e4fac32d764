/* Which command is it, and may it come now? */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "server/session.h"
#include "smtp/command.h"

enum {
	BAD_COMMANDS_MAXIMUM = 25, /* V8 */
};

enum command_flag {
	HEARD_WHEN_REFUSED = 1 << 0, /* by a client that check_relay refused */
	HEARD_WHEN_TALKED = 1 << 1,  /* by one that spoke before it was asked */
	IS_GOOD = 1 << 2,	     /* forgets earlier bad commands */
	IS_PROXY_TALK = 1 << 3,	     /* HTTP: only as the first command */
};

static const struct command_row {
	const char *verb, *name; /* name: as the log has it */
	command_handler *handler;
	unsigned flags;
} rows[] = {
    {"HELO", "helo", command_helo, HEARD_WHEN_REFUSED | HEARD_WHEN_TALKED},
    {"EHLO", "ehlo", command_ehlo, HEARD_WHEN_REFUSED | HEARD_WHEN_TALKED},
    {"MAIL", "mail", command_mail, IS_GOOD},
    {"RCPT", "rcpt", command_rcpt, IS_GOOD},
    {"DATA", "data", command_data, IS_GOOD},
    {"RSET", "rset", command_rset, HEARD_WHEN_REFUSED | HEARD_WHEN_TALKED},
    {"NOOP", "noop", command_noop, HEARD_WHEN_REFUSED | HEARD_WHEN_TALKED},
    {"QUIT", "quit", command_quit, HEARD_WHEN_REFUSED | HEARD_WHEN_TALKED},
    {"STARTTLS", "starttls", command_starttls, 0},
    {"AUTH", "auth", command_auth, 0},
    {"VRFY", "vrfy", command_vrfy, 0},
    {"EXPN", "expn", command_expn, 0},
    {"ETRN", "etrn", command_etrn, 0},
    {"HELP", "help", command_help, 0},
    {"VERB", "verb", command_verb, 0},
    {"GET", "get", command_http, IS_PROXY_TALK},
    {"POST", "post", command_http, IS_PROXY_TALK},
    {"CONNECT", "connect", command_http, IS_PROXY_TALK},
    {"USER", "user", command_http, IS_PROXY_TALK},
};

static const struct command_row *
find_row(const char *verb)
{
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (text_equal_nocase(rows[i].verb, verb))
			return &rows[i];
	return NULL;
}

static void
refuse_unknown(struct session *s, const char *line)
{
	if (++s->bad_commands > BAD_COMMANDS_MAXIMUM) {
		session_end(s, "4.7.0", "%s Too many bad commands; closing connection",
		    session_macro(s, "j"));
		return;
	}
	if (!session_filter_unknown(s, line))
		return;
	session_reply(s, 500, "5.5.1", "Command unrecognized: \"%.200s\"", line);
}

/* Is it answered with the refusal that this client got earlier? */
static bool
is_refused(struct session *s, const struct command_row *row)
{
	if (s->refusal == REFUSAL_RULE && (row->flags & HEARD_WHEN_REFUSED) == 0)
		session_reply_verdict(s, &s->refusal_verdict);
	else if (s->refusal == REFUSAL_TALKED && (row->flags & HEARD_WHEN_TALKED) == 0)
		session_reply(s, 550, "5.0.0", "Command rejected");
	else
		return false;
	return true;
}

void
session_dispatch(struct session *s, char *line)
{
	const char *whole = arena_strdup(s->scratch, line);
	struct smtp_command command;
	const struct command_row *row;
	bool is_first = s->is_first_command;

	smtp_command_split(line, &command);
	row = find_row(command.verb);
	s->is_first_command = false;
	if (row != NULL && (row->flags & IS_PROXY_TALK) != 0) {
		if (!is_first && !s->features.http_ends)
			row = NULL;
		else
			command.argument = arena_strdup(s->scratch, whole);
	}
	if (row == NULL) {
		refuse_unknown(s, whole);
		return;
	}
	s->last_verb = row->name;
	if (is_refused(s, row))
		return;
	if ((row->flags & IS_GOOD) != 0)
		s->bad_commands = 0;
	row->handler(s, command.argument);
}
