/*
 * pidfile: who the daemon is: its process id on the first line, its command line on the second
 * (V8's form, read by scripts), locked while the daemon lives.
 */
#ifndef PROC_PIDFILE_H
#define PROC_PIDFILE_H

#include <stdbool.h>

/* Writes the file for this process, replacing the text of an old one.  False with errno: logged by the caller. */
bool pidfile_write(const char *path, const char *command_line);

/* Takes it away if it is still ours. */
void pidfile_remove(void);

/* In a child: forgets the descriptor, leaves the file alone. */
void pidfile_forget(void);

#endif
