/*
 * outcome: what becomes of a message, by the stage of the session and what happened there.  It is a
 * table (src/client/outcome.c); docs/differences.md shows it, and the wire tests are driven by it.
 *
 * The rule behind it: nothing that is ours to mend destroys mail.
 */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "client/reply.h"
#include "mail/verdict.h"

enum client_stage {
	STAGE_RESOLVE = 1 << 0,
	STAGE_CONNECT = 1 << 1,
	STAGE_BANNER = 1 << 2,
	STAGE_EHLO = 1 << 3,
	STAGE_HELO = 1 << 4, /* also LHLO, which has nothing to fall back to */
	STAGE_STARTTLS = 1 << 5,
	STAGE_TLS = 1 << 6, /* handshake, and what tls_server and tls_rcpt say */
	STAGE_AUTH = 1 << 7,
	STAGE_MAIL = 1 << 8,
	STAGE_RCPT = 1 << 9,
	STAGE_DATA = 1 << 10,
	STAGE_END = 1 << 11,  /* the final dot, BDAT LAST */
	STAGE_MISC = 1 << 12, /* RSET, QUIT: no message depends on them */
};

/* What may happen besides a reply; replies are their codes. */
enum outcome_event {
	EVENT_TRY_AGAIN = 1000,	  /* DNS gave no answer */
	EVENT_NO_NAME,		  /* the domain of the recipient does not exist */
	EVENT_NO_SMART_HOST,	  /* the name of the smart host does not exist */
	EVENT_NULL_MX,		  /* the domain of the recipient takes no mail (RFC 7505) */
	EVENT_SMART_NULL_MX,	  /* so says the smart host's */
	EVENT_SELF,		  /* the recipient's host is this one: its best MX, or what it says of itself */
	EVENT_SMART_SELF,	  /* the smart host is */
	EVENT_NO_PORT,		  /* the mailer's A= names a port that nobody knows */
	EVENT_REFUSED,		  /* the connection, or any other error of connecting */
	EVENT_TIMED_OUT,	  /* connecting, or waiting for a reply */
	EVENT_LOST,		  /* the peer hung up, a reply is unfinished */
	EVENT_GARBLED,		  /* what came is no SMTP */
	EVENT_HANDSHAKE,	  /* TLS could not be agreed on */
	EVENT_FORBIDDEN,	  /* tls_server or tls_rcpt said no */
	EVENT_FORBIDDEN_FOR_GOOD, /* with a 5xx, and the host is the recipient's own */
	EVENT_NO_MECHANISM,	  /* nothing in common to authenticate with */
	EVENT_LOCAL_FAILURE,	  /* our map, file or memory */
	EVENT_NO_CREDENTIALS, /* 5.7.x of a smart host that offers AUTH, for which authinfo has nothing */
};

enum outcome {
	OUTCOME_GO_ON,
	OUTCOME_TRY_HELO,
	OUTCOME_NEXT_MECHANISM, /* and with none left as OUTCOME_END_SESSION */
	OUTCOME_END_SESSION,	/* everything stays queued, another host may be tried */
	OUTCOME_DEFER,		/* the recipients concerned stay queued */
	OUTCOME_FAIL,		/* permanent failure of the recipients concerned */
};

struct outcome_row {
	unsigned stages;
	int first, last; /* reply codes or events */
	enum outcome outcome;
	int exit_status;
	const char *dsn;      /* when the peer's reply has none */
	const char *sendmail; /* what sendmail 8.17 does where that is something else; or NULL */
};

/* The first row that fits; there is one for everything. */
const struct outcome_row *outcome_find(enum client_stage, int code_or_event);

/* The whole table, in order; NULL at its end. */
const struct outcome_row *outcome_row(size_t index);
const char *outcome_stage_name(enum client_stage); /* "banner", "MAIL" */
const char *outcome_event_name(int code_or_event, char buffer[8]);
const char *outcome_name(enum outcome); /* "deferred", "failed" ... */

/*
 * The verdict of a reply at a stage: success, temporary or permanent as the table says.  A 5xx that
 * the table defers becomes a 4xx verdict with the peer's words.
 */
struct verdict outcome_of_reply(
    struct arena *, enum client_stage, const struct reply *, bool has_enhanced_codes);

/* The verdict of an event, in the words given ("Connection refused by h."). */
struct verdict outcome_of_event(struct arena *, enum client_stage, enum outcome_event,
    const char *format, ...) PRINTF_LIKE(4, 5);

#endif
