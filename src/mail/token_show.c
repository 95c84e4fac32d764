#include "mail/token.h"

#include <stdio.h>

#include "base/trace.h"

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
	printf(" 0x%x ", token_code(token->op));
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
