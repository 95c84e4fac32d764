#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "mail/mime.h"
#include "mime_entity.h"

enum { BLOCK = 8 * 1024, INVALID = 63 /* V8: bytes that are not of base64 count as all ones */ };

enum qp_state {
	QP_TEXT,
	QP_EQUAL, /* behind '=', and blanks */
	QP_DIGIT, /* behind its first digit */
	QP_SKIP,  /* V8: behind what is no code the rest of the line is lost, its end too */
};

struct decoder {
	struct str out;
	bool is_line_start;
	/* quoted-printable */
	enum qp_state state;
	int digit;
	/* base64 */
	int group[4];
	size_t count;
	bool saw_cr;
};

static void
add(struct decoder *decoder, int byte)
{
	str_add_char(&decoder->out, (char)byte);
	decoder->is_line_start = byte == '\n';
}

static int
digit_value(unsigned char byte)
{
	if (text_is_digit(byte))
		return byte - '0';
	byte = (unsigned char)text_lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void
take_quoted(struct decoder *decoder, unsigned char byte)
{
	int value = digit_value(byte);

	switch (decoder->state) {
	case QP_TEXT:
		if (byte == '=')
			decoder->state = QP_EQUAL;
		else
			add(decoder, byte);
		return;
	case QP_EQUAL:
		if (byte == ' ' || byte == '\t')
			return;
		decoder->state = byte == '\n' ? QP_TEXT : value >= 0 ? QP_DIGIT : QP_SKIP;
		decoder->digit = value;
		return;
	case QP_DIGIT:
		if (value >= 0)
			add(decoder, decoder->digit << 4 | value);
		if (value >= 0 || byte == '\n')
			decoder->state = QP_TEXT;
		return;
	case QP_SKIP:
		if (byte == '\n')
			decoder->state = QP_TEXT;
		return;
	}
}

static int
sextet_value(unsigned char byte)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = byte != '\0' ? strchr(digits, byte) : NULL;

	return byte == '=' ? -1 : found != NULL ? (int)(found - digits) : INVALID;
}

/* Lines are encoded with CR LF. */
static void
add_of_network(struct decoder *decoder, int byte)
{
	if (decoder->saw_cr && byte != '\n')
		add(decoder, '\r');
	decoder->saw_cr = byte == '\r';
	if (!decoder->saw_cr)
		add(decoder, byte);
}

static void
take_base64(struct decoder *decoder, unsigned char byte)
{
	const int *group = decoder->group;

	if (text_is_space(byte))
		return;
	decoder->group[decoder->count++] = sextet_value(byte);
	if (decoder->count < 4)
		return;
	decoder->count = 0;
	if (group[0] < 0 || group[1] < 0)
		return;
	add_of_network(decoder, (group[0] << 2 | group[1] >> 4) & 0xff);
	if (group[2] < 0)
		return;
	add_of_network(decoder, (group[1] << 4 | group[2] >> 2) & 0xff);
	if (group[3] >= 0)
		add_of_network(decoder, (group[2] << 6 | group[3]) & 0xff);
}

static bool
decode_body(const struct mime_request *request, bool is_base64)
{
	void (*take)(struct decoder *, unsigned char) = is_base64 ? take_base64 : take_quoted;
	struct decoder decoder = {.is_line_start = true};
	unsigned char block[BLOCK];
	off_t at = 0;
	ssize_t got;

	for (;;) {
		got = request->body_fd < 0 ? 0 : pread(request->body_fd, block, sizeof block, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		for (ssize_t i = 0; i < got; i++)
			take(&decoder, block[i]);
		request->write(request->write_context, decoder.out.data, decoder.out.length);
		str_clear(&decoder.out);
		at += got;
	}
	if (decoder.saw_cr)
		add(&decoder, '\r');
	if (is_base64 && !decoder.is_line_start)
		add(&decoder, '\n');
	add(&decoder, '\n');
	if (got == 0)
		request->write(request->write_context, decoder.out.data, decoder.out.length);
	str_free(&decoder.out);
	return got == 0;
}

bool
mime_is_encoded_text(const char *header, size_t length)
{
	struct mime_entity entity;
	bool is_it;

	mime_entity_begin(&entity);
	mime_entity_read(&entity, header, length);
	is_it = entity.has_type && text_equal_nocase(str_text(&entity.type), "text") &&
		text_equal_nocase(str_text(&entity.subtype), "plain") &&
		(text_equal_nocase(str_text(&entity.encoding), "quoted-printable") ||
		    text_equal_nocase(str_text(&entity.encoding), "base64"));
	mime_entity_free(&entity);
	return is_it;
}

bool
mime_decode(const struct mime_request *request)
{
	struct mime_entity entity;
	struct str header = {0};
	bool is_base64, ok;

	mime_entity_begin(&entity);
	mime_entity_read(&entity, request->header, request->header_length);
	is_base64 = text_equal_nocase(str_text(&entity.encoding), "base64");
	str_add(&header, entity.header.data, entity.header.length);
	str_printf(&header,
	    "Content-Transfer-Encoding: 8bit\n"
	    "X-MIME-Autoconverted: from %s to 8bit %s\n\n",
	    str_text(&entity.encoding), request->note);
	request->write(request->write_context, header.data, header.length);
	ok = decode_body(request, is_base64);
	str_free(&header);
	mime_entity_free(&entity);
	return ok;
}
