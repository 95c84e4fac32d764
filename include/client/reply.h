/*
 * reply: what a peer answers (RFC 5321 4.2, RFC 2034), read by one who trusts nothing.
 */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "mail/verdict.h"

enum {
	REPLY_LINE_MAXIMUM = 2048,	 /* RFC 5321 says 512; some say more */
	REPLY_CHALLENGE_MAXIMUM = 12288, /* RFC 4954 4: lines of an AUTH dialogue */
	REPLY_LINES_MAXIMUM = 200,
};

struct reply {
	int code; /* 0: not answered (yet) */
	char dsn
	    [VERDICT_DSN_SIZE]; /* enhanced code of the first line, when its class fits the code; else "" */
	const char *first; /* the first line without control characters: "550-5.1.1 no such" */
	const char *text;  /* of the first line, after the code: "5.1.1 no such" */
	const char *
	    lines; /* of a refusal: all its lines, each ended by \n, without control characters; NULL */
};

/* One line: "250-text", "250 text", "250". */
struct reply_line {
	int code; /* 200 to 599 */
	bool is_last;
	const char *text; /* points into the line */
	size_t length;
};

/* False when it is no reply line at all. */
bool reply_parse_line(const char *line, size_t length, struct reply_line *);

/* A copy without control characters ('?' in their place; tabs are blanks), NUL-terminated. */
const char *reply_clean(struct arena *, const char *bytes, size_t length);

/* Starts a reply with its first line, already parsed. */
void reply_set(
    struct reply *, struct arena *, const char *line, size_t length, const struct reply_line *);

/* Adds a line to those of a refusal. */
void reply_add_line(struct reply *, struct arena *, const char *line, size_t length);

/* The text without its enhanced code. */
const char *reply_text_alone(const struct reply *);

bool reply_is(const struct reply *, int class); /* class 2, 3, 4, 5: first digit of the code */

#endif
