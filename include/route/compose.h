/*
 * compose: a message as one mailer is to see it: envelope sender and header.
 */
#ifndef ROUTE_COMPOSE_H
#define ROUTE_COMPOSE_H

#include <stddef.h>

#include "conf/mailer.h"
#include "mail/envelope.h"
#include "rule/rule.h"

struct composed {
	const char
	    *sender; /* rewritten (S=), without brackets: $g and MAIL FROM; "" is the null sender */
	const char *header; /* all of it, lines ended by \n, without the blank line */
	size_t header_length;
};

/*
 * Fields that the mailer has no flag for stay out (H?x?), Bcc: goes where the envelope says so,
 * addresses are rewritten by the mailer's S= and R= and their lists folded as V8 does.  All in the
 * rule context's arena; its macros must be those of the envelope ($g is set here).
 */
void compose_message(
    struct rule_context *, const struct envelope *, const struct mailer *, struct composed *);

/*
 * As it was handed in, for who gets it back: no address is rewritten, no mailer's flags count;
 * `sender` is what $g was.
 */
void compose_original(struct rule_context *, const struct envelope *, struct composed *);

/* The bytes that V8 counts as a queued message's size: header as queued, and body (for SIZE=). */
off_t compose_message_size(const struct envelope *);

/* As it was when it came in: what submission added is not counted (SIZE= of the first attempt). */
off_t compose_size_as_read(const struct envelope *);

#endif
