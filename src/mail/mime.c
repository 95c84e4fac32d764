#include "mail/mime.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/str.h"
#include "base/text.h"
#include "mime_entity.h"

enum {
	READ_SIZE = 8 * 1024,
	SAMPLE_SIZE = 4096,	 /* V8: so much of a part decides its encoding */
	PARTS_DEEP_MAXIMUM = 20, /* V8: deeper parts go as they are */
	QP_LINE_MAXIMUM = 72,
	BASE64_LINE = 54, /* bytes: 72 characters */
};

/* The body by lines; a line longer than the buffer comes in pieces. */
struct reader {
	int fd;
	off_t offset; /* in the file, of buffer[0] */
	size_t start, end;
	char buffer[READ_SIZE];
	bool is_line_start; /* the next piece begins a line */
	int error;
};

struct boundary {
	const struct boundary *outer;
	const char *text;
	size_t length;
};

enum section_end { SECTION_GOES_ON, SECTION_NEXT, SECTION_LAST, SECTION_END_OF_FILE };

static void
put(const struct mime_request *request, const char *bytes, size_t length)
{
	request->write(request->write_context, bytes, length);
}

static void
put_text(const struct mime_request *request, const char *text)
{
	put(request, text, strlen(text));
}

static void
fill(struct reader *reader)
{
	ssize_t length;

	memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
	reader->offset += (off_t)reader->start;
	reader->end -= reader->start;
	reader->start = 0;
	do
		length = reader->fd < 0
			     ? 0
			     : pread(reader->fd, reader->buffer + reader->end,
				   READ_SIZE - reader->end, reader->offset + (off_t)reader->end);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		reader->error = errno;
	else
		reader->end += (size_t)length;
}

/* The next line or piece of one, with its \n if it has one; NULL at the end or at an error. */
static const char *
next_piece(struct reader *reader, size_t *length, bool *begins_line)
{
	const char *piece, *newline;
	size_t before;

	for (;;) {
		piece = reader->buffer + reader->start;
		newline = memchr(piece, '\n', reader->end - reader->start);
		if (newline != NULL || reader->end - reader->start == READ_SIZE)
			break;
		before = reader->end - reader->start;
		fill(reader);
		if (reader->end == before) {
			piece = reader->buffer + reader->start;
			break;
		}
	}
	*length = newline != NULL ? (size_t)(newline - piece) + 1 : reader->end - reader->start;
	if (*length == 0 || reader->error != 0)
		return NULL;
	*begins_line = reader->is_line_start;
	reader->is_line_start = newline != NULL;
	reader->start += *length;
	return piece;
}

static off_t
tell(const struct reader *reader)
{
	return reader->offset + (off_t)reader->start;
}

static void
seek(struct reader *reader, off_t offset)
{
	reader->offset = offset;
	reader->start = reader->end = 0;
	reader->is_line_start = true;
}

/* Is this line a boundary of the part we are in, or of one around it?  *of is the one. */
static enum section_end
match_boundary(
    const struct boundary *boundary, const char *line, size_t length, const struct boundary **of)
{
	if (length < 3 || line[0] != '-' || line[1] != '-')
		return SECTION_GOES_ON;
	for (; boundary != NULL; boundary = boundary->outer) {
		size_t at = 2 + boundary->length;
		bool is_last;

		if (length < at || memcmp(line + 2, boundary->text, boundary->length) != 0)
			continue;
		is_last = length >= at + 2 && line[at] == '-' && line[at + 1] == '-';
		if (is_last)
			at += 2;
		while (at < length && text_is_space((unsigned char)line[at]))
			at++;
		if (at < length)
			continue;
		*of = boundary;
		return is_last ? SECTION_LAST : SECTION_NEXT;
	}
	return SECTION_GOES_ON;
}

/* Reads the header of a part; how the part ends if it does within its header. */
static enum section_end
read_part_header(struct reader *reader, struct mime_entity *entity, const struct boundary *boundary,
    const struct boundary **of)
{
	struct str header = {0};
	const char *line;
	size_t length;
	bool begins;
	enum section_end end = SECTION_END_OF_FILE;

	while ((line = next_piece(reader, &length, &begins)) != NULL) {
		end = begins ? match_boundary(boundary, line, length, of) : SECTION_GOES_ON;
		if (end != SECTION_GOES_ON)
			break;
		if (begins && (*line == '\n' || (length == 2 && *line == '\r')))
			break;
		str_add(&header, line, length);
		end = SECTION_END_OF_FILE;
	}
	mime_entity_read(entity, str_text(&header), header.length);
	str_free(&header);
	return end;
}

static bool
in_class(
    const struct mime_request *request, char class, const struct mime_entity *entity, bool whole)
{
	struct str name = {0};
	const char *word;
	bool found;

	str_add_text(&name, str_text(&entity->type));
	if (whole)
		str_printf(&name, "/%s", str_text(&entity->subtype));
	word = str_text(&name);
	if (request->in_class != NULL)
		found = request->in_class(request->class_context, class, word);
	else
		found = class == 'n' && text_equal_nocase(word, "multipart/signed");
	str_free(&name);
	return found;
}

/* Encodings that may be undone: 7bit, 8bit, binary. */
static bool
may_encode(const struct mime_request *request, const struct mime_entity *entity)
{
	const char *encoding = str_text(&entity->encoding);

	if (!entity->has_encoding)
		return true;
	if (request->in_class != NULL)
		return request->in_class(request->class_context, 'e', encoding);
	return text_equal_nocase(encoding, "7bit") || text_equal_nocase(encoding, "8bit") ||
	       text_equal_nocase(encoding, "binary");
}

/*
 * Copies a section up to the boundary that ends it (which is not written).  The line break before
 * a boundary belongs to that; a section always ends with one here.
 */
static enum section_end
copy_section(const struct mime_request *request, struct reader *reader,
    const struct boundary *boundary, bool strip, const struct boundary **of)
{
	const char *piece;
	size_t length;
	bool begins, ends_line = true;
	char block[READ_SIZE];

	while ((piece = next_piece(reader, &length, &begins)) != NULL) {
		enum section_end end =
		    begins ? match_boundary(boundary, piece, length, of) : SECTION_GOES_ON;

		if (end != SECTION_GOES_ON) {
			if (!ends_line)
				put(request, "\n", 1);
			return end;
		}
		memcpy(block, piece, length);
		for (size_t i = 0; strip && i < length; i++)
			block[i] = (char)(block[i] & 0x7f);
		put(request, block, length);
		ends_line = block[length - 1] == '\n';
	}
	if (!ends_line)
		put(request, "\n", 1);
	return SECTION_END_OF_FILE;
}

/* How much of a section has the high bit, looked at in its first bytes. */
static void
sample(struct reader *reader, const struct boundary *boundary, size_t *total, size_t *high)
{
	const struct boundary *of;
	off_t begin = tell(reader);
	const char *piece;
	size_t length;
	bool begins;

	*total = *high = 0;
	while (*total < SAMPLE_SIZE && (piece = next_piece(reader, &length, &begins)) != NULL) {
		if (begins && match_boundary(boundary, piece, length, &of) != SECTION_GOES_ON)
			break;
		for (size_t i = 0; i < length && *total < SAMPLE_SIZE; i++, ++*total)
			*high += (unsigned char)piece[i] >= 0x80;
	}
	seek(reader, begin);
}

/* Whether any byte of the section has the high bit. */
static bool
has_high_bytes(struct reader *reader, const struct boundary *boundary)
{
	const struct boundary *of;
	off_t begin = tell(reader);
	const char *piece;
	size_t length;
	bool begins, found = false;

	while (!found && (piece = next_piece(reader, &length, &begins)) != NULL) {
		if (begins && match_boundary(boundary, piece, length, &of) != SECTION_GOES_ON)
			break;
		for (size_t i = 0; i < length && !found; i++)
			found = (unsigned char)piece[i] >= 0x80;
	}
	seek(reader, begin);
	return found;
}

struct encoder {
	const struct mime_request *request;
	struct str line; /* quoted-printable: of the line being made; base64: bytes to encode */
	size_t column;
	int held;	  /* a blank that may end its line; -1: none */
	bool saw_newline; /* held back: it may belong to a boundary */
	bool only_dot;
};

static void
qp_put(struct encoder *encoder, const char *text, size_t length)
{
	if (encoder->column > QP_LINE_MAXIMUM) {
		str_add_text(&encoder->line, "=\n");
		put(encoder->request, encoder->line.data, encoder->line.length);
		str_clear(&encoder->line);
		encoder->column = 0;
	}
	str_add(&encoder->line, text, length);
	encoder->column += length;
}

static void
qp_code(struct encoder *encoder, int byte)
{
	static const char digits[] = "0123456789ABCDEF";
	char code[3] = {'=', digits[byte >> 4], digits[byte & 15]};

	qp_put(encoder, code, 3);
}

static void
qp_end_line(struct encoder *encoder)
{
	if (encoder->held >= 0)
		qp_code(encoder, encoder->held);
	encoder->held = -1;
	if (encoder->only_dot) {
		str_clear(&encoder->line);
		str_add_text(&encoder->line, "=2E");
	}
	encoder->only_dot = false;
	str_add_char(&encoder->line, '\n');
	put(encoder->request, encoder->line.data, encoder->line.length);
	str_clear(&encoder->line);
	encoder->column = 0;
}

static void
qp_byte(struct encoder *encoder, unsigned char byte)
{
	static const char more[] = "!\"#$@[\\]^`{|}~"; /* not in every EBCDIC: flag 3 */
	char plain;

	if (byte == '\n') {
		qp_end_line(encoder);
		return;
	}
	encoder->only_dot = byte == '.' && encoder->column == 0 && encoder->held < 0;
	if (encoder->held >= 0) {
		plain = (char)encoder->held;
		qp_put(encoder, &plain, 1);
		encoder->held = -1;
	}
	plain = (char)byte;
	if (byte == ' ' || byte == '\t')
		encoder->held = byte;
	else if (byte < ' ' || byte >= 0x7f || byte == '=' ||
		 (encoder->request->encode_more && strchr(more, byte) != NULL))
		qp_code(encoder, byte);
	else
		qp_put(encoder, &plain, 1);
}

static void
base64_flush(struct encoder *encoder, bool all)
{
	size_t done = 0;
	struct str out = {0};

	while (encoder->line.length - done >= BASE64_LINE || (all && done < encoder->line.length)) {
		size_t part = encoder->line.length - done < BASE64_LINE
				  ? encoder->line.length - done
				  : BASE64_LINE;

		base64_encode(&out, encoder->line.data + done, part);
		str_add_char(&out, '\n');
		done += part;
	}
	put(encoder->request, out.data, out.length);
	str_free(&out);
	memmove(encoder->line.data, encoder->line.data + done, encoder->line.length - done);
	str_truncate(&encoder->line, encoder->line.length - done);
}

/* Text is encoded with the line ends that the network has. */
static void
base64_byte(struct encoder *encoder, unsigned char byte)
{
	if (byte == '\n')
		str_add(&encoder->line, "\r\n", 2);
	else
		str_add_char(&encoder->line, (char)byte);
	if (encoder->line.length > READ_SIZE)
		base64_flush(encoder, false);
}

static enum section_end
encode_section(const struct mime_request *request, struct reader *reader,
    const struct boundary *boundary, bool quoted_printable, const struct boundary **of)
{
	struct encoder encoder = {.request = request, .held = -1};
	void (*encode)(struct encoder *, unsigned char) = quoted_printable ? qp_byte : base64_byte;
	enum section_end end = SECTION_END_OF_FILE;
	const char *piece;
	size_t length;
	bool begins;

	while ((piece = next_piece(reader, &length, &begins)) != NULL) {
		end = begins ? match_boundary(boundary, piece, length, of) : SECTION_GOES_ON;
		if (end != SECTION_GOES_ON)
			break;
		end = SECTION_END_OF_FILE;
		if (encoder.saw_newline)
			encode(&encoder, '\n');
		encoder.saw_newline = piece[length - 1] == '\n';
		for (size_t i = 0; i < length - encoder.saw_newline; i++)
			encode(&encoder, (unsigned char)piece[i]);
	}
	if (encoder.saw_newline && end == SECTION_END_OF_FILE)
		encode(&encoder, '\n');
	if (quoted_printable && (encoder.line.length > 0 || encoder.held >= 0))
		qp_end_line(&encoder);
	if (!quoted_printable && encoder.line.length > 0)
		base64_flush(&encoder, true);
	str_free(&encoder.line);
	return end;
}

static enum section_end convert_entity(const struct mime_request *, struct reader *,
    const struct mime_entity *, const struct boundary *, int depth, const struct boundary **of);

static enum section_end
convert_part(const struct mime_request *request, struct reader *reader,
    const struct boundary *boundary, int depth, const struct boundary **of)
{
	struct mime_entity entity;
	enum section_end end;

	mime_entity_begin(&entity);
	end = read_part_header(reader, &entity, boundary, of);
	if (end == SECTION_GOES_ON)
		end = convert_entity(request, reader, &entity, boundary, depth, of);
	else
		put(request, entity.header.data, entity.header.length);
	mime_entity_free(&entity);
	return end;
}

static void
put_boundary(const struct mime_request *request, const struct boundary *boundary, bool is_last)
{
	put_text(request, "--");
	put(request, boundary->text, boundary->length);
	put_text(request, is_last ? "--\n" : "\n");
}

static enum section_end
convert_multipart(const struct mime_request *request, struct reader *reader,
    const struct mime_entity *entity, const struct boundary *outer, int depth,
    const struct boundary **of)
{
	struct boundary own = {outer, str_text(&entity->boundary), entity->boundary.length};
	enum section_end end;

	put(request, entity->header.data, entity->header.length);
	put_text(request, "\n");
	end = copy_section(request, reader, &own, true, of);
	while (end == SECTION_NEXT && *of == &own) {
		put_boundary(request, &own, false);
		end = convert_part(request, reader, &own, depth + 1, of);
	}
	if (end != SECTION_LAST || *of != &own)
		return end;
	put_boundary(request, &own, true);
	return copy_section(request, reader, outer, true, of);
}

static void
put_encoding(const struct mime_request *request, const char *encoding)
{
	put_text(request, "Content-Transfer-Encoding: ");
	put_text(request, encoding);
	put_text(request, "\n");
}

static enum section_end
convert_leaf(const struct mime_request *request, struct reader *reader,
    const struct mime_entity *entity, const struct boundary *boundary, const struct boundary **of)
{
	bool is_quoted =
	    in_class(request, 'q', entity, true) || in_class(request, 'q', entity, false);
	size_t total, high;

	put(request, entity->header.data, entity->header.length);
	if (!has_high_bytes(reader, boundary)) {
		if (entity->has_encoding)
			put_encoding(request, str_text(&entity->encoding));
		put_text(request, "\n");
		return copy_section(request, reader, boundary, false, of);
	}
	sample(reader, boundary, &total, &high);
	is_quoted = is_quoted || high <= total / 8;
	put_encoding(request, is_quoted ? "quoted-printable" : "base64");
	put_text(request, "X-MIME-Autoconverted: from 8bit to ");
	put_text(request, is_quoted ? "quoted-printable " : "base64 ");
	put_text(request, request->note);
	put_text(request, "\n\n");
	return encode_section(request, reader, boundary, is_quoted, of);
}

/* One entity whose header has been read: its header, a blank line and its body. */
static enum section_end
convert_entity(const struct mime_request *request, struct reader *reader,
    const struct mime_entity *entity, const struct boundary *boundary, int depth,
    const struct boundary **of)
{
	const char *type = str_text(&entity->type);
	bool is_untouchable =
	    in_class(request, 'n', entity, true) || in_class(request, 'n', entity, false);

	if (!may_encode(request, entity) || is_untouchable || depth > PARTS_DEEP_MAXIMUM) {
		put(request, entity->header.data, entity->header.length);
		if (entity->has_encoding)
			put_encoding(request, str_text(&entity->encoding));
		put_text(request, "\n");
		return copy_section(request, reader, boundary, false, of);
	}
	if (text_equal_nocase(type, "multipart") && entity->boundary.length > 0)
		return convert_multipart(request, reader, entity, boundary, depth, of);
	if (text_equal_nocase(type, "message") &&
	    text_equal_nocase(str_text(&entity->subtype), "rfc822")) {
		put(request, entity->header.data, entity->header.length);
		put_text(request, "\n");
		return convert_part(request, reader, boundary, depth + 1, of);
	}
	return convert_leaf(request, reader, entity, boundary, of);
}

bool
mime_convert(const struct mime_request *request)
{
	static const char version[] = "MIME-Version: 1.0\n",
			  plain[] = "MIME-Version: 1.0\nContent-Type: text/plain; charset=";
	struct reader reader = {.fd = request->body_fd, .is_line_start = true};
	const struct boundary *of = NULL;
	struct str header = {0};
	struct mime_entity entity;

	str_add(&header, request->header, request->header_length);
	if (!mime_header_has(request->header, request->header_length, "MIME-Version"))
		str_printf(&header, "%s%s\n", plain, request->charset);
	else if (request->encode &&
		 !mime_header_has(request->header, request->header_length, "Content-Type"))
		str_printf(&header, "%s%s\n", plain + sizeof version - 1, request->charset);
	mime_entity_begin(&entity);
	mime_entity_read(&entity, str_text(&header), header.length);
	if (request->encode) {
		convert_entity(request, &reader, &entity, NULL, 0, &of);
	} else {
		put(request, entity.header.data, entity.header.length);
		put_encoding(request, entity.has_encoding ? str_text(&entity.encoding) : "8bit");
		put_text(request, "\n");
		copy_section(request, &reader, NULL, false, &of);
	}
	mime_entity_free(&entity);
	str_free(&header);
	errno = reader.error;
	return reader.error == 0;
}
