/*
 * signals: handlers only note what came and wake poll(2) through a pipe; the work is done in the
 * main loop.
 */
#ifndef PROC_SIGNALS_H
#define PROC_SIGNALS_H

#include <stdbool.h>

/* Catches TERM, INT, HUP, CHLD and USR1, ignores PIPE and XFSZ, unblocks all of them.  False with errno. */
bool signals_open(void);

/* The descriptors of this module, two at most; how many. */
int signals_descriptors(int fds[2]);

/* Readable when a signal came since signals_take was last called for all of them; -1 when not open. */
int signals_fd(void);

/* Empties the pipe: call it first after poll, then ask signals_take. */
void signals_drain(void);

/* True when the signal came since the last call for it. */
bool signals_take(int signal_number);

/* The same, and leaves it to be taken. */
bool signals_came(int signal_number);

/* In a child: its own handlers (TERM and INT only noted, HUP and USR1 ignored, CHLD default) and its own flags. */
void signals_open_in_child(void);

/* Everything as a program expects that is to be executed: default actions, nothing blocked. */
void signals_restore(void);

#endif
