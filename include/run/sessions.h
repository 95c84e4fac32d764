/*
 * sessions: client sessions kept open for the next message (ConnectionCacheSize,
 * ConnectionCacheTimeout).  An idle one is kept for half a second, longer where mail came so seldom
 * and still found one (four times that gap), and never longer than the time-out: peers count
 * connections, and sendmail's end with the queue run, too.
 */
#ifndef RUN_SESSIONS_H
#define RUN_SESSIONS_H

#include <stdint.h>

#include "client/client.h"

struct sessions;

struct sessions *sessions_create(int maximum, long timeout_seconds);
/* Closes all of them politely. */
void sessions_destroy(struct sessions *); /* NULL is allowed */

/* Takes the session of a lane out of the cache; NULL when there is none. */
struct client *sessions_take(struct sessions *, const char *lane);

/* Before another one is opened: makes room, closing the one that was idle longest. */
void sessions_make_room(struct sessions *);

/* Puts one in, to be found by its lane; one that is not reusable is closed. */
void sessions_keep(struct sessions *, const char *lane, struct client *);

/* Closes those that were idle too long.  When the next will be (clock.h), or DEADLINE_NEVER. */
int64_t sessions_expire(struct sessions *);

#endif
