#include "rule/engine.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/trace.h"

const char *
engine_macro_value(struct rule_context *context, int id)
{
	/* V8: macros within a D line's value are not expanded here, `$w` stays as it stands */
	return macro_get(context->macros, id);
}

void
engine_trace_macro(struct rule_context *context, const char *side, const struct token *token)
{
	const char *value = engine_macro_value(context, token->id);
	const char *name = macro_name(context->config->names, token->id);
	bool has_braces = name[0] == '{';

	if (trace_on(21, 2))
		printf("rewrite: %s $&%s%s%s => \"%s\"\n", side, has_braces ? "" : "{", name,
		    has_braces ? "" : "}", value != NULL ? value : "(NULL)");
}

bool
engine_scan_value(struct rule_context *context, const char *value, struct tokens *tokens)
{
	return rule_scan(context, value, '\0', false, tokens, NULL);
}

static void
show_copy(const struct token *token, const struct token *items, size_t count)
{
	printf("%s:", token->text);
	for (size_t i = 0; i < count; i++)
		printf(" %p=\"%s\"", (const void *)items[i].text, items[i].text);
	putchar('\n');
}

static bool
add_all(struct tokens *tokens, const struct token *items, size_t count)
{
	if (count > tokens->capacity - tokens->count)
		return false;
	memcpy(tokens->items + tokens->count, items, count * sizeof *items);
	tokens->count += count;
	return true;
}

static bool
add_macro(struct rule_context *context, const struct token *token, struct tokens *out)
{
	const char *value = engine_macro_value(context, token->id);
	struct tokens tokens;

	engine_trace_macro(context, "RHS", token);
	if (value == NULL || *value == '\0' || !engine_scan_value(context, value, &tokens))
		return true;
	if (trace_on(21, 19)) {
		for (size_t i = 0; i < tokens.count; i++)
			printf(" ... %s\n", tokens.items[i].text);
		printf(" ... DONE\n");
	}
	return add_all(out, tokens.items, tokens.count);
}

int
engine_rewrite(struct workspace *workspace, const struct rule *rule, size_t start,
    const struct bindings *bindings, const char *set_name)
{
	struct rule_context *context = workspace->context;
	struct token made[TOKENS_MAXIMUM];
	struct tokens out = {.items = made, .capacity = workspace->capacity};
	int status = EX_OK;
	bool fits = true, has_lookups = false;

	if (out.capacity > TOKENS_MAXIMUM)
		out.capacity = TOKENS_MAXIMUM;
	for (size_t i = start; i < rule->right.count && fits; i++) {
		const struct token *token = &rule->right.items[i];

		if (token->op == TOKEN_COPY) {
			size_t number = (size_t)(token->id - '1');
			const struct binding *binding = &bindings->items[number];

			if (token->id == '0' || number >= bindings->count) {
				rule_report(context, EX_SOFTWARE,
				    "rewrite: ruleset %s: replacement $%c out of bounds", set_name,
				    token->id);
				return EX_CONFIG;
			}
			if (trace_on(21, 15))
				show_copy(token, workspace->items + binding->first,
				    binding->end - binding->first);
			fits = add_all(
			    &out, workspace->items + binding->first, binding->end - binding->first);
		} else if (token->op == TOKEN_MACRO) {
			fits = add_macro(context, token, &out);
		} else {
			has_lookups |=
			    token->op == TOKEN_MAP_BEGIN || token->op == TOKEN_HOST_BEGIN;
			fits = tokens_add(&out, token);
		}
	}
	if (!fits) {
		rule_report(context, EX_SOFTWARE, "rewrite: expansion too long");
		return EX_DATAERR;
	}
	if (!has_lookups) {
		memcpy(workspace->items, out.items, out.count * sizeof *out.items);
		workspace->count = out.count;
	} else {
		struct tokens looked_up = {
		    .items = workspace->items, .capacity = workspace->capacity};

		status = engine_lookups(context, out.items, out.count, &looked_up);
		if (status == EX_DATAERR)
			return status;
		workspace->count = looked_up.count;
	}
	engine_index(workspace);
	return status;
}
