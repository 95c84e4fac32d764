/*
 * lines: text by lines as a mailer takes it: its line end (E=), its longest line (L=), its flags E, X
 * and 7.  Pure: bytes in, in pieces of any size, bytes out.
 */
#ifndef MAIL_LINES_H
#define MAIL_LINES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Lines over the limit are cut with '!' and go on in the next line behind a blank.  What dots and From
 * add is not counted, as with V8.
 */
struct lines {
	void (*write)(void *context, const char *bytes, size_t length);
	void *context;
	const char *eol;
	size_t line_limit; /* bytes without the line end; 0: none */
	bool dots;	   /* a leading dot is doubled */
	bool from;	   /* a leading "From " gets '>' */
	bool seven_bit;	   /* the high bit is dropped */
	bool keeps_cr;	   /* a CR in front of a line end stays */
	bool ended_late;   /* set by lines_end: the text had no line end at its end */
	/* private */
	size_t column;	/* bytes of this line that were written */
	size_t matched; /* bytes of "From " at its start that wait for the rest */
	bool saw_cr, has_held;
	char held;
};

void lines_write(struct lines *, const char *bytes, size_t length);
void lines_end(struct lines *); /* ends the last line where it was not */

#endif
