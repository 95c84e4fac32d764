#include "conf/ruleset.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/config.h"
#include "conf/rule_code.h"
#include "reading.h"

enum { MAP_ARGUMENTS = 10 };

/* Reads the name at the start of text: a letter, then letters, digits and `_`.  Its length. */
static size_t
name_length(const char *text)
{
	size_t length = 0;

	if (!text_is_alpha((unsigned char)text[0]))
		return 0;
	while (text_is_alnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return length;
}

static struct ruleset *
find_named(const struct config *config, const char *name, size_t length)
{
	return table_get_bytes(config->ruleset_names, name, length);
}

static struct ruleset *
make_named(struct config *config, const char *name, size_t length)
{
	struct ruleset *ruleset;

	while (config->next_named_ruleset >= RULESET_GIVEN &&
	       config->rulesets[config->next_named_ruleset].name != NULL)
		config->next_named_ruleset--;
	if (config->next_named_ruleset < RULESET_GIVEN)
		return NULL;
	ruleset = &config->rulesets[config->next_named_ruleset--];
	ruleset->number = (int)(ruleset - config->rulesets);
	ruleset->name = arena_memdup(config->arena, name, length);
	table_set(config->ruleset_names, ruleset->name, ruleset);
	return ruleset;
}

/* A number at the start of text, as strtol reads it; RULESET_NONE and a message when out of range. */
static int
given_number(const char *text, char **end, struct arena *arena, const char **error)
{
	int number = (int)strtol(text, end, 10); /* V8: what fits an int of it */

	if (number >= 0 && number < RULESET_GIVEN)
		return number;
	*error = arena_printf(arena, "bad ruleset %d (%d max)", number, RULESET_GIVEN);
	return RULESET_NONE;
}

int
ruleset_parse(const struct config *config, const char *text, const char **end, struct arena *arena,
    const char **error)
{
	const char *start = text_skip_space(text);
	size_t length = name_length(start);
	struct ruleset *ruleset;
	char *number_end;
	int number;

	*error = NULL;
	*end = start + length;
	if (text_is_digit((unsigned char)start[0])) {
		number = given_number(start, &number_end, arena, error);
		*end = number_end;
		return number;
	}
	if (length == 0) {
		*error = arena_printf(arena, "invalid ruleset name: \"%s\"", start);
		return RULESET_NONE;
	}
	ruleset = find_named(config, start, length);
	return ruleset != NULL ? ruleset->number : RULESET_NONE;
}

int
ruleset_find(const struct config *config, const char *name)
{
	struct ruleset *ruleset;
	size_t length;

	if (text_is_digit((unsigned char)name[0])) {
		long number = strtol(name, NULL, 10);

		return number >= 0 && number < RULESET_GIVEN ? (int)number : RULESET_NONE;
	}
	length = name_length(name);
	ruleset = length > 0 ? find_named(config, name, length) : NULL;
	return ruleset != NULL ? ruleset->number : RULESET_NONE;
}

/* Gives a new or known name the number that stands after its `=`. */
static int
number_name(
    struct config *config, const char *text, size_t length, const char *value, const char **error)
{
	struct ruleset *known = find_named(config, text, length), *ruleset;
	char *end;
	long number;

	value = text_skip_space(value);
	number = strtol(value, &end, 10);
	if (end == value || !text_is_digit((unsigned char)value[0])) {
		*error = arena_printf(config->arena,
		    "bad ruleset definition \"%s\" (number required after `=')", text);
		return RULESET_NONE;
	}
	if (number >= RULESET_GIVEN) {
		*error = arena_printf(config->arena, "bad ruleset number %ld in \"%s\" (%d max)",
		    number, text, RULESET_GIVEN);
		return RULESET_NONE;
	}
	if (known != NULL) {
		if (known->number != (int)number)
			*error = arena_printf(config->arena,
			    "%s: ruleset changed value (old %d, new %ld)", text, known->number,
			    number);
		/* the number is shown by this name from now on */
		if (config->rulesets[number].name == NULL)
			config->rulesets[number].name = known->name;
		return known->number;
	}
	ruleset = &config->rulesets[number];
	ruleset->number = (int)number;
	ruleset->name = arena_memdup(config->arena, text, length);
	table_set(config->ruleset_names, ruleset->name, ruleset);
	return (int)number;
}

int
ruleset_declare(struct config *config, const char *text, const char **error, const char **warning)
{
	const char *start = text_skip_space(text), *after;
	size_t length = name_length(start);
	struct ruleset *ruleset = NULL;
	char *copy = arena_strdup(config->arena, start), *end;
	int number;

	*error = *warning = NULL;
	text_trim_end(copy);
	if (text_is_digit((unsigned char)start[0])) {
		number = given_number(start, &end, config->arena, error);
	} else if (length == 0) {
		*error = arena_printf(config->arena, "invalid ruleset name: \"%s\"", copy);
		return RULESET_NONE;
	} else {
		after = text_skip_space(copy + length);
		if (*after == '=') {
			number = number_name(config, copy, length, after + 1, error);
		} else {
			ruleset = find_named(config, copy, length);
			if (ruleset == NULL)
				ruleset = make_named(config, copy, length);
			number = ruleset != NULL ? ruleset->number : RULESET_NONE;
			if (ruleset == NULL)
				*error = arena_printf(config->arena,
				    "%s: too many named rulesets (%d max)", copy,
				    RULESET_MAXIMUM - RULESET_GIVEN);
		}
	}
	if (number == RULESET_NONE)
		return RULESET_NONE;
	ruleset = &config->rulesets[number];
	ruleset->number = number;
	if (ruleset->first != NULL)
		*warning = arena_printf(
		    config->arena, "WARNING: Ruleset %s has multiple definitions", copy);
	ruleset->is_defined = true;
	return number;
}

bool
ruleset_is_there(const struct config *config, const char *name)
{
	int number = ruleset_find(config, name);

	return number != RULESET_NONE && config->rulesets[number].first != NULL;
}

/* Compiling one line: messages are collected, the rule is kept whatever they say, as in V8. */
struct compiler {
	struct config *config;
	struct str errors;
};

static void
complain(struct compiler *compiler, const char *message)
{
	if (compiler->errors.length > 0)
		str_add_char(&compiler->errors, '\n');
	str_add_text(&compiler->errors, message);
}

static const struct {
	char letter;
	unsigned char op;
	const char *text;
} operators[] = {
    {'*', TOKEN_ZERO_OR_MORE, "$*"},
    {'+', TOKEN_ONE_OR_MORE, "$+"},
    {'-', TOKEN_ONE, "$-"},
    {'=', TOKEN_CLASS, "$="},
    {'~', TOKEN_NOT_CLASS, "$~"},
    {'#', TOKEN_NET, "$#"},
    {'@', TOKEN_HOST, "$@"},
    {':', TOKEN_USER, "$:"},
    {'>', TOKEN_CALL, "$>"},
    {'?', TOKEN_IF, "$?"},
    {'|', TOKEN_BAR, "$|"},
    {'.', TOKEN_FI, "$."},
    {'[', TOKEN_HOST_BEGIN, "$["},
    {']', TOKEN_HOST_END, "$]"},
    {'(', TOKEN_MAP_BEGIN, "$("},
    {')', TOKEN_MAP_END, "$)"},
    {'&', TOKEN_MACRO, "$&"},
};

const char *
config_mark_operators(struct config *config, const char *text)
{
	char *copy, *to;

	if (strchr(text, '$') == NULL)
		return text;
	copy = to = arena_strdup(config->arena, text);
	for (; *text != '\0'; text++) {
		int code = 0;

		if (text[0] == '$' && text[1] == '$')
			*to++ = *text++;
		else if (text[0] == '$' && text_is_digit((unsigned char)text[1]))
			code = token_code(TOKEN_COPY);
		for (size_t i = 0; text[0] == '$' && i < sizeof operators / sizeof operators[0];
		     i++) {
			if (text[1] == operators[i].letter && strchr("=&?|.", text[1]) == NULL)
				code = token_code((int)operators[i].op);
		}
		if (code == 0)
			*to++ = *text;
		else
			*to++ = (char)code;
		text += code != 0 && code != token_code(TOKEN_COPY);
	}
	*to = '\0';
	return copy;
}

/* token_request.read_operator: V8's `$` operators. */
static size_t
read_operator(void *context, const char *at, struct token *token)
{
	struct compiler *compiler = context;
	struct config *config = compiler->config;
	const char *end, *error = NULL;
	int id;

	if (text_is_digit((unsigned char)at[1])) {
		token->op = TOKEN_COPY;
		token->id = (unsigned char)at[1];
		token->text = arena_memdup(config->arena, at, 2);
		return 2;
	}
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		if (at[1] != operators[i].letter || at[1] == '\0')
			continue;
		token->op = operators[i].op;
		token->text = operators[i].text;
		if (token->op != TOKEN_CLASS && token->op != TOKEN_NOT_CLASS &&
		    token->op != TOKEN_MACRO)
			return 2;
		if (token->op != TOKEN_MACRO && (at[2] == '\0' || at[2] == ' '))
			return 2;
		id = macro_name_parse(config->names, at + 2, &end, config->arena, &error);
		if (error != NULL && at[2] != '{') /* of long names the reader has spoken */
			complain(compiler, error);
		if (id == MACRO_NONE)
			return (size_t)(end - at) > 2 ? (size_t)(end - at) : 2;
		token->id = (unsigned short)id;
		if (at[2] == '{' && id > UCHAR_MAX / 2)
			token->number = (unsigned short)macro_number(config->names, id);
		token->text = arena_printf(
		    config->arena, "%s%s", operators[i].text, macro_name(config->names, id));
		return (size_t)(end - at);
	}
	/* V8: macros that nobody can define; the last byte of a line is what it is */
	if (at[1] == '\0')
		return 0;
	return text_is_space((unsigned char)at[1]) ? 1 : 2;
}

/* May macro_expand_line() find something to do? */
static bool
has_macros(const char *text)
{
	for (text = strchr(text, '$'); text != NULL; text = strchr(text + 2, '$')) {
		if (text[1] == '\0')
			return false;
		if (strchr("*+-#@:>|[]()123456789=~&", text[1]) == NULL)
			return true;
	}
	return false;
}

static bool
scan(struct compiler *compiler, const char *text, struct tokens *tokens)
{
	struct config *config = compiler->config;
	struct token_request request = {
	    .is_operator = config->is_operator,
	    .delimiter = '\t',
	    .keeps_comments = config->level >= 9,
	    .ignores_faults = true,
	    .read_operator = read_operator,
	    .operator_context = compiler,
	};
	struct str expanded = {0};
	bool is_there;

	/* most rules have no macro to be replaced: `$*`, `$1` and the like stay as they are */
	if (has_macros(text)) {
		macro_expand_line(config->names, config->macros, text, &expanded);
		text = str_text(&expanded);
	}
	is_there = token_scan(text, &request, config->arena, tokens, NULL);
	str_free(&expanded);
	return is_there;
}

static bool
is_wildcard(const struct token *token)
{
	return token->op >= TOKEN_ZERO_OR_MORE && token->op <= TOKEN_NOT_CLASS;
}

/* The left side: what may not be there, and how many wildcards there are. */
static size_t
check_left(struct compiler *compiler, struct rule *rule)
{
	static const char misplaced[] = "Inappropriate use of %s on LHS";
	size_t wildcards = 0;

	for (size_t i = 0; i < rule->left.count; i++) {
		const struct token *token = &rule->left.items[i];
		const char *name = token->op == TOKEN_COPY ? "$1-$9" : token->text;

		if (is_wildcard(token)) {
			wildcards++;
			continue;
		}
		switch (token->op) {
		case TOKEN_COPY:
		case TOKEN_USER:
		case TOKEN_CALL:
		case TOKEN_IF:
		case TOKEN_FI:
		case TOKEN_HOST_BEGIN:
		case TOKEN_HOST_END:
		case TOKEN_MAP_BEGIN:
		case TOKEN_MAP_END: {
			char message[sizeof misplaced + 8];

			snprintf(message, sizeof message, misplaced, name);
			complain(compiler, message);
			break;
		}
		default:
			break;
		}
	}
	if (wildcards > RULE_WILDCARDS) {
		complain(compiler, "R line: too many wildcards");
		rule->left = (struct tokens){0};
	}
	return wildcards;
}

static void
check_right(struct compiler *compiler, const struct rule *rule, size_t wildcards)
{
	unsigned end_op = TOKEN_TEXT;
	int arguments = 0;

	for (size_t i = 0; i < rule->right.count; i++) {
		const struct token *token = &rule->right.items[i];
		char message[64];

		if (token->op == TOKEN_COPY) {
			if (token->id == '0' || (size_t)(token->id - '0') > wildcards) {
				snprintf(message, sizeof message, "replacement $%c out of bounds",
				    token->id);
				complain(compiler, message);
			}
		} else if (is_wildcard(token)) {
			snprintf(message, sizeof message, "Inappropriate use of %.2s on RHS",
			    token->text);
			complain(compiler, message);
		} else if (token->op == TOKEN_HOST_BEGIN || token->op == TOKEN_MAP_BEGIN) {
			if (end_op != TOKEN_TEXT)
				complain(compiler, "cannot nest map lookups");
			end_op = token->op == TOKEN_HOST_BEGIN ? TOKEN_HOST_END : TOKEN_MAP_END;
			arguments = 0;
		} else if (token->op == end_op) {
			end_op = TOKEN_TEXT;
		} else if (token->op == TOKEN_HOST && end_op != TOKEN_TEXT &&
			   ++arguments == MAP_ARGUMENTS) {
			complain(compiler, "too many arguments for map lookup");
		}
	}
	if (end_op != TOKEN_TEXT)
		complain(compiler, "missing map closing token");
}

/* What makes a match impossible at a glance, and what running it needs. */
static void
summarise(struct rule *rule)
{
	for (size_t i = 0; i < rule->left.count; i++) {
		const struct token *token = &rule->left.items[i];

		switch (token->op) {
		case TOKEN_ZERO_OR_MORE:
		case TOKEN_HOST: /* matches nothing */
		case TOKEN_MACRO:
			break;
		case TOKEN_ONE_OR_MORE:
		case TOKEN_ONE:
		case TOKEN_CLASS:
		case TOKEN_NOT_CLASS:
			rule->minimum++;
			break;
		default:
			rule->minimum++;
			rule->words |= rule_bit(token);
			break;
		}
	}
	for (size_t i = 0; i < rule->right.count; i++) {
		unsigned op = rule->right.items[i].op;

		rule->has_maps |= op == TOKEN_HOST_BEGIN || op == TOKEN_MAP_BEGIN;
		rule->has_calls |= op == TOKEN_CALL;
	}
}

static void
append(struct ruleset *ruleset, struct rule *rule)
{
	if (ruleset->last != NULL)
		ruleset->last->next = rule;
	else
		ruleset->first = rule;
	ruleset->last = rule;
}

/* Cuts at the tab behind a side; what a `$` before it asked for is the tab, and nothing. */
static void
end_side(char *side, char *tab)
{
	*tab = '\0';
	if (tab > side && tab[-1] == '$' && (tab - 1 == side || tab[-2] != '$'))
		tab[-1] = '\0';
}

bool
ruleset_add_rule(
    struct config *config, int number, const char *line, int line_number, const char **error)
{
	struct compiler compiler = {.config = config};
	struct rule *rule;
	struct str copy = {0};
	char *right, *end;
	size_t wildcards = 0;

	*error = NULL;
	str_add(&copy, line, strlen(line) + 1);
	text_trim_end(copy.data);
	right = strchr(copy.data, '\t');
	if (right == NULL) {
		*error = arena_printf(config->arena, "invalid rewrite line \"R%s\" (tab expected)",
		    config_show(config, copy.data));
		str_free(&copy);
		return false;
	}
	end_side(copy.data, right++);
	while (*right == '\t')
		right++;
	end = strchr(right, '\t');
	if (end != NULL)
		end_side(right, end);
	rule = ARENA_NEW(config->arena, struct rule);
	rule->line_number = line_number;
	if (scan(&compiler, copy.data, &rule->left))
		wildcards = check_left(&compiler, rule);
	else
		complain(&compiler, "R line: null LHS");
	if (scan(&compiler, right, &rule->right))
		check_right(&compiler, rule, wildcards);
	else
		complain(&compiler, "R line: null RHS");
	str_free(&copy);
	summarise(rule);
	append(&config->rulesets[number], rule);
	if (compiler.errors.length > 0)
		*error = arena_strdup(config->arena, compiler.errors.data);
	str_free(&compiler.errors);
	return *error == NULL;
}
