#include "client/session.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "mail/mime.h"

enum { BODY_BLOCK = 32 * 1024 };

struct sink {
	struct wire *wire;
	void (*fit)(void *context);
	void *fit_context;
};

static void
take(void *context, const char *bytes, size_t length)
{
	struct sink *sink = context;

	wire_write(sink->wire, bytes, length);
	if (sink->fit != NULL)
		sink->fit(sink->fit_context);
}

/* The body as it is. */
static bool
copy_body(int fd, struct sink *sink, const char **reason)
{
	char block[BODY_BLOCK];
	off_t offset = 0;

	if (fd < 0)
		return true;
	for (;;) {
		ssize_t length = pread(fd, block, sizeof block, offset);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0) {
			*reason = strerror(errno);
			return false;
		}
		if (length == 0)
			return true;
		take(sink, block, (size_t)length);
		offset += length;
	}
}

static bool
in_class(void *context, char class, const char *word)
{
	const struct client *c = context;
	char name[2] = {class, '\0'};

	return class_has(c->config->classes, macro_id(c->config->names, name), word, strlen(word));
}

static bool
convert(struct client *c, const struct client_message *message, bool encode, struct sink *sink,
    const char **reason)
{
	const char *charset = c->config->options.default_char_set;
	const char *name = config_macro(c->config, c->macros, "j");
	struct mime_request request = {
	    .header = message->header,
	    .header_length = message->header_length,
	    .body_fd = message->envelope->body_fd,
	    .note = arena_printf(message->envelope->arena, "by %s id %s",
		name != NULL ? name : "localhost", message->envelope->id),
	    .charset = charset != NULL && *charset != '\0' ? charset : "unknown-8bit",
	    .encode = encode,
	    .in_class = in_class,
	    .class_context = c,
	    .write = take,
	    .write_context = sink,
	};

	if (mime_convert(&request))
		return true;
	*reason = strerror(errno);
	return false;
}

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Where to fold a header line that is longer than `room`: at its last blank behind a word of the field; 0: nowhere. */
static size_t
find_fold(const char *line, size_t room)
{
	const char *colon = is_blank(*line) ? NULL : memchr(line, ':', room);
	size_t first = colon == NULL ? 0 : (size_t)(colon - line) + 1, at;

	while (first < room && is_blank(line[first]))
		first++;
	for (at = room; at > first; at--) {
		if (is_blank(line[at]) && !is_blank(line[at - 1]))
			return at;
	}
	return 0;
}

/*
 * A header line longer than the mailer takes is folded at a blank, which changes nothing of its meaning; what has
 * none is cut by the wire, as V8 does with all of them.
 */
static void
write_header(struct sink *sink, const char *header, size_t length)
{
	size_t room = sink->wire->line_limit > 2 ? sink->wire->line_limit - 1 : SIZE_MAX;
	const char *end = header + length;

	while (header < end) {
		const char *newline = memchr(header, '\n', (size_t)(end - header));
		size_t line =
		    newline != NULL ? (size_t)(newline - header) + 1 : (size_t)(end - header);
		size_t fold = line - 1 > room ? find_fold(header, room) : 0;

		take(sink, header, fold > 0 ? fold : line);
		if (fold > 0)
			take(sink, "\n", 1);
		header += fold > 0 ? fold : line;
	}
}

bool
client_write_message(struct client *c, const struct client_message *message,
    enum client_coding coding, struct wire *wire, void (*fit)(void *context), void *fit_context,
    const char **reason)
{
	struct sink sink = {wire, fit, fit_context};
	bool written;

	if (coding == CODING_AS_IS) {
		write_header(&sink, message->header, message->header_length);
		take(&sink, "\n", 1);
		written = copy_body(message->envelope->body_fd, &sink, reason);
	} else {
		written = convert(c, message, coding == CODING_7BIT, &sink, reason);
	}
	if (written)
		wire_end(wire);
	return written;
}
