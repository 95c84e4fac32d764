/*
 * trace: sendmail's -d switches, CATEGORY.LEVEL.  -d alone is 0-99.1; -d21 is 21.1; ranges and
 * comma lists as sendmail's (Operations Guide, 4.3).
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"

enum { TRACE_CATEGORIES = 100 };

void trace_set(const char *switches); /* what follows -d; unreadable parts are ignored */
bool trace_on(int category, int level);
void trace_mute(bool); /* while muted nothing is traced: what is looked up is a password */
void trace_print(const char *format, ...) PRINTF_LIKE(1, 2); /* to trace_output(), flushed */

/* Where traces go: standard output, or the file of -D.  The file stays the caller's. */
void trace_set_output(FILE *);
FILE *trace_output(void);

#endif
