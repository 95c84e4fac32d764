/*
 * io: what read and write leave to their callers.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

/*
 * Writes all of it to a blocking descriptor, however many pieces that takes.  False with errno; what
 * had room until then is written.
 */
bool io_write(int fd, const void *bytes, size_t length);

/* The same for a formatted text (dprintf(3) is not everywhere). */
bool io_printf(int fd, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Copies a file from its beginning to where `to` stands; false with errno.  The place that `from` is read at does not
 * change.
 */
bool io_copy(int from, int to);

/* A pipe whose ends are closed by exec and do not block; false with errno. */
bool io_make_pipe(int pair[2]);

#endif
