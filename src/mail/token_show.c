#include "mail/token.h"

#include <stdio.h>
#include <string.h>

#include "base/trace.h"

/* A line of a trace on its way: traces are most of what test mode prints, and a call of stdio for each byte most of its time. */
struct line {
	size_t used;
	char bytes[1024];
};

static void
flush(struct line *line)
{
	fwrite(line->bytes, 1, line->used, stdout);
	line->used = 0;
}

static void
add(struct line *line, int byte)
{
	if (line->used == sizeof line->bytes)
		flush(line);
	line->bytes[line->used++] = (char)byte;
}

static void
add_text(struct line *line, const char *text)
{
	while (*text != '\0')
		add(line, (unsigned char)*text++);
}

/* V8: as cat -v does, but for control characters. */
static void
add_high(struct line *line, int byte)
{
	add_text(line, "M-");
	byte &= 0x7f;
	if (byte >= ' ' && byte != 0x7f)
		add(line, byte);
}

static void
add_shown(struct line *line, const char *text)
{
	for (; *text != '\0'; text++) {
		int byte = (unsigned char)*text;

		if (byte > ' ' && byte < 0x7f)
			add(line, byte);
		else if (byte == '\n')
			add_text(line, "\\n");
		else if (byte == '\r')
			add_text(line, "\\r");
		else if (byte == '\t')
			add_text(line, "\\t");
		else if (byte >= 0x80)
			add_high(line, byte);
		else if (byte == ' ')
			add(line, byte);
	}
}

static void
add_code(struct line *line, int code)
{
	char text[16];

	snprintf(text, sizeof text, trace_on(84, 2) ? " %o " : " 0x%x ", (unsigned)code);
	add_text(line, text);
}

static void
add_token(struct line *line, const struct token *token)
{
	if (token->op == TOKEN_TEXT || !trace_on(84, 1)) {
		add_shown(line, token->text);
		return;
	}
	add_code(line, token_code(token->op));
	if (token->number > 0) {
		add_code(line, token->number);
		return;
	}
	if (token->length > 2)
		add_shown(line, token->text + 2);
	else if (token->op == TOKEN_COPY)
		add(line, token->id);
}

void
token_show_text(const char *text)
{
	struct line line;

	line.used = 0;
	add_shown(&line, text);
	flush(&line);
}

void
token_show_code(int code)
{
	struct line line;

	line.used = 0;
	add_code(&line, code);
	flush(&line);
}

void
token_show(const struct token *token)
{
	struct line line;

	line.used = 0;
	add_token(&line, token);
	flush(&line);
}

void
tokens_show(const struct token *tokens, size_t count)
{
	tokens_show_under("", tokens, count);
}

void
tokens_show_under(const char *heading, const struct token *tokens, size_t count)
{
	struct line line;

	line.used = 0;
	add_text(&line, heading);
	for (size_t i = 0; i < count; i++) {
		add(&line, ' ');
		add_token(&line, &tokens[i]);
	}
	add(&line, '\n');
	flush(&line);
}
