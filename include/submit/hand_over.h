/*
 * hand_over: gives a message to the daemon of this host over its local socket (smtp/local.h), in
 * place of queueing it in the client queue.
 */
#ifndef SUBMIT_HAND_OVER_H
#define SUBMIT_HAND_OVER_H

#include <stdbool.h>

#include "mail/envelope.h"
#include "mail/verdict.h"
#include "smtp/local.h"
#include "submit/collect.h"

struct hand_over {
	int fd;				 /* of hand_over_connect; closed here */
	const struct envelope *envelope; /* header as the message has it */
	const struct collect *body;
	struct local_request request; /* envelope_length is filled in */
	/* told of each recipient that the daemon refused; the others went on */
	void (*refused)(void *context, int index, const struct verdict *);
	void *context;
	struct arena *arena; /* for texts */
};

/*
 * Connects to the daemon; -1: none is there.  The daemon believes what the kernel says of us at this
 * moment: the effective ids must be the caller's.
 */
int hand_over_connect(void);

/*
 * The daemon's final answer.  code 250: it is safe on its disk, text says under which id.  4xx: it
 * has nothing, or may have it: queue the message.  5xx: refused.  code 0: it does
 * not fit: V8's way.
 */
struct verdict hand_over_message(struct hand_over *);

/* Is a message for this mailer host one for this very machine's daemon? */
bool hand_over_is_local(const char *host);

#endif
