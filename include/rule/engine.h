/*
 * engine: the parts of rule/ among themselves.
 */
#ifndef RULE_ENGINE_H
#define RULE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/rule_code.h"
#include "rule/rule.h"

/*
 * What a set works on: the tail of a caller's workspace from where `$>` stood, so that nothing is
 * copied for a call.
 */
struct workspace {
	struct rule_context *context;
	struct token *items;
	size_t count, capacity;
	uint64_t words; /* rule_bit() of all of them; engine_index() after a change */
};
void engine_index(struct workspace *);

/* What one wildcard of the left side took: items first to end - 1. */
struct binding {
	const struct token *pattern;
	size_t first, end;
};
struct bindings {
	struct binding items[RULE_WILDCARDS];
	size_t count;
};

/* True when the left side matches; V8's choice: from the left, each wildcard as short as possible. */
bool engine_match(const struct workspace *, const struct rule *, struct bindings *);

/* The same step by step, each told as -d21 does. */
bool engine_match_traced(const struct workspace *, const struct rule *, struct bindings *);

/* The phrase of the tokens first to end - 1 is in the class. */
bool engine_is_in_class(const struct workspace *, int id, size_t first, size_t end);

/* Takes the value of `$&x` from *at on, token by token; none matches nothing. */
bool engine_take_macro(const struct workspace *, const struct token *pattern, size_t *at);

/*
 * Puts the right side, from token `start` on, in place of the workspace: $1, $&x, maps.  `$>` stays
 * for the caller.  EX_OK, EX_TEMPFAIL (done, but a map failed for now); all else ends the set.
 */
int engine_rewrite(struct workspace *, const struct rule *, size_t start, const struct bindings *,
    const char *set_name);

/*
 * Replaces the look-ups `$( map key $@ argument $: default $)` and `$[ host $]` among `count` tokens;
 * the result goes to out.  Statuses as above.
 */
int engine_lookups(struct rule_context *, struct token *items, size_t count, struct tokens *out);

/* A value of a map or macro as tokens in the arena; false when there is none. */
bool engine_scan_value(struct rule_context *, const char *value, struct tokens *);

void engine_trace_macro(struct rule_context *, const char *side, const struct token *); /* -d21.2 */

/* The value of a macro as `$&x` sees it: NULL when there is none. */
const char *engine_macro_value(struct rule_context *, int id);

#endif
