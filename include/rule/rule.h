/*
 * rule: runs rulesets (Operations Guide 5.1): tokenise, match, rewrite, call maps and other sets.
 * It reaches the world only through conf (macros, classes, rules) and map.
 */
#ifndef RULE_RULE_H
#define RULE_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/check.h"
#include "conf/config.h"
#include "mail/token.h"
#include "mail/verdict.h"
#include "map/map.h"

enum { RULE_NOTICE = -1 };

/* Where rules run: a configuration, the macros of the session or envelope, what is traced. */
struct rule_context {
	struct config *config;
	struct macro_env *macros; /* read by $&x, written by the macro map */
	struct arena *arena;	  /* results and what leads to them live here: reset it between addresses */
	bool test_mode;		  /* -bt: prints "NAME   input: ..." traces to standard output */
	bool is_deferred;	  /* delivery mode d: maps with -D are not asked */
	int depth;		  /* of nested calls; starts at 0 */
	/* "@host.example": what header addresses without a domain get, where the sender's mailer has flag C; NULL: nothing */
	const char *sender_domain;
	/*
	 * Messages about the rules themselves ("Infinite loop in ruleset ...") and about an address
	 * ("a"b... Unbalanced '"'") with the exit status they amount to
	 * (EX_OK: none); NULL: they are logged, and dropped.
	 */
	void (*report)(void *context, const char *message, int exit_status);
	void *report_context;
	/* for maps that read aliases (map/map.h), called with this rule_context; NULL is allowed */
	enum map_alias_name (*check_alias_name)(void *rule_context, const char *name);
};

/* What look-ups of maps get from here: the members above, the service switch, HostsFile, $m, ... */
struct map_hooks rule_map_hooks(struct rule_context *);

/* Prints as report says, or logs. */
void rule_report(struct rule_context *, int exit_status, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * An address (or any text) as tokens, for rule_run.  delimiter as in mail/token.h, *end may be NULL.
 * False when there is none; faults ("Unbalanced '<'") were reported, and mended.
 */
bool rule_scan(struct rule_context *, const char *text, int delimiter, bool keeps_comments,
    struct tokens *, const char **end);

/* A long text as messages show it: its start and end. */
const char *rule_shorten(struct rule_context *, const char *text);

/* Tokens as text, BlankSub between words. */
const char *rule_text(struct rule_context *, const struct token *, size_t count);

/*
 * Runs one set on tokens (of rule_scan), in place.  EX_OK, EX_TEMPFAIL (a map failed
 * for now), EX_CONFIG (no such set or map, calls too deep), EX_DATAERR.
 */
int rule_run(struct rule_context *, int ruleset, struct tokens *);

/* What a set that may answer $#mailer $@ host $: user said. */
struct rule_triple {
	bool is_triple;
	bool has_host, has_user; /* `$@` and `$:` were there */
	const char *mailer;	 /* NULL when it is none */
	const char *host;	 /* "" when none; the `$@` part joined as V8 does */
	const char *user;	 /* "" when none */
	struct tokens user_tokens; /* of `user`, within the tokens given */
};
void rule_triple(struct rule_context *, const struct tokens *, struct rule_triple *);

/*
 * The verdict of `$#error $@ host $: text`: host is a DSN, a word such as nouser, an exit status or ""
 * (host_given tells); the text may begin with a reply code and a DSN.
 */
struct verdict rule_error(struct rule_context *, const struct rule_triple *);

/*
 * Runs a check_* style hook on `text1` or `text1 $| text2` (text2 NULL: one argument).
 * A set that is not there accepts.
 */
enum rule_answer {
	RULE_ACCEPT,	 /* nothing to say, or $#OK etc. */
	RULE_REJECT,	 /* $#error: verdict says why (4xx or 5xx) */
	RULE_DISCARD,	 /* $#discard */
	RULE_QUARANTINE, /* $#error $@ quarantine $: reason: verdict.text is the reason */
	RULE_OTHER,	 /* another $# mailer: features and authinfo; see result */
};
struct rule_result {
	enum rule_answer answer;
	struct verdict verdict;
	int status;	      /* EX_ of the run; EX_TEMPFAIL: a map failed for now, the answer may be wrong */
	struct tokens tokens; /* the raw result */
	const char *text;     /* the result as text, blanks between tokens as V8 joins them; for "$#" answers what follows it */
};
void rule_check(struct rule_context *, const char *ruleset, const char *text1, const char *text2,
    struct rule_result *);

#endif
