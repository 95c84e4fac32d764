/*
 * reply: lines of an answer (RFC 5321 4.2), as a server writes them.  Pure.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>

#include "base/str.h"

/*
 * Appends "CODE D.S.N TEXT\r\n" ("CODE-..." when more lines follow).  dsn "" or NULL: none.  No byte of the
 * text can break the line: control characters become '?', and like V8 the highest bit of others is
 * dropped.  A text of several lines ('\n') becomes several lines of the reply.
 */
void smtp_reply_write(struct str *out, int code, const char *dsn, const char *text, bool more);

#endif
