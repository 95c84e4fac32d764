#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"

static const struct {
	const char *word;
	int exit_status;
} words[] = {
    {"config", EX_CONFIG},
    {"nohost", EX_NOHOST},
    {"nouser", EX_NOUSER},
    {"protocol", EX_PROTOCOL},
    {"software", EX_SOFTWARE},
    {"tempfail", EX_TEMPFAIL},
    {"unavailable", EX_UNAVAILABLE},
    {"usage", EX_USAGE},
};

void
rule_triple(struct rule_context *context, const struct tokens *tokens, struct rule_triple *triple)
{
	size_t at = 2, host;

	*triple = (struct rule_triple){.host = "", .user = ""};
	if (tokens->count == 0 || tokens->items[0].op != TOKEN_NET)
		return;
	triple->is_triple = true;
	if (tokens->count < 2)
		return;
	triple->mailer = tokens->items[1].text;
	if (at < tokens->count && tokens->items[at].op == TOKEN_HOST) {
		triple->has_host = true;
		at++;
	}
	host = at;
	while (at < tokens->count && tokens->items[at].op != TOKEN_USER)
		at++;
	if (triple->has_host)
		triple->host = rule_text(context, tokens->items + host, at - host);
	if (triple->has_host && at == host && at < tokens->count)
		triple->has_host = false;
	if (at >= tokens->count)
		return;
	triple->has_user = true;
	at++;
	triple->user_tokens = (struct tokens){
	    .items = tokens->items + at,
	    .count = tokens->count - at,
	    .capacity = tokens->capacity - at,
	};
	triple->user = token_join_text(tokens->items + at, tokens->count - at, ' ', context->arena);
}

static int
exit_of_host(const struct rule_triple *triple)
{
	if (!triple->has_host)
		return EX_UNAVAILABLE;
	if (strchr(triple->host, '.') != NULL)
		return verdict_exit_from_dsn(triple->host);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (text_equal_nocase(triple->host, words[i].word))
			return words[i].exit_status;
	}
	if (text_is_digit((unsigned char)triple->host[0]))
		return atoi(triple->host);
	return EX_UNAVAILABLE;
}

/* A reply code at the start of a text, or 0. */
static int
reply_code(const char *text)
{
	for (int i = 0; i < 3; i++) {
		if (!text_is_digit((unsigned char)text[i]))
			return 0;
	}
	if (text[3] != ' ')
		return 0;
	return 100 * (text[0] - '0') + 10 * (text[1] - '0') + (text[2] - '0');
}

struct verdict
rule_error(struct rule_context *context, const struct rule_triple *triple)
{
	const char *text = token_unquote(context->arena, triple->user);
	char dsn[VERDICT_DSN_SIZE] = "", ignored[VERDICT_DSN_SIZE];
	int exit_status = exit_of_host(triple), code = reply_code(text);

	if (strchr(triple->host, '.') != NULL)
		text_copy(dsn, sizeof dsn, triple->host);
	if (code != 0) {
		text += 4;
		if (dsn[0] == '\0')
			verdict_parse_dsn(&text, dsn);
		else
			verdict_parse_dsn(&text, ignored);
	}
	/* V8: a text without a code is a 553 5.3.0, whatever $@ says; one without a DSN gets none better */
	if (code == 0) {
		code = exit_status == EX_TEMPFAIL ? 451 : 553;
		text_copy(dsn, sizeof dsn, "5.3.0");
	}
	if (dsn[0] == '\0')
		text_copy(dsn, sizeof dsn, "5.0.0");
	/* a code and a DSN of different kinds: the code is what the peer acts on */
	if (dsn[0] - '0' != code / 100 && code >= 400)
		dsn[0] = (char)('0' + code / 100);
	return verdict_make(context->arena, code, dsn, exit_status, "%s", text);
}

/* `$|` between two arguments. */
static void
add_bar(struct rule_context *context, struct tokens *tokens)
{
	struct token bar = {.op = TOKEN_BAR, .text = "$|"};

	token_seal(&bar, context->config->is_operator);
	tokens_add(tokens, &bar);
}

static void
judge(struct rule_context *context, struct rule_result *result)
{
	struct rule_triple triple;

	rule_triple(context, &result->tokens, &triple);
	if (!triple.is_triple || triple.mailer == NULL) {
		result->text = rule_text(context, result->tokens.items, result->tokens.count);
		return;
	}
	result->text = rule_text(context, result->tokens.items + 1, result->tokens.count - 1);
	if (text_equal_nocase(triple.mailer, "discard")) {
		result->answer = RULE_DISCARD;
		return;
	}
	if (!text_equal_nocase(triple.mailer, "error")) {
		result->answer = RULE_OTHER;
		return;
	}
	if (text_equal_nocase(triple.host, "quarantine")) {
		result->answer = RULE_QUARANTINE;
		result->verdict = verdict_make(context->arena, 250, "2.0.0", EX_OK, "%s",
		    token_unquote(context->arena, triple.user));
		return;
	}
	result->answer = RULE_REJECT;
	result->verdict = rule_error(context, &triple);
}

/* Any number of arguments, joined by `$|`; comments are left out when asked. */
static void
check_list(struct rule_context *context, const char *ruleset, const char *const texts[],
    size_t count, bool strips_comments, struct rule_result *result)
{
	struct token items[TOKENS_MAXIMUM];
	struct tokens all = {.items = items, .capacity = TOKENS_MAXIMUM};
	int number = ruleset_find(context->config, ruleset);

	*result = (struct rule_result){.answer = RULE_ACCEPT, .status = EX_OK, .text = ""};
	if (number == RULESET_NONE || context->config->rulesets[number].first == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		struct tokens part;

		if (i > 0)
			add_bar(context, &all);
		if (!rule_scan(context, texts[i], '\0', !strips_comments, &part, NULL))
			continue;
		for (size_t j = 0; j < part.count; j++)
			tokens_add(&all, &part.items[j]);
	}
	result->tokens = (struct tokens){
	    .items = ARENA_ARRAY(context->arena, struct token, all.count),
	    .count = all.count,
	    .capacity = all.count,
	};
	memcpy(result->tokens.items, items, all.count * sizeof *items);
	/* V8: nothing at all is no question */
	if (result->tokens.count == 0)
		return;
	result->status = rule_run(context, number, &result->tokens);
	judge(context, result);
}

void
rule_check(struct rule_context *context, const char *ruleset, const char *text1, const char *text2,
    struct rule_result *result)
{
	const char *texts[] = {text1, text2};

	check_list(context, ruleset, texts, text2 != NULL ? 2 : 1, true, result);
}
