/*
 * head: reads the header of a new message, line by line, from whatever source: submission's input,
 * the SMTP server's DATA, the local hand-over.  Pure.
 */
#ifndef SUBMIT_HEAD_H
#define SUBMIT_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "mail/envelope.h"

struct head_reader {
	struct envelope *envelope; /* fields are appended to its header */
	size_t maximum;		   /* MaxHeadersLength in bytes; 0: none */
	size_t bytes;		   /* of header lines so far, line ends counted */
	bool is_too_large;	   /* passed the maximum: the fields beyond it were dropped */
	bool is_first;		   /* no line came yet */
	struct str field;	   /* the field being collected, with its continuation lines */
};

enum head_state {
	HEAD_MORE,  /* taken: the header goes on */
	HEAD_END,   /* the empty line: taken, the body begins after it */
	HEAD_BODY,  /* no header line: it is the first line of the body */
	HEAD_FROM_, /* a "From " line in front of the header: dropped */
};

void head_begin(struct head_reader *, struct envelope *, long maximum_bytes);

/*
 * Takes one line without its line end.  NUL bytes of a header line are dropped before it is looked at (a
 * field is a C string); after HEAD_END or HEAD_BODY no line may follow.
 */
enum head_state head_line(struct head_reader *, const char *line, size_t length);

/* Input is over, or the header: the last field goes to the envelope, memory is freed. */
void head_end(struct head_reader *);

#endif
