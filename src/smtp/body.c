#include "smtp/body.h"

#include <string.h>

enum state {
	LINE_START, /* after CR LF */
	AFTER_LF,   /* after a LF that was allowed: a dot here is text, or smuggling were easy */
	TEXT,
	TEXT_CR, /* a CR was seen in a line */
	DOT,	 /* a dot at the start of a line */
	DOT_CR,	 /* and a CR after it */
};

static void
hand_on(struct smtp_body *body, const char *bytes, size_t length, bool is_end)
{
	body->piece(body->context, bytes, length, is_end);
}

/* A run of bytes that are neither CR nor LF. */
static size_t
plain_run(const char *bytes, size_t length)
{
	const char *lf = memchr(bytes, '\n', length), *cr;

	if (lf != NULL)
		length = (size_t)(lf - bytes);
	cr = memchr(bytes, '\r', length);
	return cr != NULL ? (size_t)(cr - bytes) : length;
}

/* A CR that no LF followed: the byte after it is looked at again. */
static bool
settle_cr(struct smtp_body *body)
{
	if (body->bare_cr == SMTP_BARE_REFUSE)
		return false;
	hand_on(body, body->bare_cr == SMTP_BARE_SPACE ? " " : "\r", 1, false);
	body->state = TEXT;
	return true;
}

enum outcome { GO_ON, ENDED, REFUSED };

/* A LF in the state given, without a CR before it. */
static enum outcome
take_bare_lf(struct smtp_body *body)
{
	if (body->state == DOT && body->lax_end)
		return ENDED;
	if (body->bare_lf == SMTP_BARE_REFUSE)
		return REFUSED;
	if (body->bare_lf == SMTP_BARE_SPACE) {
		hand_on(body, " ", 1, false);
		body->state = TEXT;
	} else {
		/* a lone dot here is text: only CR LF around it makes it an end */
		hand_on(body, ".", body->state == DOT, true);
		body->state = body->lax_end ? LINE_START : AFTER_LF;
	}
	return GO_ON;
}

enum smtp_body_event
smtp_body_feed(struct smtp_body *body, const char *bytes, size_t length, size_t *taken)
{
	size_t at = 0;

	for (; at < length; at++) {
		char c = bytes[at];

		if (body->state == TEXT_CR || body->state == DOT_CR) {
			if (c == '\n' && body->state == DOT_CR) {
				*taken = at + 1;
				return SMTP_BODY_END;
			}
			if (c == '\n') {
				hand_on(body, "", 0, true);
				body->state = LINE_START;
				continue;
			}
			if (!settle_cr(body)) {
				*taken = at;
				return SMTP_BODY_BARE_CR;
			}
		}
		if (c == '\n') {
			enum outcome outcome = take_bare_lf(body);

			*taken = at + 1;
			if (outcome == ENDED)
				return SMTP_BODY_END;
			if (outcome == REFUSED)
				return SMTP_BODY_BARE_LF;
		} else if (c == '\r') {
			body->state = body->state == DOT ? DOT_CR : TEXT_CR;
		} else if (c == '.' && body->state == LINE_START) {
			body->state = DOT;
		} else {
			size_t run = plain_run(bytes + at, length - at);

			hand_on(body, bytes + at, run, false);
			body->state = TEXT;
			at += run - 1;
		}
	}
	*taken = at;
	return SMTP_BODY_MORE;
}
