/*
 * notify: tells the service manager that started us how we are (systemd's protocol: a datagram of lines
 * NAME=value to the socket that $NOTIFY_SOCKET names, a path or, with '@' in front, an abstract name).
 */
#ifndef PROC_NOTIFY_H
#define PROC_NOTIFY_H

/* "READY=1", "RELOADING=1", "STOPPING=1", "STATUS=text".  A no-op where nobody asked; never blocks. */
void notify_send(const char *state);

/* RELOADING=1 with the time that goes with it. */
void notify_reloading(void);

#endif
