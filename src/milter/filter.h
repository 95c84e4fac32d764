/*
 * filter: one filter of a session: its connection, what was agreed with it, how far it is.
 */
#ifndef MILTER_FILTER_H
#define MILTER_FILTER_H

#include "base/arena.h"
#include "base/str.h"
#include "milter/milter.h"
#include "milter/wire.h"
#include "net/conn.h"

enum filter_state {
	FILTER_OPEN, /* between messages */
	FILTER_IN_MESSAGE,
	FILTER_DONE, /* accepted the message at hand */
	FILTER_LEFT, /* accepted the session: is asked no more */
	FILTER_FAILED,
};

struct filter {
	const struct filter_conf *conf;
	struct conn *conn; /* NULL: closed */
	enum filter_state state;
	uint32_t version, actions, protocol;
	bool skips;			/* wants no more of this body */
	bool has_macros[FILTER_STAGES]; /* chose its own */
	const char *macros[FILTER_STAGES];
	struct str packet; /* the last one that it sent */
};

struct milters {
	const struct config *config;
	struct milter_host host;
	struct arena *arena;   /* of the session */
	struct arena *scratch; /* of the call at hand */
	int log_level;
	size_t count;
	struct filter *filters;
};

/* Connects and agrees on the protocol; false: it failed, which was logged. */
bool filter_open(struct milters *, struct filter *);
void filter_quit(struct milters *, struct filter *);

/* The macros of a stage, for the command that they come before. */
void filter_tell_macros(struct milters *, struct filter *, enum filter_stage, char command);
/* False: the connection failed, and that was logged; so is the filter then. */
bool filter_send(struct milters *, struct filter *, char letter, const void *data, size_t length);
/* One packet; `where` for the log.  False as above. */
bool filter_receive(struct milters *, struct filter *, struct milter_packet *, const char *where);
/* It is out for the rest of the session. */
void filter_fail(struct milters *, struct filter *);

/* What it means for the mail that this filter has failed: F=. */
enum milter_answer filter_policy(const struct filter *);

#endif
