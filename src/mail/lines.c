#include "mail/lines.h"

#include <string.h>

static const char from_word[] = "From ";

static void
put(struct lines *lines, const char *bytes, size_t length)
{
	lines->write(lines->context, bytes, length);
}

static void
put_byte(struct lines *lines, char byte)
{
	if (lines->seven_bit)
		byte = (char)(byte & 0x7f);
	if (lines->column == 0 && byte == '.' && lines->dots)
		put(lines, ".", 1);
	put(lines, &byte, 1);
	lines->column++;
}

static void
put_content(struct lines *lines, char byte)
{
	/* the last place of a line waits: it is the byte itself only where the line ends after it */
	if (lines->line_limit > 2 && lines->has_held) {
		put(lines, "!", 1);
		put(lines, lines->eol, strlen(lines->eol));
		put(lines, " ", 1);
		lines->column = 1;
		lines->has_held = false;
		put_byte(lines, lines->held);
	}
	if (lines->line_limit > 2 && lines->column == lines->line_limit - 1) {
		lines->held = byte;
		lines->has_held = true;
		return;
	}
	put_byte(lines, byte);
}

/* What waited because it could have become "From ". */
static void
release_match(struct lines *lines)
{
	size_t matched = lines->matched;

	lines->matched = 0;
	for (size_t i = 0; i < matched; i++)
		put_content(lines, from_word[i]);
}

/* Takes the byte when it may be one of "From " at the start of a line. */
static bool
match_from(struct lines *lines, char byte)
{
	if (!lines->from || lines->column > 0 || lines->has_held)
		return false;
	if (byte != from_word[lines->matched]) {
		release_match(lines);
		return false;
	}
	if (++lines->matched == sizeof from_word - 1) {
		put(lines, ">", 1);
		release_match(lines);
	}
	return true;
}

static void
take_content(struct lines *lines, char byte)
{
	if (!match_from(lines, byte))
		put_content(lines, byte);
}

static void
end_line(struct lines *lines)
{
	release_match(lines);
	if (lines->has_held)
		put_byte(lines, lines->held);
	lines->has_held = false;
	put(lines, lines->eol, strlen(lines->eol));
	lines->column = 0;
}

/* Bytes up to the next one that needs thought, all at once; 0 when the next one does. */
static size_t
plain_run(const struct lines *lines, const char *bytes, size_t length)
{
	size_t run = 0, room = length;

	if (lines->column == 0 || lines->has_held || lines->saw_cr || lines->seven_bit)
		return 0;
	if (lines->line_limit > 2) {
		if (lines->column >= lines->line_limit - 1)
			return 0;
		if (room > lines->line_limit - 1 - lines->column)
			room = lines->line_limit - 1 - lines->column;
	}
	while (run < room && bytes[run] != '\n' && bytes[run] != '\r')
		run++;
	return run;
}

static void
take_cr(struct lines *lines)
{
	if (lines->saw_cr)
		take_content(lines, '\r');
	lines->saw_cr = false;
}

void
lines_write(struct lines *lines, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t run = plain_run(lines, bytes, length);

		if (run > 0) {
			put(lines, bytes, run);
			lines->column += run;
			bytes += run;
			length -= run;
			continue;
		}
		if (*bytes == '\n') {
			if (lines->keeps_cr)
				take_cr(lines);
			lines->saw_cr = false;
			end_line(lines);
		} else {
			take_cr(lines); /* one that no LF follows is content */
			lines->saw_cr = *bytes == '\r';
			if (!lines->saw_cr)
				take_content(lines, *bytes);
		}
		bytes++;
		length--;
	}
}

void
lines_end(struct lines *lines)
{
	take_cr(lines);
	lines->ended_late = lines->column > 0 || lines->matched > 0 || lines->has_held;
	if (lines->ended_late)
		end_line(lines);
}
