/*
 * The left side of a rule compared step by step in V8's order, each step told: what -d21.35 and
 * -d21.36 show, and the macros that -d21.2 does.  engine_match() finds the same without going there.
 */
#include "rule/engine.h"

#include <stdio.h>

#include "base/trace.h"

struct walk {
	const struct workspace *workspace;
	struct bindings *bindings;
	const struct token *pattern, *end;
	size_t at;
};

static void
show_step(const char *step, const struct walk *walk, const struct token *pattern, size_t at)
{
	printf("%s rp=", step);
	if (pattern < walk->end)
		token_show(pattern);
	else
		printf("<null>");
	printf(", ap=");
	if (at < walk->workspace->count)
		token_show(&walk->workspace->items[at]);
	else
		printf("<null>");
	putchar('\n');
}

/* To the next longer phrase of a class, `end` being the first token that may still come to it. */
static bool
extend(struct walk *walk, struct binding *binding, size_t end)
{
	for (; end < walk->workspace->count; end++) {
		if (engine_is_in_class(
			walk->workspace, binding->pattern->id, binding->first, end + 1)) {
			if (trace_on(21, 36))
				printf("CLMATCH\n");
			binding->end = end + 1;
			return true;
		}
		if (trace_on(21, 36))
			show_step("EXTEND ", walk, binding->pattern, end);
	}
	return false;
}

static bool
take_macro(struct walk *walk)
{
	struct rule_context *context = walk->workspace->context;

	engine_trace_macro(context, "LHS", walk->pattern);
	return engine_take_macro(walk->workspace, walk->pattern, &walk->at);
}

/* The token of the pattern against the word it has come to; false: it cannot stand there. */
static bool
take(struct walk *walk)
{
	const struct token *pattern = walk->pattern;
	struct binding binding = {pattern, walk->at, walk->at + 1};

	if (pattern->op == TOKEN_HOST)
		return true;
	if (pattern->op == TOKEN_ZERO_OR_MORE)
		binding.end = walk->at;
	else if (walk->at >= walk->workspace->count)
		return false;

	switch (pattern->op) {
	case TOKEN_MACRO:
		return take_macro(walk);
	case TOKEN_ZERO_OR_MORE:
	case TOKEN_ONE_OR_MORE:
	case TOKEN_ONE:
		break;
	case TOKEN_NOT_CLASS:
		if (engine_is_in_class(walk->workspace, pattern->id, walk->at, walk->at + 1))
			return false;
		break;
	case TOKEN_CLASS:
		if (!extend(walk, &binding, walk->at))
			return false;
		break;
	default:
		if (!token_equal(pattern, &walk->workspace->items[walk->at]))
			return false;
		walk->at++;
		return true;
	}
	walk->bindings->items[walk->bindings->count++] = binding;
	walk->at = binding.end;
	return true;
}

/* Back to the last wildcard that can take more; false: there is none. */
static bool
back_up(struct walk *walk)
{
	struct bindings *bindings = walk->bindings;

	for (; bindings->count > 0; bindings->count--) {
		struct binding *last = &bindings->items[bindings->count - 1];
		unsigned op = last->pattern->op;
		bool is_longer = false;

		if (trace_on(21, 36))
			show_step("BACKUP ", walk, last->pattern, last->end);
		if (last->end >= walk->workspace->count)
			continue;
		if (op == TOKEN_CLASS)
			is_longer = extend(walk, last, last->end);
		else if (op == TOKEN_ZERO_OR_MORE || op == TOKEN_ONE_OR_MORE)
			is_longer = ++last->end > 0;
		if (is_longer) {
			walk->pattern = last->pattern + 1;
			walk->at = last->end;
			return true;
		}
	}
	return false;
}

bool
engine_match_traced(
    const struct workspace *workspace, const struct rule *rule, struct bindings *bindings)
{
	struct walk walk = {
	    .workspace = workspace,
	    .bindings = bindings,
	    .pattern = rule->left.items,
	    .end = rule->left.items + rule->left.count,
	};

	bindings->count = 0;
	while (walk.pattern < walk.end || walk.at < workspace->count) {
		if (trace_on(21, 35))
			show_step("ADVANCE", &walk, walk.pattern, walk.at);
		if (walk.pattern < walk.end && take(&walk))
			walk.pattern++;
		else if (!back_up(&walk))
			return false;
	}
	return true;
}
