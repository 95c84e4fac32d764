/*
 * conn: one connection: buffered line input and output with deadlines, over a socket, a pipe pair
 * or TLS.
 *
 * It is sticky: the first failure is kept, and every later call does nothing and reports failure.
 * Protocol code therefore needs no error branches: it asks once, at the end, conn_failed().
 * No call blocks beyond the deadline in force.  A write never deadlocks against a peer that is
 * itself blocked in writing: while output waits, input is taken into the buffer.
 *
 * What the peer said before it hung up can still be read: whole lines that came before the
 * connection was closed or broken are handed out, and only then is the failure reported.  After a
 * timeout or conn_fail() nothing is.
 *
 * A process with a conn ignores SIGPIPE (conn_create sees to that); whoever starts a program resets it.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"

struct conn;
struct tls_session; /* net/tls.h */

enum conn_state {
	CONN_OPEN,
	CONN_CLOSED_BY_PEER, /* end of file */
	CONN_TIMED_OUT,
	CONN_BROKEN,  /* a system error; see conn_reason */
	CONN_GARBLED, /* line too long, TLS failure, protocol nonsense: conn_fail() says what */
};

enum conn_line {
	CONN_LINE,	   /* a line that ended in CRLF */
	CONN_LINE_BARE_LF, /* ended in LF alone */
	CONN_LINE_TOO_LONG, /* the first `maximum` bytes; the rest up to the line end was thrown away */
	CONN_LINE_FAILED, /* the connection failed; an unfinished line is never returned */
};

/*
 * Takes over the descriptors (the same one for a socket), makes them non-blocking; conn_close closes
 * them (all but standard input and output, which stay).  TCP sockets get TCP_NODELAY.
 */
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
/* The same without copying: *bytes is what is there (at least one byte, waiting for it); 0 at failure.  Valid until
 * the next call; conn_take says how much of it was used. */
size_t conn_peek(struct conn *, const char **bytes);
void conn_take(struct conn *, size_t length);
bool conn_has_input(struct conn *); /* some is buffered, or was there at once; never waits */
/* Open, nothing buffered, and as far as one can see without waiting the peer neither spoke nor hung up. */
bool conn_is_quiet(struct conn *);
size_t conn_buffered(const struct conn *); /* bytes read from the peer and not yet taken */
void conn_discard_input(struct conn *);	   /* forget what is buffered (after STARTTLS) */

/*
 * Output is buffered; it is sent when the buffer is full, at a flush, and before a read that has to
 * wait, so that one turn is one write.  Sent bytes are wiped from the buffer: they may be secret.
 */
void conn_write(struct conn *, const void *bytes, size_t length);
void conn_printf(struct conn *, const char *format, ...) PRINTF_LIKE(2, 3);
void conn_flush(struct conn *);
size_t conn_unsent(const struct conn *);

enum conn_state conn_state(const struct conn *);
bool conn_failed(const struct conn *);
const char *conn_reason(const struct conn *); /* "Connection reset by peer", "timed out", ... */
void conn_fail(struct conn *, enum conn_state, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * How bytes travel: conn's own for a descriptor, net/tls's through OpenSSL.  A method never waits: the
 * number of bytes that went, or -1 and why.
 */
enum conn_want {
	CONN_WANT_INPUT,     /* again when the peer has sent something */
	CONN_WANT_OUTPUT,    /* again when something can be sent */
	CONN_WANT_NOTHING,   /* the peer has closed */
	CONN_SYSTEM_ERROR,   /* errno says */
	CONN_PROTOCOL_ERROR, /* *reason says */
};
struct conn_methods {
	ssize_t (*read)(
	    struct tls_session *, void *bytes, size_t size, enum conn_want *, const char **reason);
	ssize_t (*write)(struct tls_session *, const void *bytes, size_t size, enum conn_want *,
	    const char **reason);
	void (*close)(struct tls_session *); /* frees it; never waits */
};

/* From now on through TLS: called by net/tls around the handshake; the conn owns the session then. */
void conn_attach_tls(struct conn *, struct tls_session *, const struct conn_methods *);
struct tls_session *conn_tls(struct conn *); /* NULL in the clear */
int conn_input_fd(const struct conn *);
int conn_output_fd(const struct conn *);

/* For handshakes: waits until the descriptors allow it; false (and failed) at the deadline. */
bool conn_wait(struct conn *, enum conn_want);

#endif
