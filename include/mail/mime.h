/*
 * mime: a message with 8-bit bytes as one of 7 bits (RFC 2045), as V8 does it: part by part, quoted-
 * printable where few bytes have the high bit, else base64.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
