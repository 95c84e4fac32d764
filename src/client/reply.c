#include "client/reply.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

bool
reply_parse_line(const char *line, size_t length, struct reply_line *parsed)
{
	if (length < 3 || line[0] < '2' || line[0] > '5' ||
	    !text_is_digit((unsigned char)line[1]) || !text_is_digit((unsigned char)line[2]))
		return false;
	if (length > 3 && line[3] != ' ' && line[3] != '-')
		return false;
	parsed->code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	parsed->is_last = length == 3 || line[3] == ' ';
	parsed->text = line + (length > 3 ? 4 : 3);
	parsed->length = length > 3 ? length - 4 : 0;
	return true;
}

const char *
reply_clean(struct arena *arena, const char *bytes, size_t length)
{
	char *text = arena_memdup(arena, bytes, length);

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '\t')
			text[i] = ' ';
		else if (byte < ' ' || byte == 0x7f)
			text[i] = '?';
	}
	text_trim_end(text);
	return text;
}

/* Reads "D.S.N" at the start of text, followed by a blank or the end; its length, 0 for none. */
static size_t
dsn_length(const char *text, int class)
{
	size_t at = 2, digits;

	if (text[0] != '0' + class || text[1] != '.')
		return 0;
	for (int part = 0; part < 2; part++) {
		for (digits = 0; digits < 3 && text_is_digit((unsigned char)text[at]); digits++)
			at++;
		if (digits == 0)
			return 0;
		if (part == 0 && text[at++] != '.')
			return 0;
	}
	return text[at] == ' ' || text[at] == '\0' ? at : 0;
}

void
reply_set(struct reply *reply, struct arena *arena, const char *line, size_t length,
    const struct reply_line *parsed)
{
	size_t dsn;

	*reply = (struct reply){.code = parsed->code};
	reply->first = reply_clean(arena, line, length);
	reply->text = strlen(reply->first) > 4 ? reply->first + 4 : "";
	dsn = dsn_length(reply->text, parsed->code / 100);
	if (dsn > 0 && dsn < sizeof reply->dsn) {
		memcpy(reply->dsn, reply->text, dsn);
		reply->dsn[dsn] = '\0';
	}
}

void
reply_add_line(struct reply *reply, struct arena *arena, const char *line, size_t length)
{
	reply->lines = arena_printf(arena, "%s%s\n", reply->lines != NULL ? reply->lines : "",
	    reply_clean(arena, line, length));
}

const char *
reply_text_alone(const struct reply *reply)
{
	const char *text = reply->text != NULL ? reply->text : "";

	return reply->dsn[0] != '\0' ? text_skip_space(text + strlen(reply->dsn)) : text;
}

bool
reply_is(const struct reply *reply, int class)
{
	return reply->code / 100 == class;
}
