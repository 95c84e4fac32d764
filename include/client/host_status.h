/*
 * host_status: what is remembered of hosts between processes (HostStatusDirectory): a text file for each,
 * as sendmail writes them, at its reversed name: org./example./mx.  hoststat shows and purgestat
 * removes them.  No file of these is needed for anything: what goes wrong with them is logged at
 * most, and the mail goes out.
 */
#ifndef CLIENT_HOST_STATUS_H
#define CLIENT_HOST_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/arena.h"
#include "base/str.h"
#include "conf/config.h"

enum { HOST_REPLY_SIZE = 512 };

struct host_state {
	int error;		     /* E: errno of the last attempt to connect */
	int name_error;		     /* H: that of the resolver */
	int exit_status;	     /* S: EX_OK, EX_TEMPFAIL, ... */
	char dsn[16];		     /* D, "" */
	char reply[HOST_REPLY_SIZE]; /* R: the last reply that counted, "" */
	time_t updated;		     /* U; 0: nothing is known */
};

/*
 * The directory: NULL when there is no such option (*error 0), or when it is none that may be used (errno).
 * A name that is not absolute is one in the queue directory.
 */
const char *host_status_directory(const struct config *, struct arena *, int *error);

/* "mx.example.org." or "[192.0.2.1]" -> "org./example./mx"; false when it cannot be a file's name. */
bool host_status_path(const char *host, struct str *path);

/*
 * Reads a file's text.  NULL, or V8's words for the line that is none: "line 1: Unknown host status line \"x\""; the
 * state is without that line then.
 */
const char *host_status_read(const char *text, struct host_state *, struct arena *);

/* The text of a file. */
void host_status_write(const struct host_state *, struct str *out);

/* "Deferred: Connection refused", "250 2.0.0 ok", "OK": what hoststat shows. */
void host_status_words(const struct host_state *, struct str *out);

/* What is to be done with a host. */
enum host_status_answer {
	HOST_TRY,
	HOST_IS_DOWN, /* it failed less than Timeout.hoststatus ago */
	HOST_IS_BUSY, /* SingleThreadDelivery: somebody else is connected to it */
};

struct host_status; /* one host while a session with it is open */

/* *status is NULL when nothing is kept of it; to be ended otherwise, unless the answer is another than HOST_TRY. */
enum host_status_answer host_status_begin(
    const struct config *, const char *host, struct host_status **status, struct host_state *);

/* A message was taken (exit_status 0) or the host let us down; NULL is allowed. */
void host_status_note(
    struct host_status *, int exit_status, int error, const char *dsn, const char *reply);

/* Writes what was noted and frees; NULL is allowed. */
void host_status_end(struct host_status *);

#endif
