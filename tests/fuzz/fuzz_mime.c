/* A message with 8-bit bytes on its way to a peer of 7, and replies of that peer: any bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/reply.h"
#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
count(void *context, const char *piece, size_t length)
{
	(void)piece;
	*(size_t *)context += length;
}

static void
read_replies(const char *text, size_t length)
{
	struct arena *arena = arena_create();

	while (length > 0) {
		const char *newline = memchr(text, '\n', length);
		size_t line = newline != NULL ? (size_t)(newline - text) : length;
		struct reply_line parsed;
		struct reply reply;

		if (reply_parse_line(text, line, &parsed)) {
			reply_set(&reply, arena, text, line, &parsed);
			if (strpbrk(reply.first, "\r\n\033") != NULL ||
			    reply_text_alone(&reply) == NULL)
				abort();
		}
		text += line + (newline != NULL);
		length -= line + (newline != NULL);
	}
	arena_destroy(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static FILE *file;
	const char *text = (const char *)bytes;
	size_t header = 0, written = 0;
	struct mime_request request = {.note = "by HOST id QID",
	    .charset = "unknown-8bit",
	    .write = count,
	    .write_context = &written};

	if (file == NULL && (file = tmpfile()) == NULL)
		abort();
	read_replies(text, length);
	while (header < length &&
	       !(text[header] == '\n' && header + 1 < length && text[header + 1] == '\n'))
		header++;
	if (header < length)
		header++;
	if (ftruncate(fileno(file), 0) != 0 ||
	    pwrite(fileno(file), text + header, length - header, 0) < 0)
		abort();
	request.header = text;
	request.header_length = header;
	request.body_fd = fileno(file);
	request.encode = length % 5 != 0;
	if (!mime_convert(&request))
		abort();
	if (mime_is_encoded_text(request.header, request.header_length) && !mime_decode(&request))
		abort();
	/* quoted-printable is the longest that a byte becomes; fields are added to parts */
	if (written > 1000 + 402 * length)
		abort();
	return 0;
}
