/*
 * rule: runs rulesets (Operations Guide 5.1): tokenise, match, rewrite, call maps and other sets.
 * It reaches the world only through conf (macros, classes, rules) and map.
 */
#ifndef RULE_RULE_H
#define RULE_RULE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "conf/config.h"
#include "mail/verdict.h"

/* Where rules run: a configuration, the macros of the session or envelope, what is traced. */
struct rule_context {
	struct config *config;
	struct macro_env *macros; /* read by $&x, written by the macro map */
	struct arena *arena;	  /* results live here */
	bool test_mode;		  /* -bt: prints "NAME   input: ..." traces to standard output */
	bool is_deferred;	  /* delivery mode d */
	int depth;		  /* of nested calls; starts at 0 */
	/* a temporary failure of a map, for the log: last message or NULL */
	const char *map_message;
};

/* An address as tokens; the operators of results ($#, $@, $:, $|) are single-byte tokens of mail/token.h. */
struct tokens {
	const char **words;
	size_t count, capacity;
};

/* Runs one set on tokens, in place.  EX_OK, EX_TEMPFAIL (a map failed for now), EX_CONFIG (loop, depth, missing). */
int rule_run(struct rule_context *, int ruleset, struct tokens *);

/* What a set that may answer $#mailer $@host $:user said. */
struct rule_triple {
	bool is_triple;
	const char *mailer; /* NULL when it is none */
	const char *host;   /* "" when none; the `$@` part joined as V8 does */
	const char *user;   /* "" when none */
};
void rule_triple(struct rule_context *, const struct tokens *, struct rule_triple *);

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
	int status;	       /* EX_ of the run */
	struct tokens tokens;  /* the raw result */
	const char *text;      /* the result as text, blanks between tokens as V8 joins them; for "$#" answers what follows it */
};
void rule_check(struct rule_context *, const char *ruleset, const char *text1, const char *text2, struct rule_result *);

#endif
