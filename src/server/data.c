/* DATA: reads a message into its df (RFC 5321 4.1.1.4, 4.5.2). */
#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "server/session.h"
#include "smtp/body.h"
#include "submit/head.h"

enum {
	WRITE_SIZE = 64 * 1024,
	/* without MaxHeadersLength: header lines beyond it are not kept in memory */
	HEADER_MAXIMUM = 4 * 1024 * 1024,
};

struct collector {
	struct session *s;
	struct head_reader head;
	bool in_header, header_over_limit;
	struct str line;   /* of the header, until it is whole */
	struct str buffer; /* of the body, until it is written */
	int body_fd;
	int disk_error;
	long long size; /* V8's count: line ends are one byte */
	size_t header_bytes;
	bool is_too_large;
	bool strips_8bit; /* SevenBitInput, or BODY=7BIT */
	bool has_8bit;
	bool has_nul; /* anywhere */
};

static void
write_out(struct collector *c)
{
	if (c->disk_error == 0 && !io_write(c->body_fd, c->buffer.data, c->buffer.length))
		c->disk_error = errno;
	str_clear(&c->buffer);
}

static void
add_body(struct collector *c, const char *bytes, size_t length, bool is_end)
{
	size_t i;

	if (c->is_too_large || c->disk_error != 0)
		return;
	for (i = 0; !c->has_8bit && !c->strips_8bit && i < length; i++)
		c->has_8bit = (unsigned char)bytes[i] > 127;
	if (c->strips_8bit) {
		size_t start = c->buffer.length;

		str_add(&c->buffer, bytes, length);
		for (i = start; i < c->buffer.length; i++)
			c->buffer.data[i] &= 0x7f;
	} else {
		str_add(&c->buffer, bytes, length);
	}
	if (is_end)
		str_add_char(&c->buffer, '\n');
	if (c->buffer.length >= WRITE_SIZE)
		write_out(c);
}

static void
end_header(struct collector *c)
{
	c->in_header = false;
	c->header_bytes = (size_t)c->size;
	head_end(&c->head);
}

static void
add_header_line(struct collector *c)
{
	enum head_state state = head_line(&c->head, str_text(&c->line), c->line.length);

	if (state == HEAD_END || state == HEAD_BODY)
		end_header(c);
	if (state == HEAD_BODY)
		add_body(c, str_text(&c->line), c->line.length, true);
	str_clear(&c->line);
}

/* From the reader of the body: a piece of a line. */
static void
take_piece(void *context, const char *bytes, size_t length, bool is_end)
{
	struct collector *c = context;
	long maximum = c->s->options->max_message_size;

	c->size += (long long)length + is_end;
	if (maximum > 0 && c->size > maximum)
		c->is_too_large = true;
	c->has_nul |= length > 0 && memchr(bytes, '\0', length) != NULL;
	if (!c->in_header) {
		add_body(c, bytes, length, is_end);
		return;
	}
	if (c->line.length + length > HEADER_MAXIMUM) {
		c->header_over_limit = true;
		length = 0;
	}
	str_add(&c->line, bytes, length);
	if (c->strips_8bit)
		for (size_t i = c->line.length - length; i < c->line.length; i++)
			c->line.data[i] &= 0x7f;
	if (is_end)
		add_header_line(c);
}

static void
log_collect(struct collector *c, const char *info, const char *more)
{
	log_at(4, LOG_NOTICE, "%s: collect: relay=%s, from=%s, info=%s%s", session_id(c->s),
	    c->s->peer_name, c->s->envelope->sender, info, more);
}

/* The message broke off: what there is of it goes, with the connection. */
static void
give_up(struct collector *c, const char *info, bool is_premature)
{
	struct session *s = c->s;

	if (is_premature) {
		if (conn_state(s->conn) == CONN_TIMED_OUT) {
			session_set_exit(s, EX_SOFTWARE);
			log_at(1, LOG_CRIT, "%s: SYSERR(root): collect: relay=%s, from=%s, info=%s",
			    session_id(s), s->peer_name, s->envelope->sender, info);
		} else {
			log_at(
			    2, LOG_WARNING, "%s: collect: premature EOM: %s", session_id(s), info);
			log_collect(c, info, "");
		}
		session_last_word(s, "4.4.1", "collect: relay=%s, from=%s, info=%s", s->peer_name,
		    s->envelope->sender, info);
	} else {
		log_collect(c, info,
		    c->in_header ? ", where=header, status=tempfail"
				 : ", where=body, status=tempfail");
		session_end(s, "4.5.0", "%s", info);
	}
	s->envelope->message_size = c->size;
}

/* Reads up to the final dot; false when the session is over. */
static bool
read_message(struct collector *c)
{
	struct session *s = c->s;
	struct smtp_body body = {
	    .bare_lf = (enum smtp_bare)s->features.bare_lf,
	    .bare_cr = (enum smtp_bare)s->features.bare_cr,
	    .lax_end = s->features.lax_end,
	    .piece = take_piece,
	    .context = c,
	};
	const char *bytes;
	size_t there, taken;

	conn_set_progress_timeout(s->conn, s->options->timeouts.data_block);
	while ((there = conn_peek(s->conn, &bytes)) > 0) {
		enum smtp_body_event event = smtp_body_feed(&body, bytes, there, &taken);

		conn_take(s->conn, taken);
		if (event == SMTP_BODY_MORE)
			continue;
		conn_set_progress_timeout(s->conn, 0);
		if (event == SMTP_BODY_END)
			return true;
		give_up(c,
		    event == SMTP_BODY_BARE_LF ? "Bare linefeed (LF) not allowed"
					       : "Bare carriage return (CR) not allowed",
		    false);
		return false;
	}
	conn_set_progress_timeout(s->conn, 0);
	give_up(c,
	    conn_state(s->conn) == CONN_TIMED_OUT	 ? "read timeout"
	    : conn_state(s->conn) == CONN_CLOSED_BY_PEER ? "unexpected close"
							 : conn_reason(s->conn),
	    true);
	return false;
}

static void
collect(struct session *s, int body_fd)
{
	struct collector c = {
	    .s = s,
	    .in_header = true,
	    .body_fd = body_fd,
	    .strips_8bit = s->options->seven_bit_input ||
			   (s->body_type != NULL && text_equal_nocase(s->body_type, "7BIT")),
	};
	struct accepted accepted;
	bool is_whole;

	head_begin(&c.head, s->envelope, s->options->max_headers_length);
	is_whole = read_message(&c);
	if (c.in_header) {
		if (is_whole && c.line.length > 0)
			add_header_line(&c);
		if (c.in_header)
			end_header(&c);
	}
	write_out(&c);
	s->envelope->message_size = c.size;
	if (c.has_8bit)
		s->envelope->flags |= ENVELOPE_8BIT;
	accepted = (struct accepted){
	    .body_fd = body_fd,
	    .header_bytes = c.header_bytes,
	    .is_too_large = c.is_too_large,
	    .has_nul = c.has_nul,
	    .headers_too_large = c.head.is_too_large || c.header_over_limit,
	    .disk_error = c.disk_error,
	};
	if (is_whole) {
		accept_message(s, &accepted);
	} else {
		close(body_fd);
		queue_discard(s->context->queue, s->envelope->id);
	}
	str_free(&c.line);
	str_free(&c.buffer);
}

static bool
may_start(struct session *s)
{
	struct verdict verdict;

	if (!s->has_mail) {
		session_reply(s, 503, "5.0.0", "Need MAIL command");
		return false;
	}
	if (s->recipient_count == 0) {
		session_reply(s, 503, "5.0.0", "Need RCPT (recipient)");
		return false;
	}
	if (!session_check(s, "check_data", arena_printf(s->scratch, "%d", s->recipient_count),
		NULL, true, &verdict)) {
		session_reply_verdict(s, &verdict);
		return false;
	}
	if (!s->features.early_talk_allowed && conn_has_input(s->conn)) {
		log_at(6, LOG_INFO,
		    "%s: rejecting server DATA from %s [%s] due to traffic before response",
		    session_id(s), s->peer_name, s->peer_address);
		session_reply(s, 554, "5.5.0", "SMTP protocol error");
		s->is_over = true;
		return false;
	}
	if (!s->is_discarded && !session_filter_data(s, &verdict)) {
		session_reply_verdict(s, &verdict);
		return false;
	}
	return true;
}

void
command_data(struct session *s, char *argument)
{
	int body_fd;

	(void)argument;
	if (!may_start(s))
		return;
	body_fd = queue_body_create(s->context->queue, session_id(s));
	if (body_fd < 0) {
		int error = errno;

		log_at(1, LOG_ALERT, "%s: SYSERR: collect: cannot create ./df%s: %s", session_id(s),
		    session_id(s), strerror(error));
		if (error == ENOSPC || error == EDQUOT)
			session_reply(s, 452, "4.3.1", "Out of disk space for temp file");
		else
			session_reply(s, 451, "4.3.0", "Local error: cannot create queue file");
		return;
	}
	session_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	collect(s, body_fd);
	if (!s->is_over)
		session_new_envelope(s);
}
