/*
 * body: the bytes after DATA (RFC 5321 4.5.2): CR LF . CR LF ends them, one leading dot of each line is
 * taken off, lines are handed on with LF.  A CR or LF outside of CR LF is refused, or taken as the
 * policy says.  Nothing but CR LF . CR LF ends a message, unless the policy allows it.  Pure.
 */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

enum smtp_bare {
	SMTP_BARE_REFUSE,  /* 421 */
	SMTP_BARE_SPACE,   /* becomes a blank */
	SMTP_BARE_ALLOWED, /* LF ends a line, CR is a byte like others */
};

enum smtp_body_event {
	SMTP_BODY_MORE,	   /* all input was taken */
	SMTP_BODY_END,	   /* the final dot was seen; what follows it was not taken */
	SMTP_BODY_BARE_LF, /* refused */
	SMTP_BODY_BARE_CR,
};

struct smtp_body {
	enum smtp_bare bare_lf, bare_cr;
	bool lax_end; /* LF . LF and the like end a message too (srv_features O) */
	/* Each piece of a line without its line end; `is_end`: the line is complete. */
	void (*piece)(void *context, const char *bytes, size_t length, bool is_end);
	void *context;
	/* the reader's own */
	int state;
};

/* Takes from `bytes`; *taken is how many.  Start with a zeroed struct and the first fields set. */
enum smtp_body_event smtp_body_feed(
    struct smtp_body *, const char *bytes, size_t length, size_t *taken);

#endif
