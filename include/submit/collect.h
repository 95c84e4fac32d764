/*
 * collect: reads a message as programs write it to `sendmail`: header and body up to a lone dot
 * (unless dots are ignored) or the end of input.
 */
#ifndef SUBMIT_COLLECT_H
#define SUBMIT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"
#include "mail/envelope.h"

struct collect {
	/* set by the caller */
	int input;
	bool ignores_dots;
	bool strips_high_bit; /* SevenBitInput, -B7BIT */
	long header_maximum;  /* MaxHeadersLength; 0: none */
	long message_maximum; /* MaxMessageSize; 0: none: what is more is counted, not kept */
	int (*open_file)(void *context); /* where a large body goes; -1 and errno */
	void *context;
	/* result */
	struct str body; /* the body, while `file` is -1 */
	int file;	 /* large bodies: written there, not synced */
	off_t body_size;
	off_t size; /* of the message: all lines as kept */
	bool has_8bit;
	bool header_is_too_large, is_too_large;
	int input_error; /* errno of a failed read, 0 */
	int file_error;	 /* errno of a failed write, 0 */
};

/* Fills the envelope's header, body_size and message_size.  False when file_error or input_error ended it. */
bool collect_message(struct collect *, struct envelope *);

#endif
