/*
 * An address into tokens and back, in every way that the callers ask for, and the frame of a header's
 * value.  The first byte chooses, the rest is the text.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/token.h"
#include "submit/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
ignore(void *context, const char *message)
{
	(void)context, (void)message;
}

/* As rules do: `$` and a character are an operator, at the end of the text it is nothing. */
static size_t
read_operator(void *context, const char *at, struct token *token)
{
	(void)context;
	if (at[1] == '\0')
		return 1;
	token->op = TOKEN_COPY;
	token->id = (unsigned char)at[1];
	token->text = "$1";
	token->length = 2;
	return 2;
}

static void
check_tokens(const struct tokens *tokens, const char *text, const char *end)
{
	size_t total = 0;

	if (tokens->count == 0 || tokens->count > TOKENS_MAXIMUM ||
	    tokens->count > tokens->capacity)
		abort();
	if (end < text || end > text + strlen(text))
		abort();
	for (size_t i = 0; i < tokens->count; i++) {
		if (tokens->items[i].length == 0 ||
		    tokens->items[i].length != strlen(tokens->items[i].text))
			abort();
		total += tokens->items[i].length;
	}
	if (total > TOKEN_TEXT_MAXIMUM + 2 * tokens->count)
		abort();
}

/* What was joined of an address's tokens gives the same tokens again. */
static void
check_again(const struct token_request *request, const struct tokens *tokens, struct arena *arena)
{
	const char *joined = token_join_text(tokens->items, tokens->count, ' ', arena);
	struct token_request again = *request;
	struct tokens second;

	again.delimiter = 0;
	if (!token_scan(joined, &again, arena, &second, NULL))
		return; /* too long with its blanks */
	if (second.count != tokens->count)
		abort();
	for (size_t i = 0; i < second.count; i++) {
		if (!token_equal(&second.items[i], &tokens->items[i]))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const char delimiters[] = {'\0', ',', '>', '\t'};
	static bool operators[256];
	struct token_request request = {.fault = ignore};
	struct arena *arena = arena_create();
	struct str printed = {0};
	struct tokens tokens;
	struct token_frame frame;
	const char *end;
	char *text;

	if (length == 0) {
		arena_destroy(arena);
		return 0;
	}
	for (const char *at = ".:%@!^/[]+"; *at != '\0'; at++)
		operators[(unsigned char)*at] = true;
	text = arena_alloc(arena, length);
	memcpy(text, bytes + 1, length - 1);
	text[length - 1] = '\0';
	request.is_operator = (bytes[0] & 1) != 0 ? operators : NULL;
	request.delimiter = delimiters[bytes[0] >> 1 & 3];
	request.keeps_comments = (bytes[0] & 8) != 0;
	request.ignores_faults = (bytes[0] & 16) != 0;
	request.read_operator = (bytes[0] & 32) != 0 ? read_operator : NULL;
	if (token_scan(text, &request, arena, &tokens, &end)) {
		check_tokens(&tokens, text, end);
		token_print(tokens.items, tokens.count, &printed);
		if (request.read_operator == NULL && !request.ignores_faults)
			check_again(&request, &tokens, arena);
	}
	token_unquote(arena, text);
	token_frame(&frame, text, "@,;:\\()[].'", (bytes[0] & 64) != 0, arena);
	if (frame.before == NULL || frame.after == NULL)
		abort();
	str_free(&printed);
	arena_destroy(arena);
	return 0;
}
