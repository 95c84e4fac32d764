/*
 * passing: open descriptors sent through a local socket.
 */
#ifndef PROC_PASSING_H
#define PROC_PASSING_H

#include <stdbool.h>

enum { PASSING_MAXIMUM = 4 };

/* One byte `kind` and `count` descriptors in one message.  False with errno. */
bool passing_send(int socket, char kind, const int *fds, int count);

/* The kind, with exactly `count` descriptors (close-on-exec); 0 at the end of the socket, -1 for an error or a bad message. */
int passing_receive(int socket, int *fds, int count);

#endif
