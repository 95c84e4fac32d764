/*
 * made: the messages that were made of others while a job ran (lists with an owner), to be tried in the same run.
 */
#ifndef RUN_MADE_H
#define RUN_MADE_H

#include <stddef.h>

#include "base/arena.h"

struct made {
	struct arena *arena; /* the caller's */
	const char **ids;
	size_t count, capacity;
};

/* For run_context.queued: the context is a struct made. */
void made_remember(void *made, const char *id);

#endif
