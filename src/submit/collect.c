#include "submit/collect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "submit/head.h"

enum {
	BUFFER_SIZE = 65536,
	MEMORY_MAXIMUM = 256 * 1024, /* larger bodies go to the file while they come */
	LOOK_AHEAD = 3,		     /* ".", line end */
};

struct input {
	struct collect *collect;
	size_t start, end; /* of what was read and not used */
	bool is_over;
	bool at_line_start;
	unsigned char *bytes;
};

/* Part of a line: as much as is there, up to and with its line end. */
struct piece {
	const char *bytes; /* without line end; CR in front of it is taken off as well */
	size_t length;
	bool starts_line, ends_line;
};

static void
refill(struct input *input)
{
	ssize_t got;

	if (input->is_over)
		return;
	memmove(input->bytes, input->bytes + input->start, input->end - input->start);
	input->end -= input->start;
	input->start = 0;
	do
		got = read(
		    input->collect->input, input->bytes + input->end, BUFFER_SIZE - input->end);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		input->end += (size_t)got;
		return;
	}
	input->is_over = true;
	if (got < 0)
		input->collect->input_error = errno;
}

/* False at the end of input. */
static bool
next_piece(struct input *input, struct piece *piece)
{
	unsigned char *line_end = NULL;
	size_t length;

	for (;;) {
		length = input->end - input->start;
		line_end = length == 0 ? NULL : memchr(input->bytes + input->start, '\n', length);
		/* a CR at the end of what is there may belong to a line end; a dot is judged by what follows */
		if (line_end != NULL || length > LOOK_AHEAD || input->is_over)
			break;
		refill(input);
	}
	if (length == 0)
		return false;
	*piece = (struct piece){.bytes = (char *)input->bytes + input->start,
	    .starts_line = input->at_line_start,
	    .ends_line = line_end != NULL};
	if (line_end != NULL) {
		length = (size_t)(line_end - (input->bytes + input->start));
		input->start += length + 1;
		if (length > 0 && piece->bytes[length - 1] == '\r')
			length--;
	} else {
		if (!input->is_over && piece->bytes[length - 1] == '\r')
			length--;
		input->start += length;
	}
	piece->length = length;
	input->at_line_start = piece->ends_line;
	if (input->collect->strips_high_bit) {
		for (size_t i = 0; i < length; i++)
			((unsigned char *)
				input->bytes)[(size_t)(piece->bytes - (char *)input->bytes) + i] &=
			    0x7f;
	}
	return true;
}

/* True for the lone dot; takes one of two leading dots off. */
static bool
is_final_dot(const struct collect *collect, struct piece *piece)
{
	if (collect->ignores_dots || !piece->starts_line || piece->length == 0 ||
	    piece->bytes[0] != '.')
		return false;
	/* V8: also where input ends behind the CR */
	if (piece->length == 1 ||
	    (piece->length == 2 && piece->bytes[1] == '\r' && !piece->ends_line))
		return true;
	if (piece->bytes[1] == '.') {
		piece->bytes++;
		piece->length--;
	}
	return false;
}

static void
note_high_bytes(struct collect *collect, const struct piece *piece)
{
	for (size_t i = 0; i < piece->length && !collect->has_8bit; i++)
		collect->has_8bit = (unsigned char)piece->bytes[i] > 127;
}

static void
flush(struct collect *collect)
{
	if (collect->file < 0)
		collect->file = collect->open_file(collect->context);
	if (collect->file < 0 || !io_write(collect->file, collect->body.data, collect->body.length))
		collect->file_error = errno;
	str_clear(&collect->body);
}

static void
keep(struct collect *collect, const char *bytes, size_t length)
{
	collect->size += (off_t)length;
	if (collect->message_maximum > 0 && collect->size > collect->message_maximum) {
		collect->is_too_large = true;
		str_clear(&collect->body);
		return;
	}
	if (collect->file_error != 0)
		return;
	collect->body_size += (off_t)length;
	str_add(&collect->body, bytes, length);
	if (collect->body.length > MEMORY_MAXIMUM)
		flush(collect);
}

/*
 * A line of the header in one piece, or the first `room` bytes of one that is far too long: when it
 * turns out to be body, the rest of it follows as such.
 */
static bool
next_header_line(struct input *input, struct str *line, bool *ends_line)
{
	struct collect *collect = input->collect;
	size_t room =
	    (size_t)(collect->header_maximum > 0 ? collect->header_maximum + 2 : 16 << 20);
	struct piece piece;
	bool any = false;

	str_clear(line);
	*ends_line = false;
	while (!*ends_line && line->length < room && next_piece(input, &piece)) {
		if (is_final_dot(collect, &piece)) {
			input->is_over = true;
			input->start = input->end;
			return false;
		}
		any = true;
		note_high_bytes(collect, &piece);
		str_add(line, piece.bytes, piece.length);
		*ends_line = piece.ends_line;
	}
	return any;
}

static void
skip_line(struct input *input)
{
	struct piece piece;

	while (next_piece(input, &piece)) {
		input->collect->size += (off_t)piece.length + (piece.ends_line ? 1 : 0);
		if (piece.ends_line)
			break;
	}
}

static void
read_header(struct input *input, struct envelope *envelope)
{
	struct collect *collect = input->collect;
	enum head_state state = HEAD_MORE;
	struct head_reader reader;
	struct str line = {0};
	bool ends_line;

	head_begin(&reader, envelope, collect->header_maximum);
	while (
	    state != HEAD_BODY && state != HEAD_END && next_header_line(input, &line, &ends_line)) {
		state = head_line(&reader, str_text(&line), line.length);
		if (state == HEAD_BODY) {
			keep(collect, str_text(&line), line.length);
			if (ends_line)
				keep(collect, "\n", 1);
			continue;
		}
		collect->size += (off_t)line.length + (ends_line ? 1 : 0);
		if (!ends_line)
			skip_line(input);
	}
	head_end(&reader);
	collect->header_is_too_large = reader.is_too_large;
	str_free(&line);
}

bool
collect_message(struct collect *collect, struct envelope *envelope)
{
	struct input input = {
	    .collect = collect, .at_line_start = true, .bytes = check_malloc(BUFFER_SIZE)};
	struct piece piece;

	collect->file = -1;
	read_header(&input, envelope);
	while (collect->file_error == 0 && next_piece(&input, &piece)) {
		if (is_final_dot(collect, &piece))
			break;
		note_high_bytes(collect, &piece);
		keep(collect, piece.bytes, piece.length);
		if (piece.ends_line)
			keep(collect, "\n", 1);
	}
	if (collect->file >= 0 && collect->file_error == 0 && collect->body.length > 0)
		flush(collect);
	envelope->body_size = collect->body_size;
	envelope->message_size = collect->size;
	if (collect->has_8bit)
		envelope->flags |= ENVELOPE_8BIT;
	check(collect->body.length == 0 || collect->file < 0 || collect->file_error != 0);
	free(input.bytes);
	return collect->file_error == 0 &&
	       (collect->input_error == 0 || collect->input_error == EBADF);
}
