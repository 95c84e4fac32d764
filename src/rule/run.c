#include "rule/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"

enum { ROUNDS = 100, DEPTH = 50, SHORT_LENGTH = 203 };

void
rule_report(struct rule_context *context, int exit_status, const char *format, ...)
{
	struct str message = {0};
	va_list arguments;

	va_start(arguments, format);
	str_vprintf(&message, format, arguments);
	va_end(arguments);
	if (context->report != NULL)
		context->report(context->report_context, str_text(&message), exit_status);
	else
		log_at(0, LOG_ERR, "NOQUEUE: SYSERR: %s", str_text(&message));
	str_free(&message);
}

/* "NAME" or the number, as traces show a set. */
static const char *
set_name(struct rule_context *context, int ruleset)
{
	const char *name = NULL;

	if (ruleset >= 0 && ruleset < RULESET_MAXIMUM)
		name = context->config->rulesets[ruleset].name;
	return name != NULL ? name : arena_printf(context->arena, "%d", ruleset);
}

const char *
rule_text(struct rule_context *context, const struct token *tokens, size_t count)
{
	return token_join_text(tokens, count, context->config->options.blank_sub, context->arena);
}

const char *
rule_shorten(struct rule_context *context, const char *text)
{
	size_t length = strlen(text);

	if (length <= SHORT_LENGTH)
		return text;
	return arena_printf(context->arena, "%.*s...%s", (SHORT_LENGTH - 3) / 2, text,
	    text + length - (SHORT_LENGTH - 3) / 2);
}

struct scan_report {
	struct rule_context *context;
	const char *text;
};

static void
report_fault(void *data, const char *message)
{
	struct scan_report *scan = data;

	rule_report(
	    scan->context, EX_OK, "%s... %s", rule_shorten(scan->context, scan->text), message);
}

bool
rule_scan(struct rule_context *context, const char *text, int delimiter, bool keeps_comments,
    struct tokens *tokens, const char **end)
{
	struct scan_report scan = {context, text};
	struct token_request request = {
	    .is_operator = context->config->is_operator,
	    .delimiter = delimiter,
	    .keeps_comments = keeps_comments,
	    .fault = report_fault,
	    .fault_context = &scan,
	};

	return token_scan(text, &request, context->arena, tokens, end);
}

static bool
is_traced(const struct rule_context *context)
{
	return context->test_mode || trace_on(21, 1);
}

static void
show_set(const char *name, const char *what, const struct workspace *workspace)
{
	enum { NAME_WIDTH = 16, WIDTH = 25 };
	size_t length = strlen(name), what_length = strlen(what);
	char heading[WIDTH + 1];

	/* "%-16.16s %8s", without the price of printf */
	memset(heading, ' ', WIDTH);
	memcpy(heading, name, length < NAME_WIDTH ? length : NAME_WIDTH);
	memcpy(heading + WIDTH - what_length, what, what_length);
	heading[WIDTH] = '\0';
	tokens_show_under(heading, workspace->items, workspace->count);
}

static int run_set(struct workspace *, int ruleset);
static int call_sets(struct workspace *);

/* Merges the status of a part: temporary failures win, then the first other. */
static int
merge(int status, int part)
{
	return status == EX_OK || part == EX_TEMPFAIL ? part : status;
}

/* The name behind `$>`, which may be quoted. */
static const char *
called_name(struct rule_context *context, const struct token *token)
{
	if (token->text[0] != '"' || token->length < 2)
		return token->text;
	return arena_memdup(context->arena, token->text + 1, token->length - 2);
}

static int
find_called(struct rule_context *context, const char *name)
{
	const char *end, *error;
	int ruleset = ruleset_parse(context->config, name, &end, context->arena, &error);

	if (error != NULL)
		rule_report(context, EX_SOFTWARE, "%s", error);
	return ruleset;
}

/* Calls the set at `at` on all that follows it there, after the sets that are called within that. */
static int
call_set(struct workspace *workspace, size_t at, int ruleset)
{
	struct workspace tail = *workspace;
	int status;

	tail.items += at + 2;
	tail.count -= at + 2;
	tail.capacity -= at + 2;
	status = call_sets(&tail);
	if (status != EX_OK && status != EX_TEMPFAIL) {
		/* V8: what could not be called stays as it stood */
		workspace->count = at + 2 + tail.count;
		return status;
	}
	memmove(workspace->items + at, tail.items, tail.count * sizeof *tail.items);
	tail.items = workspace->items + at;
	tail.capacity += 2;
	status = merge(status, run_set(&tail, ruleset));
	workspace->count = at + tail.count;
	return status;
}

static int
call_sets(struct workspace *workspace)
{
	struct rule_context *context = workspace->context;

	for (size_t at = 0; at + 1 < workspace->count; at++) {
		const char *name = workspace->items[at + 1].text, *plain;
		int ruleset, status;

		if (workspace->items[at].op != TOKEN_CALL || name[0] == '\0')
			continue;
		plain = called_name(context, &workspace->items[at + 1]);
		ruleset = find_called(context, plain);
		if (ruleset == RULESET_NONE) {
			rule_report(context, EX_SOFTWARE, "Unknown ruleset %s", plain);
			workspace->items[at + 1].text = plain;
			token_seal(&workspace->items[at + 1], context->config->is_operator);
			return EX_CONFIG;
		}
		if (context->config->rulesets[ruleset].first != NULL) {
			status = call_set(workspace, at, ruleset);
			engine_index(workspace);
			return status;
		}
		/* V8: without rules there is no call, nor one of a set right behind it */
		if (name[0] != '"' && trace_on(21, 3))
			printf("-----skip subr %s (%d)\n", name, ruleset);
		workspace->count -= 2;
		memmove(workspace->items + at, workspace->items + at + 2,
		    (workspace->count - at) * sizeof *workspace->items);
		engine_index(workspace);
	}
	return EX_OK;
}

static void
trace_rule(const struct rule *rule)
{
	if (!trace_on(21, 12))
		return;
	if (trace_on(21, 15))
		printf("-----trying rule (line %d):", rule->line_number);
	else
		printf("-----trying rule:");
	tokens_show(rule->left.items, rule->left.count);
}

/* Where the right side begins, and with what rule the set goes on (NULL: it ends). */
static size_t
read_prefix(struct rule *rule, struct rule **next)
{
	unsigned op = rule->right.count > 0 ? rule->right.items[0].op : (unsigned)TOKEN_TEXT;

	*next = rule;
	if (op == TOKEN_USER)
		*next = rule->next;
	else if (op == TOKEN_HOST)
		*next = NULL;
	else if (op == TOKEN_NET)
		*next = NULL;
	return op == TOKEN_USER || op == TOKEN_HOST ? 1 : 0;
}

/* V8 shows the name of a set that was called without the quotes that the cf has. */
static void
forget_quotes(struct rule_context *context, struct rule *rule)
{
	for (size_t i = 0; i + 1 < rule->right.count; i++) {
		struct token *name = &rule->right.items[i + 1];

		if (rule->right.items[i].op != TOKEN_CALL || name->text[0] != '"' ||
		    name->length < 2)
			continue;
		name->text = arena_memdup(context->config->arena, name->text + 1, name->length - 2);
		token_seal(name, context->config->is_operator);
	}
}

/* *is_cut: V8 gives the set up in the middle, without a last trace. */
static int
run_rules(struct workspace *workspace, const char *name, struct rule *rule, bool *is_cut)
{
	struct rule_context *context = workspace->context;
	int status = EX_OK, number = 1, rounds = 0;
	const bool is_detailed = trace_on(21, 2); /* what follows is traced above that */

	engine_index(workspace);
	while (rule != NULL) {
		struct bindings bindings;
		struct rule *next;
		size_t start;
		int part;

		if (workspace->count > 0 && workspace->items[0].op == TOKEN_NET)
			break;
		if (is_detailed)
			trace_rule(rule);
		if (++rounds > ROUNDS) {
			rule_report(context, EX_SOFTWARE, "Infinite loop in ruleset %s, rule %d",
			    name, number);
			if (trace_on(21, 1)) {
				printf("workspace:");
				tokens_show(workspace->items, workspace->count);
			}
			break;
		}
		if (is_detailed ? !engine_match_traced(workspace, rule, &bindings)
				: !engine_match(workspace, rule, &bindings)) {
			if (is_detailed && trace_on(21, 10))
				printf("----- rule fails\n");
			rule = rule->next;
			number++;
			rounds = 0;
			continue;
		}
		if (is_detailed && trace_on(21, 12)) {
			printf("-----rule matches:");
			tokens_show(rule->right.items, rule->right.count);
		}
		start = read_prefix(rule, &next);
		part = engine_rewrite(workspace, rule, start, &bindings, name);
		if (part != EX_OK && part != EX_TEMPFAIL) {
			*is_cut = true;
			return part;
		}
		status = merge(status, part);
		status = merge(status, call_sets(workspace));
		if (context->test_mode && rule->has_calls)
			forget_quotes(context, rule);
		if (is_detailed && trace_on(21, 4)) {
			printf("rewritten as:");
			tokens_show(workspace->items, workspace->count);
		}
		if (next != rule) {
			number++;
			rounds = 0;
		}
		rule = next;
	}
	return status;
}

static int
run_set(struct workspace *workspace, int ruleset)
{
	struct rule_context *context = workspace->context;
	const char *name;
	bool is_cut = false;
	int status;

	if (ruleset < 0 || ruleset >= RULESET_MAXIMUM) {
		rule_report(context, EX_SOFTWARE, "rewrite: illegal ruleset number %d", ruleset);
		return EX_CONFIG;
	}
	name = context->config->rulesets[ruleset].name;
	if (name == NULL)
		name = set_name(context, ruleset);
	if (is_traced(context))
		show_set(name, "input:", workspace);
	if (context->depth > DEPTH) {
		rule_report(context, EX_SOFTWARE,
		    "rewrite: excessive recursion (max %d), ruleset %s", DEPTH, name);
		return EX_CONFIG;
	}
	context->depth++;
	status = run_rules(workspace, name, context->config->rulesets[ruleset].first, &is_cut);
	context->depth--;
	if (is_traced(context) && !is_cut)
		show_set(name, "returns:", workspace);
	return status;
}

int
rule_run(struct rule_context *context, int ruleset, struct tokens *tokens)
{
	struct token items[TOKENS_MAXIMUM];
	struct workspace workspace = {
	    .context = context, .items = items, .capacity = TOKENS_MAXIMUM};
	int status;

	if (tokens->count > TOKENS_MAXIMUM)
		return EX_DATAERR;
	memcpy(items, tokens->items, tokens->count * sizeof *items);
	workspace.count = tokens->count;
	status = run_set(&workspace, ruleset);
	if (workspace.count > tokens->capacity) {
		tokens->items = ARENA_ARRAY(context->arena, struct token, workspace.count);
		tokens->capacity = workspace.count;
	}
	memcpy(tokens->items, items, workspace.count * sizeof *items);
	tokens->count = workspace.count;
	return status;
}
