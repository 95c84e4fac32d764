/*
 * conn: one connection: buffered line input and output with deadlines, over a socket, a pipe pair
 * or TLS.
 *
 * It is sticky: the first failure is kept, and every later call does nothing and reports failure.
 * Protocol code therefore needs no error branches: it asks once, at the end, conn_failed().
 * No call blocks beyond the deadline in force.  A write never deadlocks against a peer that is
 * itself blocked in writing: while output waits, input is taken into the buffer.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct conn;
struct tls_session; /* net/tls.h */

enum conn_state {
	CONN_OPEN,
	CONN_CLOSED_BY_PEER, /* end of file */
	CONN_TIMED_OUT,
	CONN_BROKEN,	     /* a system error; see conn_errno */
	CONN_GARBLED,	     /* line too long, TLS failure, protocol nonsense: conn_fail() says what */
};

enum conn_line {
	CONN_LINE,	     /* a line that ended in CRLF */
	CONN_LINE_BARE_LF,   /* ended in LF alone */
	CONN_LINE_TOO_LONG,  /* the first `maximum` bytes; the rest up to the line end was thrown away */
	CONN_LINE_FAILED,    /* the connection failed; an unfinished line is never returned */
};

/* Takes over the descriptors (the same for a socket), makes them non-blocking; conn_close closes them. */
struct conn *conn_create(int input_fd, int output_fd);
void conn_close(struct conn *); /* flushes nothing; shuts TLS down quietly; NULL is allowed */

/* When the current wait must end (clock.h); applies to reads and writes until set again. */
void conn_set_deadline(struct conn *, int64_t deadline);
/* Each successful transfer moves the deadline to now + seconds (for bodies); 0 switches that off. */
void conn_set_progress_timeout(struct conn *, long seconds);

/* One line without its line end, NUL-terminated, NUL bytes inside kept; valid until the next read. */
enum conn_line conn_read_line(struct conn *, size_t maximum, char **line, size_t *length);
/* Up to `size` bytes as they come; 0 at failure or end. */
size_t conn_read(struct conn *, void *bytes, size_t size);
bool conn_has_input(struct conn *); /* buffered, or readable at once */
size_t conn_buffered(const struct conn *); /* bytes read from the peer and not yet taken */
void conn_discard_input(struct conn *);	   /* forget what is buffered (after STARTTLS) */

void conn_write(struct conn *, const void *bytes, size_t length); /* buffered; sent when full or flushed */
void conn_printf(struct conn *, const char *format, ...) PRINTF_LIKE(2, 3);
void conn_flush(struct conn *);
size_t conn_unsent(const struct conn *);

enum conn_state conn_state(const struct conn *);
bool conn_failed(const struct conn *);
int conn_errno(const struct conn *);
const char *conn_reason(const struct conn *); /* "Connection reset by peer", "timed out", ... */
void conn_fail(struct conn *, enum conn_state, const char *format, ...) PRINTF_LIKE(3, 4);

/* From now on through TLS: called by net/tls after the handshake; the conn owns the session then. */
void conn_attach_tls(struct conn *, struct tls_session *);
struct tls_session *conn_tls(struct conn *); /* NULL in the clear */
int conn_input_fd(const struct conn *);

#endif
