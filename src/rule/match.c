#include "rule/engine.h"

#include <string.h>

#include "base/text.h"

bool
engine_is_in_class(const struct workspace *workspace, int id, size_t first, size_t end)
{
	const struct config *config = workspace->context->config;
	char phrase[TOKEN_TEXT_MAXIMUM];
	size_t length = 0, longest = class_longest(config->classes, id);
	const struct token *token = &workspace->items[first];

	if (end == first + 1)
		return token->length <= longest &&
		       class_has(config->classes, id, token->text, token->length);
	for (size_t i = first; i < end; i++, token++) {
		if (length + token->length + 1 > sizeof phrase)
			return false;
		if (i > first && token[-1].is_atom && token->is_atom)
			phrase[length++] = config->options.blank_sub;
		memcpy(phrase + length, token->text, token->length);
		length += token->length;
		if (length > longest)
			return false;
	}
	return class_has(config->classes, id, phrase, length);
}

/* Extends a `$=x` to the next longer phrase of the class, from nothing at first. */
static bool
extend_class(const struct workspace *workspace, struct binding *binding)
{
	const struct config *config = workspace->context->config;
	size_t longest = class_longest(config->classes, binding->pattern->id), length = 0;

	for (size_t i = binding->first; i < binding->end; i++)
		length += workspace->items[i].length;
	while (binding->end < workspace->count) {
		length += workspace->items[binding->end].length;
		if (length > longest)
			return false;
		binding->end++;
		if (engine_is_in_class(
			workspace, binding->pattern->id, binding->first, binding->end))
			return true;
	}
	return false;
}

bool
engine_take_macro(const struct workspace *workspace, const struct token *pattern, size_t *at)
{
	const char *value = engine_macro_value(workspace->context, pattern->id);
	struct tokens tokens;

	if (value == NULL || *value == '\0' ||
	    !engine_scan_value(workspace->context, value, &tokens))
		return true;
	for (size_t i = 0; i < tokens.count; i++, (*at)++) {
		if (*at >= workspace->count ||
		    !token_equal(&tokens.items[i], &workspace->items[*at]))
			return false;
	}
	return true;
}

/* The first choice for one token of the pattern at *at; false: it cannot match there. */
static bool
take(const struct workspace *workspace, const struct token *pattern, struct bindings *bindings,
    size_t *at)
{
	struct binding *binding = &bindings->items[bindings->count];

	switch (pattern->op) {
	case TOKEN_HOST: /* $@: nothing */
		return true;
	case TOKEN_MACRO:
		/* V8: behind the last word nothing fits, not even a macro without a value */
		return *at < workspace->count && engine_take_macro(workspace, pattern, at);
	case TOKEN_ZERO_OR_MORE:
		*binding = (struct binding){pattern, *at, *at};
		break;
	case TOKEN_ONE_OR_MORE:
	case TOKEN_ONE:
		if (*at >= workspace->count)
			return false;
		*binding = (struct binding){pattern, *at, *at + 1};
		break;
	case TOKEN_NOT_CLASS:
		if (*at >= workspace->count ||
		    engine_is_in_class(workspace, pattern->id, *at, *at + 1))
			return false;
		*binding = (struct binding){pattern, *at, *at + 1};
		break;
	case TOKEN_CLASS:
		*binding = (struct binding){pattern, *at, *at};
		if (!extend_class(workspace, binding))
			return false;
		break;
	default:
		if (*at >= workspace->count || !token_equal(pattern, &workspace->items[*at]))
			return false;
		(*at)++;
		return true;
	}
	*at = binding->end;
	bindings->count++;
	return true;
}

/* Goes back to the last wildcard that can take more; false: there is none. */
static bool
back_up(const struct workspace *workspace, struct bindings *bindings)
{
	for (; bindings->count > 0; bindings->count--) {
		struct binding *last = &bindings->items[bindings->count - 1];

		switch (last->pattern->op) {
		case TOKEN_ZERO_OR_MORE:
		case TOKEN_ONE_OR_MORE:
			if (last->end < workspace->count) {
				last->end++;
				return true;
			}
			break;
		case TOKEN_CLASS:
			if (extend_class(workspace, last))
				return true;
			break;
		default:
			break;
		}
	}
	return false;
}

/*
 * After a `$*` or `$+`, when a word follows: on to where that word stands.  False when it stands
 * nowhere: since wildcards before this one could only push it further, nothing will match then.
 */
static bool
skip_to_word(const struct workspace *workspace, struct binding *last, size_t *at)
{
	const struct token *word = last->pattern + 1;

	for (; *at < workspace->count; ++*at) {
		if (token_equal(word, &workspace->items[*at])) {
			last->end = *at;
			return true;
		}
	}
	return false;
}

void
engine_index(struct workspace *workspace)
{
	workspace->words = 0;
	for (size_t i = 0; i < workspace->count; i++)
		workspace->words |= rule_bit(&workspace->items[i]);
}

bool
engine_match(const struct workspace *workspace, const struct rule *rule, struct bindings *bindings)
{
	const struct token *pattern = rule->left.items, *end = pattern + rule->left.count;
	size_t at = 0;

	bindings->count = 0;
	if (workspace->count < rule->minimum || (rule->words & ~workspace->words) != 0)
		return false;
	for (;;) {
		bool is_taken = pattern < end ? take(workspace, pattern, bindings, &at)
					      : at >= workspace->count;

		if (is_taken && pattern == end)
			return true;
		if (is_taken)
			pattern++;
		else if (back_up(workspace, bindings)) {
			struct binding *last = &bindings->items[bindings->count - 1];

			pattern = last->pattern + 1;
			at = last->end;
		} else {
			return false;
		}
		/* only right behind a wildcard that takes anything */
		if (bindings->count > 0 && pattern < end &&
		    bindings->items[bindings->count - 1].pattern == pattern - 1) {
			struct binding *last = &bindings->items[bindings->count - 1];
			unsigned op = last->pattern->op;

			if (op != TOKEN_ZERO_OR_MORE && op != TOKEN_ONE_OR_MORE)
				continue;
			if (pattern->op == TOKEN_TEXT && !skip_to_word(workspace, last, &at))
				return false;
		} else if (bindings->count > 0 && pattern == end &&
			   bindings->items[bindings->count - 1].pattern == end - 1) {
			struct binding *last = &bindings->items[bindings->count - 1];

			if (last->pattern->op == TOKEN_ZERO_OR_MORE ||
			    last->pattern->op == TOKEN_ONE_OR_MORE)
				last->end = at = workspace->count;
		}
	}
}
