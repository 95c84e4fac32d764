#include "mail/token.h"

#include <stdio.h>

#include "base/trace.h"

/* V8's bytes for its operators, which -d84.1 shows instead of their text. */
static const unsigned char codes[] = {
    [TOKEN_ZERO_OR_MORE] = 0x90,
    [TOKEN_ONE_OR_MORE] = 0x91,
    [TOKEN_ONE] = 0x92,
    [TOKEN_CLASS] = 0x93,
    [TOKEN_NOT_CLASS] = 0x94,
    [TOKEN_COPY] = 0x95,
    [TOKEN_NET] = 0x96,
    [TOKEN_HOST] = 0x97,
    [TOKEN_USER] = 0x98,
    [TOKEN_CALL] = 0x99,
    [TOKEN_IF] = 0x9a,
    [TOKEN_BAR] = 0x9b,
    [TOKEN_FI] = 0x9c,
    [TOKEN_HOST_BEGIN] = 0x83,
    [TOKEN_HOST_END] = 0x84,
    [TOKEN_MAP_BEGIN] = 0x85,
    [TOKEN_MAP_END] = 0x86,
    [TOKEN_MACRO] = 0x82,
};

/* V8: as cat -v does, but for control characters. */
static void
show_high(int byte)
{
	fputs("M-", stdout);
	byte &= 0x7f;
	if (byte >= ' ' && byte != 0x7f)
		putchar(byte);
}

void
token_show_text(const char *text)
{
	for (; *text != '\0'; text++) {
		int byte = (unsigned char)*text;

		if (byte == '\n')
			fputs("\\n", stdout);
		else if (byte == '\r')
			fputs("\\r", stdout);
		else if (byte == '\t')
			fputs("\\t", stdout);
		else if (byte >= 0x80)
			show_high(byte);
		else if (byte >= ' ' && byte != 0x7f)
			putchar(byte);
	}
}

void
token_show(const struct token *token)
{
	if (token->op == TOKEN_TEXT || !trace_on(84, 1)) {
		token_show_text(token->text);
		return;
	}
	printf(" 0x%x ", codes[token->op]);
	if (token->length > 2)
		token_show_text(token->text + 2);
	else if (token->op == TOKEN_COPY)
		putchar(token->id);
}

void
tokens_show(const struct token *tokens, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		putchar(' ');
		token_show(&tokens[i]);
	}
	putchar('\n');
}
