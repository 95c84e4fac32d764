/*
 * resolve: from an address to {mailer, host, user}, and addresses rewritten for a mailer, as V8
 * does them with rulesets 3, 0, 1, 2, 4, 5 and the mailer's S= and R= (Operations Guide 5.1, 5.4).
 */
#ifndef ROUTE_RESOLVE_H
#define ROUTE_RESOLVE_H

#include <stdbool.h>

#include "conf/mailer.h"
#include "mail/verdict.h"
#include "rule/rule.h"

enum resolve_what {
	RESOLVE_SENDER = 1 << 0,    /* else a recipient */
	RESOLVE_HEADER = 1 << 1,    /* else the envelope */
};

struct resolved {
	const struct mailer *mailer; /* NULL: unresolvable, see error */
	const char *host;	     /* "" when none; may be a list "a:b" and carry brackets */
	const char *user;	     /* after the mailer's R= (or S=) and 4: what is given to it */
	const char *canonical;	     /* the address after set 3 and 0, as V8 prints it */
	struct verdict error;	     /* when mailer is NULL: "553 5.1.3 x... Hostname required", "550 5.1.1 ... User unknown", ... */
};

/* In the rule context's arena.  True when it resolved to a mailer that delivers (not error, discard is one). */
bool resolve_address(struct rule_context *, const char *address, unsigned what, struct resolved *);

/*
 * An address as this mailer is to see it (V8: remotename): comments and phrases of header addresses
 * stay around the rewritten part.  `address` itself when rewriting fails.
 */
const char *resolve_rewrite(
    struct rule_context *, const char *address, const struct mailer *, unsigned what, int *exit_status);

/*
 * Splits a list at its commas, minding quotes, comments and angle brackets; calls back with each
 * address, trimmed.  Errors ("Unbalanced '<'") are found later, when one is resolved.
 */
void resolve_split_list(const char *list, struct arena *, void (*each)(void *context, const char *address), void *context);

#endif
