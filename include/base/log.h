/*
 * log: one line to syslog, facility mail, as sendmail's users and their log readers expect it.
 * Control characters in a line are shown as octal escapes, so no reply text or address can forge a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <syslog.h>

#include "base/check.h"

/* The tag (`sendmail`, or what -L says) is kept by the caller. */
void log_open(const char *tag);
/* Before descriptors are closed by number: the next line opens a connection of its own. */
void log_close(void);
void log_set_level(int level); /* option LogLevel; 9 until set */
int log_level(void);
/* Adds what stands there to the level, at any moment: master changes it for all processes.  NULL: nothing. */
void log_watch_extra(const volatile int *extra);

/* Also copies each line to stderr (tests). */
void log_to_stderr(bool);
/* Lines go to stderr where there is no syslog socket (a daemon in a container); else they are lost then, as sendmail's are. */
void log_fall_back_to_stderr(bool);

/* From now on lines go to `take` instead of anywhere else; NULL: as before. */
void log_divert(void (*take)(void *context, int priority, const char *line), void *context);

/* Logged when LogLevel >= level. `priority` is LOG_INFO, LOG_NOTICE, ...  errno is left alone. */
void log_at(int level, int priority, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
