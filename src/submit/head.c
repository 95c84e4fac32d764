#include "submit/head.h"

#include <string.h>

#include "base/text.h"

void
head_begin(struct head_reader *reader, struct envelope *envelope, long maximum_bytes)
{
	*reader = (struct head_reader){.envelope = envelope,
	    .maximum = maximum_bytes > 0 ? (size_t)maximum_bytes : 0,
	    .is_first = true};
}

static void
finish_field(struct head_reader *reader)
{
	if (reader->field.length == 0)
		return;
	header_append_field(&reader->envelope->headers, reader->envelope->arena, reader->field.data,
	    reader->field.length);
	str_clear(&reader->field);
}

/* A field starts with printing characters up to a colon, which blanks may stand in front of. */
static bool
starts_field(const char *line, size_t length)
{
	size_t at = 0;

	while (at < length && (unsigned char)line[at] > ' ' && (unsigned char)line[at] < 127 &&
	       line[at] != ':')
		at++;
	if (at == 0)
		return false;
	while (at < length && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return at < length && line[at] == ':';
}

static enum head_state
take_line(struct head_reader *reader, const char *line, size_t length)
{
	bool is_first = reader->is_first;
	bool continues = length > 0 && (line[0] == ' ' || line[0] == '\t');

	reader->is_first = false;
	if (length == 0) {
		finish_field(reader);
		return HEAD_END;
	}
	if (is_first && length >= 5 && memcmp(line, "From ", 5) == 0) {
		reader->is_first = false;
		return HEAD_FROM_;
	}
	if (continues ? reader->field.length == 0 && !reader->is_too_large
		      : !starts_field(line, length)) {
		finish_field(reader);
		return HEAD_BODY;
	}
	reader->bytes += length + 1;
	if (reader->maximum > 0 && reader->bytes > reader->maximum) {
		/* what is too much is not kept, but read on: the sender gets one clear answer */
		finish_field(reader);
		reader->is_too_large = true;
		return HEAD_MORE;
	}
	if (!continues)
		finish_field(reader);
	else
		str_add_char(&reader->field, '\n');
	str_add(&reader->field, line, length);
	return HEAD_MORE;
}

enum head_state
head_line(struct head_reader *reader, const char *line, size_t length)
{
	struct str clean = {0};
	enum head_state state;

	if (length == 0 || memchr(line, '\0', length) == NULL)
		return take_line(reader, line, length);
	for (size_t i = 0; i < length; i++) {
		if (line[i] != '\0')
			str_add_char(&clean, line[i]);
	}
	state = take_line(reader, str_text(&clean), clean.length);
	str_free(&clean);
	return state;
}

void
head_end(struct head_reader *reader)
{
	finish_field(reader);
	str_free(&reader->field);
}
