#include "smtp/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool
is_blank(char c)
{
	return c != '\0' && text_is_space((unsigned char)c);
}

static char *
skip_blanks(char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

void
smtp_command_split(char *line, struct smtp_command *command)
{
	size_t length = 0;

	line = skip_blanks(line);
	while (*line != '\0' && !is_blank(*line) && length < SMTP_VERB_SIZE - 1)
		command->verb[length++] = *line++;
	command->verb[length] = '\0';
	command->argument = skip_blanks(line);
}

char *
smtp_command_skip_word(char *argument, const char *word, const char **scanned)
{
	char *start = skip_blanks(argument), *end = start, *rest;

	while (*end != '\0' && *end != ':' && !is_blank(*end))
		end++;
	rest = skip_blanks(end);
	*scanned = start;
	if (*rest != ':') {
		*end = '\0';
		return NULL;
	}
	rest = skip_blanks(rest + 1);
	*end = '\0';
	if (*rest == '\0' || !text_equal_nocase(start, word))
		return NULL;
	return rest;
}

char *
smtp_command_path_end(char *text)
{
	int comments = 0, angles = 0;
	bool quoted = false;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0') {
			text++;
			continue;
		}
		if (*text == '"' && comments == 0)
			quoted = !quoted;
		if (quoted)
			continue;
		if (*text == '(')
			comments++;
		else if (*text == ')' && comments > 0)
			comments--;
		if (comments > 0)
			continue;
		if (*text == '<')
			angles++;
		else if (*text == '>' && angles > 0)
			angles--;
		else if (is_blank(*text) && angles == 0)
			break;
	}
	return text;
}

bool
smtp_command_next_parameter(char **position, char **name, char **value)
{
	char *p = skip_blanks(*position);

	*value = NULL;
	if (*p == '\0') {
		*position = p;
		return false;
	}
	*name = p;
	while (text_is_alnum((unsigned char)*p) || *p == '-')
		p++;
	if (*p == '=') {
		*p++ = '\0';
		*value = p;
		while (*p != '\0' && *p != ' ' && *p != '=' &&
		       !((unsigned char)*p < ' ' || *p == 0x7f))
			p++;
	}
	if (*p != '\0')
		*p++ = '\0';
	*position = p;
	return true;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
smtp_xtext_is_valid(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text <= ' ' || (unsigned char)*text > '~' || *text == '=')
			return false;
		if (*text == '+') {
			if (hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
				return false;
			text += 2;
		}
	}
	return true;
}

void
smtp_xtext_encode(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte <= ' ' || byte > '~' || byte == '+' || byte == '=')
			str_printf(out, "+%02X", byte);
		else
			str_add_char(out, *text);
	}
}

bool
smtp_xtext_decode(struct str *out, const char *text)
{
	if (!smtp_xtext_is_valid(text))
		return false;
	for (; *text != '\0'; text++) {
		if (*text == '+') {
			str_add_char(out, (char)(hex_digit(text[1]) << 4 | hex_digit(text[2])));
			text += 2;
		} else {
			str_add_char(out, *text);
		}
	}
	return true;
}

bool
smtp_helo_is_valid(const char *name)
{
	for (; *name != '\0'; name++)
		if (!text_is_alnum((unsigned char)*name) && strchr("[].-_#:", *name) == NULL)
			return false;
	return true;
}

enum smtp_by
smtp_parse_by(const char *value, long *seconds, char *mode, bool *trace)
{
	char *end;
	const char *semicolon = strchr(value, ';');

	if (semicolon == NULL)
		return SMTP_BY_NO_SEMICOLON;
	errno = 0;
	*seconds = strtol(value, &end, 10);
	if (errno != 0 || *seconds > 999999999 || *seconds < -999999999)
		return SMTP_BY_OUT_OF_RANGE;
	if (*end != ';')
		return SMTP_BY_NO_SEMICOLON;
	*mode = (char)text_lower((unsigned char)semicolon[1]);
	if (*mode != 'r' && *mode != 'n') {
		*mode = semicolon[1];
		return SMTP_BY_BAD_MODE;
	}
	*trace = text_lower((unsigned char)semicolon[2]) == 't';
	if (*mode == 'r' && *seconds <= 0)
		return SMTP_BY_NOT_AHEAD;
	return SMTP_BY_OK;
}
