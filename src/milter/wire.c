#include "milter/wire.h"

#include <string.h>

#include "base/text.h"

void
milter_add_number(struct str *out, uint32_t number)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		str_add_char(out, (char)(number >> shift & 0xff));
}

void
milter_add_text(struct str *out, const char *text)
{
	str_add(out, text, strlen(text) + 1);
}

void
milter_add_head(struct str *out, char letter, size_t length)
{
	milter_add_number(out, (uint32_t)length + 1);
	str_add_char(out, letter);
}

uint32_t
milter_read_number(const char bytes[4])
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 8 | (unsigned char)bytes[i];
	return number;
}

bool
milter_take_number(struct milter_packet *packet, uint32_t *number)
{
	if (packet->left < 4)
		return false;
	*number = milter_read_number(packet->at);
	packet->at += 4;
	packet->left -= 4;
	return true;
}

bool
milter_take_text(struct milter_packet *packet, const char **text)
{
	const char *end = packet->left > 0 ? memchr(packet->at, '\0', packet->left) : NULL;

	if (end == NULL)
		return false;
	*text = packet->at;
	packet->left -= (size_t)(end + 1 - packet->at);
	packet->at = end + 1;
	return true;
}

/* The code in front of each line, with a blank, a hyphen or nothing behind it. */
static bool
has_code(const char *line, size_t length, const char *code)
{
	return length >= 3 && memcmp(line, code, 3) == 0 &&
	       (length == 3 || line[3] == ' ' || line[3] == '-');
}

/* One line without its code and DSN; false: a percent sign that stands alone. */
static bool
add_line(struct str *out, const char *line, size_t length)
{
	for (; length > 0; line++, length--) {
		if (*line == '%') {
			if (length < 2 || line[1] != '%')
				return false;
			line++;
			length--;
		}
		str_add_char(out, *line);
	}
	return true;
}

bool
milter_parse_reply(const char *text, struct arena *arena, struct verdict *verdict)
{
	char code[4];
	struct str lines = {0};
	bool is_good;

	if (!text_copy(code, sizeof code, text) && code[0] == '\0')
		return false;
	is_good = (code[0] == '4' || code[0] == '5') && has_code(text, strlen(text), code) &&
		  text_is_digit((unsigned char)code[1]) && text_is_digit((unsigned char)code[2]);
	*verdict = (struct verdict){0};
	while (is_good && *text != '\0') {
		size_t length = strcspn(text, "\r\n");
		const char *line = text, *words;
		char dsn[VERDICT_DSN_SIZE];

		text += length;
		text += strspn(text, "\r\n");
		if (has_code(line, length, code)) {
			line += length > 3 ? 4 : 3;
			length -= length > 3 ? 4 : 3;
		}
		words = line;
		if (verdict_parse_dsn(&words, dsn) && dsn[0] == code[0] && words <= line + length) {
			length -= (size_t)(words - line);
			line = words;
			if (verdict->dsn[0] == '\0')
				text_copy(verdict->dsn, sizeof verdict->dsn, dsn);
		}
		is_good = add_line(&lines, line, length);
		if (*text != '\0')
			str_add_char(&lines, '\n');
	}
	if (is_good) {
		verdict->code = (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
		if (verdict->dsn[0] == '\0')
			text_copy(
			    verdict->dsn, sizeof verdict->dsn, code[0] == '4' ? "4.0.0" : "5.0.0");
		verdict->exit_status = verdict_exit_from_dsn(verdict->dsn);
		verdict->text = arena_strdup(arena, str_text(&lines));
	}
	str_free(&lines);
	return is_good;
}
