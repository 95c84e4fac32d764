/*
 * subsystem: this daemon's side of SRC, the System Resource Controller of AIX: startsrc starts it in
 * the foreground with a datagram socket on descriptor 0, by which stopsrc, refresh, lssrc -l and
 * traceson then speak to it.  Only what <spc.h> names is used, no value and no size of ours.
 *
 * The names do not begin with src_, which are libsrc's.  In a build without libsrc (configure:
 * --with-src) there is never a subsystem.
 */
#ifndef PROC_SUBSYSTEM_H
#define PROC_SUBSYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/check.h"

/*
 * Looks for SRC's socket on descriptor 0.  When it is there it is moved away (close-on-exec),
 * descriptor 0 becomes /dev/null, and this process leads its group, by which SRC cancels.  To be called
 * before anybody reads standard input or starts a program.  True when SRC is there.
 */
bool subsystem_open(void);
bool subsystem_is_open(void);

/* Readable: a request came.  -1: there is no SRC. */
int subsystem_fd(void);

/*
 * Before exec(2) of the next image of this daemon: the socket goes back to descriptor 0, and the environment is again
 * what SRC gave.  When that failed: subsystem_open.
 */
void subsystem_put_back(void);

/* In a child: closes the socket. */
void subsystem_forget(void);

enum subsystem_action {
	SUBSYSTEM_NONE,	       /* no request, or one that was answered or dropped already */
	SUBSYSTEM_STOP_GENTLY, /* stopsrc */
	SUBSYSTEM_STOP_NOW,    /* stopsrc -f */
	SUBSYSTEM_RELOAD,      /* refresh */
	SUBSYSTEM_DESCRIBE,    /* lssrc -l: subsystem_answer_status */
	SUBSYSTEM_TRACE_OFF,   /* tracesoff */
	SUBSYSTEM_TRACE_SHORT, /* traceson */
	SUBSYSTEM_TRACE_LONG,  /* traceson -l */
};

/*
 * Reads one request.  What is malformed, unknown or for a subserver is dealt with here.  Every other
 * one has to be answered by one of the two below before the next is read.
 */
enum subsystem_action subsystem_read(void);

/* NULL: done.  Else the reason why not, for the person who typed the command.  Nothing when no request is open. */
void subsystem_answer(const char *problem);
/* Waits until what was answered has been sent, a second at most: before this process ends. */
void subsystem_finish_answers(void);

/*
 * The answer to lssrc -l.  `compose` runs in a child of its own, which may take a while; it calls
 * subsystem_say for each line: a short name, shown left, and a text, which goes on in further lines where it
 * is longer than one takes.
 */
struct subsystem_report;
void subsystem_answer_status(
    void (*compose)(void *context, struct subsystem_report *), void *context);
void subsystem_say(struct subsystem_report *, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* What was said so far goes out, since the rest may take a while: SRC's commands wait for the next packet only so long. */
void subsystem_say_more_follows(struct subsystem_report *);

/*
 * Answers are sent by children, since a person who does not read them would stop the sender.  True when the process that
 * ended was one of them.
 */
bool subsystem_reap(pid_t);

#endif
