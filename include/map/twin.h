/*
 * twin: look-ups for processes that run as the mail user, in files that only root may read
 * (authinfo.db is 0600).
 *
 * A process with root's rights serves them.  It has its own configuration and answers for maps
 * declared there, by name; a channel may ask for the maps of its list and nothing else, so a role that
 * talks to strangers never sees credentials.  It trusts no byte that it reads.
 *
 * A channel is shared by all workers of a role: a question is one message with one end of a socket
 * pair attached, the answer goes there.  Nobody can take another's answer or hold the twin up.
 */
#ifndef MAP_TWIN_H
#define MAP_TWIN_H

#include <stddef.h>

#include "map/map.h"

/* Two ends of a channel that keeps messages apart; both close-on-exec.  0, or -1 with errno. */
int map_twin_channel(int ends[2]);

struct map_twin_policy {
	int fd;			 /* the twin's end of the channel */
	const char *const *maps; /* names of the maps it may ask for, ended by NULL; NULL: none */
};

/*
 * Serves the channels until `stop_fd` becomes readable or is closed at its other end (the pipe to
 * master), or until every channel is closed; -1: no such descriptor.  Only maps of the classes hash,
 * btree, implicit and text are answered for.
 */
void map_twin_serve(
    const struct map_twin_policy *channels, size_t count, int stop_fd, struct map_set *);

#endif
