/*
 * rule_code: a compiled rule: what conf/ruleset.c makes of an R line and rule/ runs.
 */
#ifndef CONF_RULE_CODE_H
#define CONF_RULE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/token.h"

enum { RULE_WILDCARDS = 9 };

struct rule {
	struct rule *next;
	struct tokens left, right;
	int line_number;
	/*
	 * Two quick refusals.  An address with fewer tokens than `minimum` cannot match, nor one that
	 * lacks a word of the left side: `words` has a bit of rule_bit() for each of them.
	 */
	size_t minimum;
	uint64_t words;
	bool has_maps, has_calls; /* $( or $[; $> on the right side */
};

static inline uint64_t
rule_bit(const struct token *token)
{
	return (uint64_t)1 << ((token->hash ^ token->hash >> 16) & 63);
}

#endif
