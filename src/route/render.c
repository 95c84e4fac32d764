#include "config.h"

#include "route/render.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "mail/mime.h"

enum { BODY_BLOCK = 32 * 1024 };

enum render_coding
render_choose_coding(const struct render *render, bool takes_8bit)
{
	bool has_8bit = (render->envelope->flags & ENVELOPE_8BIT) != 0,
	     may_label = render->config->options.eight_bit_mode == 'm';
	bool is_mime = mime_header_has(render->header, render->header_length, "MIME-Version");

	if (mailer_has(render->mailer, '7'))
		return has_8bit && (is_mime || may_label) ? RENDER_7BIT : RENDER_AS_IS;
	if (mailer_has(render->mailer, '9') &&
	    mime_is_encoded_text(render->header, render->header_length))
		return RENDER_8BIT;
	if (!has_8bit || mailer_has(render->mailer, '8'))
		return RENDER_AS_IS;
	if (takes_8bit)
		return may_label && !is_mime ? RENDER_LABELLED : RENDER_AS_IS;
	return is_mime || may_label ? RENDER_7BIT : RENDER_AS_IS;
}

struct lines
render_lines(const struct mailer *mailer)
{
	return (struct lines){
	    .eol = mailer->eol != NULL ? mailer->eol : "\n",
	    .line_limit = mailer->line_limit > 0 ? (size_t)mailer->line_limit : 0,
	    .dots = mailer_has(mailer, 'X'),
	    .from = mailer_has(mailer, 'E'),
	    .seven_bit = mailer_has(mailer, '7'),
	};
}

struct sink {
	struct lines *lines;
	void (*fit)(void *context);
	void *fit_context;
};

static void
take(void *context, const char *bytes, size_t length)
{
	struct sink *sink = context;

	lines_write(sink->lines, bytes, length);
	if (sink->fit != NULL)
		sink->fit(sink->fit_context);
}

/* The body as it is. */
static bool
copy_body(int fd, struct sink *sink)
{
	char block[BODY_BLOCK];
	off_t offset = 0;

	if (fd < 0)
		return true;
	for (;;) {
		ssize_t length = pread(fd, block, sizeof block, offset);

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length == 0;
		take(sink, block, (size_t)length);
		offset += length;
	}
}

static bool
in_class(void *context, char class, const char *word)
{
	const struct render *render = context;
	char name[2] = {class, '\0'};

	return class_has(
	    render->config->classes, macro_id(render->config->names, name), word, strlen(word));
}

static bool
convert(const struct render *render, enum render_coding coding, struct sink *sink)
{
	const char *charset = render->config->options.default_char_set;
	const char *name = config_macro(render->config, render->macros, "j");
	struct str note = {0};
	struct mime_request request = {
	    .header = render->header,
	    .header_length = render->header_length,
	    .body_fd = render->envelope->body_fd,
	    .charset = charset != NULL && *charset != '\0' ? charset : "unknown-8bit",
	    .encode = coding == RENDER_7BIT,
	    .encode_more = mailer_has(render->mailer, '3'),
	    .in_class = in_class,
	    .class_context = (struct render *)(uintptr_t)render,
	    .write = take,
	    .write_context = sink,
	};
	bool done;

	str_printf(&note, "by %s id %s", name != NULL ? name : "localhost", render->envelope->id);
	request.note = str_text(&note);
	done = coding == RENDER_8BIT ? mime_decode(&request) : mime_convert(&request);
	str_free(&note);
	return done;
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
 * none is cut, as V8 does with all of them.
 */
static void
write_header(struct sink *sink, const char *header, size_t length)
{
	size_t room = sink->lines->line_limit > 2 ? sink->lines->line_limit - 1 : SIZE_MAX;
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

static bool
write_as_it_is(const struct render *render, struct sink *sink)
{
	struct lines *lines = sink->lines;
	bool seven_bit = lines->seven_bit;

	lines->seven_bit = seven_bit || mailer_has(render->mailer, '6');
	write_header(sink, render->header, render->header_length);
	lines->seven_bit = seven_bit;
	take(sink, "\n", 1);
	return copy_body(render->envelope->body_fd, sink);
}

bool
render_message(const struct render *render, enum render_coding coding, struct lines *lines,
    void (*fit)(void *context), void *fit_context, const char **reason)
{
	struct sink sink = {lines, fit, fit_context};
	bool written =
	    coding == RENDER_AS_IS ? write_as_it_is(render, &sink) : convert(render, coding, &sink);

	if (written)
		lines_end(lines);
	else
		*reason = strerror(errno);
	return written;
}
