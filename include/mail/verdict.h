/*
 * verdict: the one shape of every outcome.  The server's reply, the queue's M line, the state of a
 * recipient, the log's stat= and dsn= and a report are all printed from it, so they agree.
 *
 * code is an SMTP reply code (RFC 5321 4.2): 2xx done, 4xx try again, 5xx final, 0 nothing yet.
 */
#ifndef MAIL_VERDICT_H
#define MAIL_VERDICT_H

#include <stdbool.h>

#include "base/arena.h"

enum { VERDICT_DSN_SIZE = 12 };

struct verdict {
	int code;
	int exit_status; /* sysexits code of the same meaning: EX_OK, EX_NOUSER, EX_TEMPFAIL ... */
	char dsn[VERDICT_DSN_SIZE]; /* RFC 3463, "5.1.1"; "" when there is none */
	const char *
	    text; /* one line without control characters; lives in the arena given, or is a literal */
};

/* Makes one; the text is cleaned (control characters become '?', line breaks a blank). */
struct verdict verdict_make(struct arena *, int code, const char *dsn, int exit_status,
    const char *format, ...) PRINTF_LIKE(5, 6);

bool verdict_is_success(const struct verdict *);
bool verdict_is_temporary(const struct verdict *);
bool verdict_is_permanent(const struct verdict *);

/* sysexits from a DSN or from a reply code, as V8 maps them (Operations Guide 5.1.5, RFC 3463). */
int verdict_exit_from_dsn(const char *dsn);
int verdict_exit_from_code(int code);

/* The DSN that goes with an exit status when nothing better is known: EX_NOUSER "5.1.1", ... */
const char *verdict_dsn_from_exit(int exit_status);

/* V8's words for an exit status: "User unknown", "Host unknown", "Service unavailable", ... */
const char *verdict_text_from_exit(int exit_status);

/* Is it one of sysexits.h? */
bool verdict_knows_exit(int exit_status);

/* The reply code that goes with an exit status: 550, 554, 450 ... */
int verdict_code_from_exit(int exit_status);

/* V8: lines with such a code name the recipients: "550 5.1.1 a@x,b@x... User unknown". */
bool verdict_code_names_recipients(int code);

/* Cuts "D.S.N " off the front of a text; true and dsn filled when there was one. */
bool verdict_parse_dsn(const char **text, char dsn[VERDICT_DSN_SIZE]);

#endif
