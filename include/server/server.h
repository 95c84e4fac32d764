/*
 * server: a receiving SMTP session, from the greeting to the end of the connection.
 *
 * Straight-line blocking code with deadlines on every wait (Timeout.command, Timeout.datablock).
 * It knows nothing about processes: an smtpd worker runs it for a TCP connection or for one on the
 * local socket, `sendmail -bs` on standard input and output.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>

#include "conf/config.h"
#include "queue/queue.h"

/* How often this client, and all of them, came lately, and how many sessions it has now; the one at hand counts. */
struct server_counts {
	unsigned client_rate, total_rate, client_connections;
};

struct server_context {
	struct config *config;
	struct queue *queue; /* where accepted messages go */
	/* Called when a message was committed and is unlocked; delivery_mode is b or i (for q and d it
	 * is not called). May be NULL. */
	void (*committed)(void *context, const char *id, char delivery_mode);
	/* ETRN, and XRUN on the local socket: a queue run, of what matches `host` or of all (NULL). May be NULL. */
	void (*run_queue)(void *context, const char *host);
	/* The process is to end: a session is told 421 where it would read the next command.  May be NULL. */
	bool (*is_ending)(void *context);
	/* A client was turned away by a ruleset; may be NULL. */
	void (*turned_away)(void *context);
	/* Called once for a TCP client, with the bytes of its address.  May be NULL. */
	void (*count)(void *context, const void *address, size_t length, struct server_counts *);
	int wake_fd; /* with is_ending: readable when that may have changed */
	void *context;
	void *tls;	/* struct tls_context of net/tls.h for servers, or NULL: no STARTTLS */
	int traffic_fd; /* -X: the dialogue is copied there; -1: not */
	const char *
	    caller_name; /* SERVER_STDIN: who called, when the process became somebody else; or NULL */
	char delivery_mode; /* DeliveryMode, or that of the port; 0: the configuration's */
};

enum server_kind {
	SERVER_TCP,   /* a connected socket */
	SERVER_STDIN, /* -bs: descriptors 0 and 1, a socket or not */
	SERVER_LOCAL, /* a connected socket of the local listener: only smtp/local.h is spoken */
};

struct server_link {
	enum server_kind kind;
	int input_fd, output_fd;	/* the same for a socket; closed at the end (not 0 and 1) */
	const struct daemon_port *port; /* which DaemonPortOptions it came in by, or NULL */
};

/*
 * Serves one connection; returns when it is over.  The result is the exit status that -bs ends
 * with (V8: the first error of a ruleset that there was, or 0); a worker ignores it.
 */
int server_session(const struct server_context *, const struct server_link *);

/*
 * Once, before the workers are forked: the TLS context from ServerCertFile and its fellows.  NULL when there
 * is no certificate, or it is not fit (that is logged).
 */
void *server_prepare_tls(const struct config *);

/* Likewise: the SASL library and its plug-ins, which every worker would load for itself otherwise. */
void server_prepare_auth(void);

/*
 * The local socket: makes the directory (0755) and listens (0666).  By root, or by the owner of the
 * directory.  The descriptor, or -1 with errno.
 */
int server_listen_local(const char *path);

#endif
