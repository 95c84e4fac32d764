/*
 * mime: a message with 8-bit bytes as one of 7 bits (RFC 2045), as V8 does it: part by part, quoted-
 * printable where few bytes have the high bit, else base64.  And plain text of 7 bits as 8-bit text.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Classes e, n, q and s of the cf: is this word in it?  NULL in the request: V8's own contents. */
typedef bool mime_class(void *context, char class, const char *word);

struct mime_request {
	const char *header; /* the whole header, lines ended by \n, no blank line at the end */
	size_t header_length;
	int body_fd;	     /* read with pread from its start */
	const char *note;    /* "by HOST id QID", for X-MIME-Autoconverted */
	const char *charset; /* of a message without MIME header: "unknown-8bit" */
	bool
	    encode; /* false: only the MIME header fields are added to a message without them ("8bit") */
	bool encode_more; /* quoted-printable: also what EBCDIC has no place for (flag 3) */
	mime_class *in_class;
	void *class_context;
	/* header, blank line and body come here, lines ended by \n */
	void (*write)(void *context, const char *bytes, size_t length);
	void *write_context;
};

bool mime_header_has(
    const char *header, size_t length, const char *name); /* a field of this name */

/* False when the body could not be read; errno says why.  What was written so far is half a message. */
bool mime_convert(const struct mime_request *);

/* Is it text/plain in quoted-printable or base64, which mailers with flag 9 want as 8-bit text? */
bool mime_is_encoded_text(const char *header, size_t length);

/*
 * Such a message with its body decoded, as V8 does: the body ends with one line end more than was
 * encoded.  False as with mime_convert.
 */
bool mime_decode(const struct mime_request *);

/*
 * MaxMimeHeaderLength: a field of MIME as a mail reader can take it.  Content-Type and Content-Disposition have
 * limits for each parameter, too; quotes and comments are closed where they are cut, and where they were open.
 * 0 is no limit.  The value itself when nothing was to be done (or the field is no such one), else one in the
 * arena, and *note tells what was.
 */
const char *mime_limit_value(const char *name, const char *value, size_t maximum,
    size_t parameter_maximum, struct arena *, const char **note);

#endif
