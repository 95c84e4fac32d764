#include "config.h"

#include "run/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/table.h"

enum {
	CLOSED_MS = 1000,  /* an attempt that fails at once costs nearly nothing */
	CLOSED_TIMES = 10, /* what it cost is not spent again for so many times as long */
	CLOSED_MS_MAXIMUM = 5 * 60 * 1000,
};

struct closed {
	int64_t until_ms;
	struct verdict verdict;
	const char *relay;
};

struct lanes {
	struct table *closed; /* name -> struct closed */
	int64_t asked_ms;     /* when an open one was asked for last: the attempt began */
	struct arena *arena;
};

struct lanes *
lanes_create(void)
{
	struct lanes *lanes = check_malloc(sizeof *lanes);

	lanes->closed = table_create(TABLE_NOCASE);
	lanes->arena = arena_create();
	return lanes;
}

void
lanes_destroy(struct lanes *lanes)
{
	if (lanes == NULL)
		return;
	table_destroy(lanes->closed);
	arena_destroy(lanes->arena);
	free(lanes);
}

void
lanes_reopen(struct lanes *lanes)
{
	table_destroy(lanes->closed);
	lanes->closed = table_create(TABLE_NOCASE);
	arena_reset(lanes->arena);
}

void
lanes_close(struct lanes *lanes, const char *lane, const struct verdict *verdict, const char *relay)
{
	struct closed *closed = ARENA_NEW(lanes->arena, struct closed);
	int64_t now = clock_monotonic_ms();
	const char *address = relay != NULL ? strstr(relay, " [") : NULL;

	if (*lane == '\0') /* too long to be told from others */
		return;
	closed->until_ms = now + CLOSED_MS + CLOSED_TIMES * (now - lanes->asked_ms);
	if (closed->until_ms > now + CLOSED_MS_MAXIMUM)
		closed->until_ms = now + CLOSED_MS_MAXIMUM;
	closed->verdict = *verdict;
	closed->verdict.text = arena_strdup(lanes->arena, verdict->text);
	if (address != NULL) /* V8: nobody was talked to, so no address is shown the next time */
		closed->relay = arena_memdup(lanes->arena, relay, (size_t)(address - relay));
	else
		closed->relay = arena_strdup(lanes->arena, relay);
	table_set(lanes->closed, lane, closed);
}

const struct verdict *
lanes_find_closed(struct lanes *lanes, const char *lane, const char **relay)
{
	const struct closed *closed = table_get(lanes->closed, lane);

	if (closed == NULL || *lane == '\0' || clock_monotonic_ms() >= closed->until_ms) {
		lanes->asked_ms = clock_monotonic_ms();
		return NULL;
	}
	*relay = closed->relay;
	return &closed->verdict;
}
