#include "server/session.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "os/os.h"
#include "milter/milter.h"
#include "net/tls.h"
#include "queue/statistics.h"
#include "smtp/reply.h"
#include "submit/finish.h"

enum {
	LINE_MAXIMUM = 2048 - 2, /* V8: a longer command is an attack */
	SLOW_MAXIMUM_SECONDS = 60,
};

/* -X: the dialogue as V8 copies it. */
static void
copy_traffic(struct session *s, const char *direction, const char *text, size_t length)
{
	if (s->context->traffic_fd >= 0)
		io_printf(s->context->traffic_fd, "%05ld %s %.*s\n", (long)getpid(), direction,
		    (int)length, text);
}

static void
log_reply(struct session *s, const char *lines)
{
	while (*lines != '\0') {
		size_t length = strcspn(lines, "\r");

		if (log_level() >= 15)
			log_at(15, LOG_INFO, "%s: --- %.*s", session_id(s), (int)length, lines);
		copy_traffic(s, ">>>", lines, length);
		lines += length;
		lines += strspn(lines, "\r\n");
	}
}

const char *
session_clean(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *p;

	for (p = copy; *p != '\0'; p++) {
		*p = (char)(*p & 0x7f);
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = *p == '\t' || *p == '\n' ? ' ' : '?';
	}
	return copy;
}

/* V8: so are they shown in the log. */
static const char *
double_backslashes(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 2 * strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++) {
		if (*text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to = '\0';
	return out;
}

/* V8's status of the message at hand: the last 5xx, or the first 4xx. */
static void
note_status(struct session *s, int code, const char *text)
{
	struct envelope *envelope = s->envelope;

	if (code >= 500 || envelope->status == NULL)
		envelope->status = session_clean(envelope->arena, text);
	if (s->logs_errors)
		log_at(4, LOG_NOTICE, "%s: %s", session_id(s),
		    double_backslashes(s->scratch, session_clean(s->scratch, text)));
}

void
session_soften(const struct session *s, struct verdict *verdict)
{
	if (!s->options->soft_bounce || verdict->code < 500)
		return;
	verdict->code -= 100;
	if (verdict->dsn[0] == '5')
		verdict->dsn[0] = '4';
}

static void
write_reply(struct session *s, int code, const char *dsn, const char *text, bool more)
{
	struct verdict verdict = {.code = code, .text = text};
	struct str out = {0};

	if (dsn != NULL)
		text_copy(verdict.dsn, sizeof verdict.dsn, dsn);
	session_soften(s, &verdict);
	s->last_reply = verdict;
	if (s->is_quiet) {
		note_status(s, verdict.code, text);
		return;
	}
	smtp_reply_write(&out, verdict.code, verdict.dsn, text, more);
	conn_write(s->conn, out.data, out.length);
	log_reply(s, out.data);
	if (verdict.code >= 400)
		note_status(s, verdict.code, text);
	str_free(&out);
}

void
session_reply(struct session *s, int code, const char *dsn, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_reply(s, code, dsn, arena_vprintf(s->scratch, format, arguments), false);
	va_end(arguments);
}

void
session_reply_more(struct session *s, int code, const char *dsn, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_reply(s, code, dsn, arena_vprintf(s->scratch, format, arguments), true);
	va_end(arguments);
}

void
session_reply_verdict(struct session *s, const struct verdict *verdict)
{
	write_reply(
	    s, verdict->code, verdict->dsn, verdict->text != NULL ? verdict->text : "", false);
	if (verdict->code == 421)
		s->is_over = true;
}

void
session_end(struct session *s, const char *dsn, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_reply(s, 421, dsn, arena_vprintf(s->scratch, format, arguments), false);
	va_end(arguments);
	s->is_over = true;
}

void
session_last_word(struct session *s, const char *dsn, const char *format, ...)
{
	struct str out = {0};
	va_list arguments;

	s->is_over = true;
	if (conn_tls(s->conn) != NULL)
		return;
	va_start(arguments, format);
	smtp_reply_write(&out, 421, dsn, arena_vprintf(s->scratch, format, arguments), false);
	va_end(arguments);
	log_reply(s, out.data);
	if (write(conn_output_fd(s->conn), out.data, out.length) < 0)
		log_at(14, LOG_DEBUG, "%s: %s is gone", session_id(s), s->peer);
	str_free(&out);
}

void
session_set_macro(struct session *s, const char *name, const char *value)
{
	config_set_macro(s->config, s->macros, name, value);
}

void
session_set_message_macro(struct session *s, const char *name, const char *value)
{
	config_set_macro(s->config, s->message_macros, name, value);
}

const char *
session_macro(struct session *s, const char *name)
{
	const char *value = config_macro(s->config, s->message_macros, name);

	return value != NULL ? value : "";
}

const char *
session_id(struct session *s)
{
	if (s->envelope->id[0] == '\0') {
		queue_new_id(s->envelope->id);
		session_set_message_macro(s, "i", s->envelope->id);
	}
	return s->envelope->id;
}

void
session_log_from(struct session *s)
{
	const char *protocol = session_macro(s, "r");
	struct finish_log line = {
	    .recipient_count = s->recipient_count,
	    .body_type = s->body_type,
	    .protocol = *protocol != '\0' ? protocol : NULL,
	    .daemon = s->link->kind == SERVER_TCP ? s->daemon_name : NULL,
	    .relay = s->peer,
	};

	s->log_sender = false;
	session_id(s);
	finish_log_from(s->envelope, &line);
}

void
session_new_envelope(struct session *s)
{
	if (s->envelope != NULL && s->log_sender)
		session_log_from(s);
	milter_abort(s->filters);
	envelope_destroy(s->envelope);
	s->envelope = envelope_create();
	s->envelope->created = clock_now();
	macro_env_clear(s->message_macros);
	s->has_mail = s->log_sender = false;
	s->is_discarded = s->discards_all;
	s->sender = s->full_name = s->body_type = NULL;
	s->sender_mailer = NULL;
	s->declared_size = 0;
	s->recipient_count = s->bad_recipients = s->listed_recipients = 0;
}

void
session_set_exit(struct session *s, int exit_status)
{
	if (s->exit_status == EX_OK || s->exit_status == EX_TEMPFAIL)
		s->exit_status = exit_status;
}

void
session_count(struct session *s, enum session_count which, unsigned maximum, const char *name)
{
	unsigned over, seconds;

	if (maximum == 0 || ++s->counts[which] < maximum)
		return;
	if (s->counts[which] == maximum)
		log_at(6, LOG_INFO, "%s: %s: possible SMTP attack: command=%.40s, count=%u",
		    session_id(s), s->peer, name, s->counts[which]);
	over = s->counts[which] - maximum;
	seconds = over < 6 ? 1u << over : SLOW_MAXIMUM_SECONDS;
	conn_flush(s->conn);
	if (!conn_failed(s->conn))
		sleep(seconds < SLOW_MAXIMUM_SECONDS ? seconds : SLOW_MAXIMUM_SECONDS);
}

bool
session_has_privacy(const struct session *s, unsigned flags)
{
	/* V8: goaway is all of these together */
	static const unsigned goaway = PRIVACY_NEED_MAIL_HELO | PRIVACY_NEED_EXPN_HELO |
				       PRIVACY_NEED_VRFY_HELO | PRIVACY_NO_EXPN | PRIVACY_NO_VRFY |
				       PRIVACY_NO_VERB | PRIVACY_AUTH_WARNINGS;
	unsigned set = s->options->privacy;

	if ((set & PRIVACY_GOAWAY) != 0)
		set |= goaway;
	return (set & flags) != 0;
}

void
session_auth_warning(struct session *s, const char *format, ...)
{
	va_list arguments;
	const char *text, *name = session_macro(s, "j");

	if (!session_has_privacy(s, PRIVACY_AUTH_WARNINGS))
		return;
	va_start(arguments, format);
	text = arena_vprintf(s->envelope->arena, format, arguments);
	va_end(arguments);
	header_append(&s->envelope->headers, s->envelope->arena, "X-Authentication-Warning",
	    arena_printf(s->envelope->arena, " %s: %s", name, text));
	log_at(4, LOG_INFO, "%s: Authentication-Warning: %.400s: %s", session_id(s), name, text);
}

/* "\\n" in the option is a line end: the greeting has several lines then. */
static const char *
resolve_escapes(char *text)
{
	char *from = text, *to = text;

	for (; *from != '\0'; from++) {
		if (from[0] == '\\' && from[1] == 'n') {
			*to++ = '\n';
			from++;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

/* Option SmtpGreetingMessage: ESMTP comes after its first word. */
static void
greet(struct session *s)
{
	const char *template = s->options->smtp_greeting_message, *text;
	char date[DATE_RFC822_SIZE];
	size_t first;

	session_set_message_macro(s, "b", date_rfc822(clock_now(), date));
	text = config_expand(s->config, s->message_macros,
	    template != NULL ? template : "$j Sendmail $v ready at $b", s->scratch);
	text = resolve_escapes(arena_strdup(s->scratch, text));
	first = strcspn(text, " \t\n");
	session_reply(s, 220, NULL, "%.*s ESMTP%s", (int)first, text, text + first);
}

static void
report_lost(struct session *s)
{
	if (conn_state(s->conn) == CONN_TIMED_OUT)
		log_at(2, LOG_NOTICE,
		    "%s: timeout waiting for input from %s during server cmd read", session_id(s),
		    s->peer_name);
	if (s->has_mail)
		log_at(2, LOG_NOTICE, "%s: lost input channel from %s to %s after %s",
		    session_id(s), s->peer, s->daemon_name, s->last_verb);
}

/* False: this process ends, and the client was told so. */
static bool
wait_for_command(struct session *s)
{
	const struct server_context *context = s->context;
	int64_t deadline = deadline_in(s->options->timeouts.command);
	struct pollfd wait[2] = {{.fd = conn_input_fd(s->conn), .events = POLLIN},
	    {.fd = context->wake_fd, .events = POLLIN}};

	if (context->is_ending == NULL)
		return true;
	conn_flush(s->conn);
	while (!context->is_ending(context->context)) {
		if (!conn_is_quiet(s->conn) || deadline_passed(deadline))
			return true;
		poll(wait, 2, deadline_poll_ms(deadline));
	}
	session_end(s, "4.3.2", "%s closing connection: shutting down", session_macro(s, "j"));
	return false;
}

/* DelayLA: while the system is that busy, each command waits a second. */
static void
slow_down(struct session *s)
{
	const struct daemon_port *port = s->link->port;
	int limit =
	    port != NULL && port->delay_load > 0 ? port->delay_load : s->options->delay_load;

	if (limit <= 0 || s->link->kind == SERVER_LOCAL || os_load_average() < limit)
		return;
	log_at(9, LOG_INFO, "%s: %s: delaying, load average %d >= %d", session_id(s), s->peer,
	    os_load_average(), limit);
	conn_flush(s->conn);
	if (!conn_failed(s->conn))
		sleep(1);
}

static void
serve_commands(struct session *s)
{
	while (!s->is_over) {
		char *line;
		size_t length;
		enum conn_line kind;

		arena_reset(s->scratch);
		conn_set_deadline(s->conn, deadline_in(s->options->timeouts.command));
		if (!wait_for_command(s))
			return;
		kind = conn_read_line(s->conn, LINE_MAXIMUM, &line, &length);
		if (kind == CONN_LINE_FAILED) {
			report_lost(s);
			return;
		}
		if (kind == CONN_LINE_TOO_LONG) {
			log_at(2, LOG_INFO, "%s: %s: SMTP violation, input too long: %zu",
			    session_id(s), s->peer, length);
			session_end(s, "4.7.0", "%s Command too long, possible attack %s",
			    session_macro(s, "j"), s->peer);
			return;
		}
		if (log_level() >= 15)
			log_at(15, LOG_INFO, "%s: <-- %s", session_id(s), line);
		copy_traffic(s, "<<<", line, length);
		slow_down(s);
		session_dispatch(s, line);
	}
}

/* Modifier s of a port: TLS from the first byte (smtps). */
static bool
wants_tls_at_once(const struct session *s)
{
	const struct daemon_port *port = s->link->port;

	return port != NULL && port->modifiers != NULL && strchr(port->modifiers, 's') != NULL;
}

static const char *
filter_list(const struct session *s)
{
	const struct daemon_port *port = s->link->port;

	return port != NULL && port->input_mail_filters != NULL ? port->input_mail_filters
								: s->options->input_mail_filters;
}

static void
serve_smtp(struct session *s)
{
	struct verdict verdict;

	if (!session_check(s, "check_relay", s->peer_name, s->peer_address, false, &verdict)) {
		s->refusal = REFUSAL_RULE;
		s->refusal_verdict = verdict;
		s->refusal_verdict.text = arena_strdup(s->arena, verdict.text);
	}
	s->discards_all = s->is_discarded;
	session_read_features(s);
	if (wants_tls_at_once(s) && (s->context->tls == NULL || !session_start_tls(s)))
		return;
	if (s->refusal == REFUSAL_NONE)
		session_open_filters(s, filter_list(s));
	if (session_greet_pause(s) && session_filter_connect(s))
		greet(s);
	serve_commands(s);
	if (!s->issued_something && s->refusal == REFUSAL_NONE)
		log_at(6, LOG_INFO,
		    "%s: %s did not issue MAIL/EXPN/VRFY/ETRN during connection to %s",
		    session_id(s), s->peer, s->daemon_name);
}

int
server_session(const struct server_context *context, const struct server_link *link)
{
	struct session session = {
	    .context = context,
	    .link = link,
	    .config = context->config,
	    .options = &context->config->options,
	    .arena = arena_create(),
	    .scratch = arena_create(),
	    .macros = macro_env_create(context->config->macros),
	    .is_first_command = true,
	    .helo = "",
	    .last_verb = "startup",
	};
	struct session *s = &session;

	s->message_macros = macro_env_create(s->macros);
	session_new_envelope(s);
	s->conn = conn_create(link->input_fd, link->output_fd);
	session_find_peer(s);
	if (link->kind == SERVER_TCP)
		statistics_count_connection_from();
	log_at(10, LOG_INFO, "NOQUEUE: connect from %s", s->peer);
	if (link->kind == SERVER_LOCAL)
		local_serve(s);
	else
		serve_smtp(s);
	if (s->refusal == REFUSAL_RULE && context->turned_away != NULL)
		context->turned_away(context->context);
	conn_set_deadline(s->conn, deadline_in(60));
	conn_flush(s->conn);
	if (s->log_sender)
		session_log_from(s);
	auth_close(s);
	milter_close(s->filters);
	conn_close(s->conn);
	statistics_post(s->options->status_file);
	envelope_destroy(s->envelope);
	macro_env_destroy(s->message_macros);
	macro_env_destroy(s->macros);
	arena_destroy(s->scratch);
	arena_destroy(s->arena);
	/* V8: what failed for now is no failure of the session */
	return s->exit_status == EX_TEMPFAIL ? EX_OK : s->exit_status;
}
