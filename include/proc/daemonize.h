/*
 * daemonize: leaving the terminal.
 */
#ifndef PROC_DAEMONIZE_H
#define PROC_DAEMONIZE_H

#include <stdbool.h>

/* The parent ends with status 0; the child returns, in a session of its own.  False with errno: could not fork. */
bool daemonize_detach(void);

/* Environment variable by which an older program hands its place to a newer one. */
#define DAEMONIZE_TAKEOVER "PILLARBOX_TAKEOVER"

/*
 * Environment variable by which a daemon asks the program that checks the configuration whether it could
 * take over: then it says DAEMONIZE_WORD, a line on standard output.  The number is that of what
 * src/run/takeover.c hands over; another number, another word: an older program does not take a newer one
 * for what it knows.
 */
#define DAEMONIZE_ASKED "PILLARBOX_ASKED"
#define DAEMONIZE_WORD	"pillarbox can take over: protocol 1"
void daemonize_answer(void);

/* Are we the newer one?  Then we are a daemon already. */
bool daemonize_is_taking_over(void);

/* Standard input, output and error from and to /dev/null. */
void daemonize_close_terminal(void);

#endif
