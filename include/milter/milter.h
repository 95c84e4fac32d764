/*
 * milter: the mail filters of one SMTP session, asked in the order of the list at each stage.
 *
 * A filter that fails is out for the rest of the session, and its F= says what that means for the mail: R refuses it, T
 * and 4 put it off, else the mail goes on as if the filter were not there.  No call takes longer than the filters' T=
 * allows, and no filter's answer is kept beyond the packet at hand.
 */
#ifndef MILTER_MILTER_H
#define MILTER_MILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/log.h"
#include "conf/config.h"
#include "mail/header.h"
#include "mail/verdict.h"

struct milters;

/* What filters are told, and what log lines begin with, is the session's to know. */
struct milter_host {
	void *context;
	const char *(*macro)(void *context, const char *name); /* without braces; NULL: not set */
	const char *(*id)(void *context);
};

enum milter_answer {
	MILTER_GOES_ON,
	MILTER_REFUSED, /* no reply code was given */
	MILTER_PUT_OFF,
	MILTER_DISCARDED,
	MILTER_REPLIED, /* with milter_result.verdict */
	MILTER_CLOSES,	/* F=4: 421 and the end of the session */
};

struct milter_result {
	enum milter_answer answer;
	struct verdict verdict;
	const char *reply; /* MILTER_REPLIED: as the filter gave it, for the log */
};

/* What a filter wants to have changed at the end of a message; name: the filter's, for the log. */
struct milter_changes {
	void *context;
	/* Values have the blank behind the colon, and line breaks as they came. */
	void (*add_header)(void *, const char *filter, const char *name, const char *value);
	void (*insert_header)(
	    void *, const char *filter, size_t index, const char *name, const char *value);
	/* The index-th of that name, from 1; an empty value takes it away. */
	void (*change_header)(
	    void *, const char *filter, size_t index, const char *name, const char *value);
	void (*add_recipient)(
	    void *, const char *filter, const char *address, const char *parameters);
	void (*delete_recipient)(void *, const char *filter, const char *address);
	void (*change_sender)(
	    void *, const char *filter, const char *address, const char *parameters);
	void (*quarantine)(void *, const char *filter, const char *reason);
	/* A piece of a new body, its lines ending in CR LF; it counts when the filter has come to its end. */
	void (*replace_body)(void *, const char *bytes, size_t length);
	void (*end_body)(void *, const char *filter, bool is_good);
};

struct milter_message {
	const struct header_list
	    *headers; /* those not made by us are sent; read anew for each filter */
	int body_fd;  /* a df: read from its start, to its end, by position */
	struct milter_changes changes;
};

/*
 * Connects to the filters of a list (InputMailFilters) and agrees with them on the protocol.  NULL: the list is empty.
 * *result: what a filter that cannot be reached means for the session.
 */
struct milters *milter_open(
    const struct config *, const char *list, const struct milter_host *, struct milter_result *);
void milter_close(struct milters *); /* tells them; NULL is allowed */

/* Each is quiet for NULL. `arena` keeps the verdict. */
void milter_connect(struct milters *, const char *host, const struct sockaddr *,
    struct milter_result *); /* NULL: no socket */
void milter_helo(struct milters *, const char *name, struct milter_result *);
/* The address as given, and its parameters, "SIZE=10" each, NULL-ended. */
void milter_mail(
    struct milters *, const char *address, const char *const *parameters, struct milter_result *);
/* is_refused: only filters that asked for it hear of it, and their answer does not count. */
void milter_rcpt(struct milters *, const char *address, const char *const *parameters,
    bool is_refused, struct milter_result *);
void milter_data(struct milters *, struct milter_result *);
void milter_unknown(struct milters *, const char *line, struct milter_result *);
/* Header, body and end of the message: each filter gets what the ones before it have left. */
void milter_message(struct milters *, const struct milter_message *, struct milter_result *);
/* The message at hand is over without its end. */
void milter_abort(struct milters *);

bool milter_wants_rejected(const struct milters *); /* one of them asked for refused recipients */

/* Logged when Milter.LogLevel (or LogLevel) >= level, with the id in front. */
void milter_log(struct milters *, int level, int priority, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* A text on one line of the log: line ends as \r and \n.  In the session's scratch arena given. */
const char *milter_show(struct arena *, const char *text);

#endif
