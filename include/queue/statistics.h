/*
 * statistics: the counters of option StatusFile, kept as sendmail 8.17 keeps them (version 4), so that
 * either mailstats reads what either daemon counted.
 *
 * The file is a struct of the host's own int and long: no file to be carried to another machine.  It is
 * never made, only updated where an administrator made it (empty).  What a process counts stays in the
 * process until statistics_post.
 */
#ifndef QUEUE_STATISTICS_H
#define QUEUE_STATISTICS_H

#include <stdbool.h>
#include <time.h>

enum { STATISTICS_VERSION = 4, STATISTICS_MAILERS = 25 }; /* V8: of more no counts are kept */

struct statistics {
	int magic, version;
	time_t since;
	int size; /* of this struct */
	long connections_from, connections_to, sessions_refused;
	long messages_from[STATISTICS_MAILERS], kib_from[STATISTICS_MAILERS];
	long messages_to[STATISTICS_MAILERS], kib_to[STATISTICS_MAILERS];
	long messages_refused[STATISTICS_MAILERS];
	long messages_discarded[STATISTICS_MAILERS];
	long messages_quarantined[STATISTICS_MAILERS];
};

enum statistics_event {
	STATISTICS_FROM, /* a message was taken; the mailer is the one that its sender resolves to */
	STATISTICS_TO,	 /* a recipient got it; the mailer is the recipient's */
	STATISTICS_REFUSED,
	STATISTICS_DISCARDED,
	STATISTICS_QUARANTINED,
};

/* Counts a message of `bytes` for the mailer of that number; other numbers are not counted. */
void statistics_count_message(enum statistics_event, int mailer_number, long bytes);
void statistics_count_connection_from(void);
void statistics_count_connection_to(void);
void statistics_count_session_refused(void);

/*
 * Adds what was counted to the file, under its lock, and begins anew.  Without a file (NULL, "" or none
 * there) the counts are forgotten; when somebody holds the lock they are kept for the next time; a file that cannot be used is logged at level 13, as V8 does.
 */
void statistics_post(const char *file);

enum statistics_state {
	STATISTICS_GOOD,
	STATISTICS_UNREADABLE, /* errno says why */
	STATISTICS_FOREIGN,    /* something else */
	STATISTICS_OTHER_VERSION,
	STATISTICS_OTHER_SIZE,
};

/* Reads a file; in an empty one nothing was counted yet. */
enum statistics_state statistics_read(const char *file, struct statistics *);

#endif
