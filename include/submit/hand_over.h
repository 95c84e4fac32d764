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
	const struct envelope *envelope; /* header as the message has it */
	const struct collect *body;
	struct local_request request; /* envelope_length is filled in */
	/* told of each recipient that the daemon refused; the others went on */
	void (*refused)(void *context, int index, const struct verdict *);
	void *context;
	struct arena *arena; /* for texts */
};

/*
 * The daemon's final answer.  code 250: it is safe on its disk, text says under which id.  4xx: it
 * has nothing, or may have it: queue the message.  5xx: refused.  code 0: no daemon is there.
 */
struct verdict hand_over_message(struct hand_over *);

/* Is a message for this mailer host one for this very machine's daemon? */
bool hand_over_is_local(const char *host);

#endif
