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

enum { LOCALADDR_ROUNDS = 10 }; /* so often resolve_local is asked about what it answered */

enum resolve_what {
	RESOLVE_SENDER = 1 << 0,    /* else a recipient */
	RESOLVE_HEADER = 1 << 1,    /* else the envelope */
	RESOLVE_CANONICAL = 1 << 2, /* no phrase and comments are there to keep; routes get their <> */
};

struct resolved {
	const struct mailer *mailer; /* NULL: unresolvable, see error */
	const char *host;	     /* "" when none; may be a list "a:b" and carry brackets */
	const char *user;	     /* after the mailer's R= (or S=) and 4: what is given to it */
	const char *canonical;	     /* the address after set 3 and 0, as V8 prints it */
	struct verdict error;	     /* when mailer is NULL: "553 5.1.3 x... Hostname required", "550 5.1.1 ... User unknown", ... */
	bool is_parsed;		     /* false: not even tokens ("Cannot parse") */
	bool is_error_mailer;	     /* the sets chose `error`; host and user are as they stood there */
	bool is_deferred;	     /* a map failed for now: the answer may be wrong, try again later */
	const char *queue_group;     /* what the hook of that name answered; NULL: nothing */
};

/*
 * What no address may have (V8: invalidaddr): more than 255 bytes, bytes 128 to 159 (NULL, after a
 * report).
 */
const char *resolve_clean(struct rule_context *, const char *address, bool is_recipient);

/* May this be the left side of an alias?  For rule_context.check_alias_name. */
enum map_alias_name resolve_alias_name(void *rule_context, const char *name);

/* In the rule context's arena.  True when it resolved to a mailer that delivers (not error, discard is one). */
bool resolve_address(struct rule_context *, const char *address, unsigned what, struct resolved *);

/*
 * An address as this mailer is to see it (V8: remotename): comments and phrases of header addresses
 * stay around the rewritten part.  `address` itself when rewriting fails.
 */
const char *resolve_rewrite(
    struct rule_context *, const char *address, const struct mailer *, unsigned what, int *exit_status);

/* Shows a frame on standard output, with `$g` for the address. */
void resolve_show_frame(const struct token_frame *);

/* What stands around an address in this configuration, see token_frame. */
void resolve_frame(struct rule_context *, const char *address, struct token_frame *);

/*
 * Ruleset 5 (localaddr) on the user of a local recipient that no alias knows, for mailers with flag
 * 5.  True when it gave another address, now in the result.
 */
bool resolve_local(struct rule_context *, const struct resolved *local, struct resolved *);

/* A user without quotes and backslashes, as mailers with flag s get it. */
const char *resolve_strip_quotes(struct arena *, const char *user);

/*
 * Splits a list at its commas, minding quotes, comments and angle brackets; calls back with each
 * address, trimmed.  Errors ("Unbalanced '<'") are found later, when one is resolved.
 */
void resolve_split_list(const char *list, struct arena *, void (*each)(void *context, const char *address), void *context);

#endif
