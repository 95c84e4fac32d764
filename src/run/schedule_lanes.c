#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "schedule_private.h"

enum { NAME_SIZE = KICK_LANE_SIZE + 8 };

void
schedule_leave_ring(struct schedule *schedule, struct lane *lane)
{
	if (!lane->is_ready)
		return;
	lane->is_ready = false;
	if (lane->next == lane) {
		schedule->ready = NULL;
		return;
	}
	lane->previous->next = lane->next;
	lane->next->previous = lane->previous;
	if (schedule->ready == lane)
		schedule->ready = lane->next;
}

void
schedule_enter_ring(struct schedule *schedule, struct lane *lane)
{
	struct lane *first = schedule->ready;

	if (lane->is_ready || lane->is_closed || lane->due == 0)
		return;
	lane->is_ready = true;
	if (first == NULL) {
		lane->next = lane->previous = lane;
		schedule->ready = lane;
		return;
	}
	lane->next = first;
	lane->previous = first->previous;
	first->previous->next = lane;
	first->previous = lane;
}

/* The same host has a lane in each group. */
static const char *
lane_key(const char *name, int group, char key[NAME_SIZE])
{
	if (group == 0)
		return name;
	snprintf(key, NAME_SIZE, "%.*s\n%d", KICK_LANE_SIZE - 1, name, group);
	return key;
}

struct lane *
schedule_get_lane(const struct schedule *schedule, const char *name, int group)
{
	char key[NAME_SIZE];

	return table_get(schedule->lanes, lane_key(name, group, key));
}

struct lane *
schedule_find_lane(struct schedule *schedule, const char *name, int group)
{
	struct lane *lane = schedule_get_lane(schedule, name, group);
	char key[NAME_SIZE];

	if (lane != NULL)
		return lane;
	lane = check_malloc(sizeof *lane);
	*lane = (struct lane){.name = check_strdup(name), .group = group};
	table_set(schedule->lanes, lane_key(name, group, key), lane);
	return lane;
}

void
schedule_release_lane(struct schedule *schedule, struct lane *lane)
{
	char key[NAME_SIZE];

	if (lane->entries > 0 || lane->active > 0 || lane->is_closed || lane->is_probe)
		return;
	schedule_leave_ring(schedule, lane);
	table_remove(schedule->lanes, lane_key(lane->name, lane->group, key));
	free(lane->heap);
	free(lane->name);
	free(lane);
}

bool
schedule_comes_first(const struct entry *one, const struct entry *other)
{
	if (one->priority != other->priority)
		return one->priority < other->priority;
	return (int)(one->sequence - other->sequence) < 0;
}

void
schedule_push(struct schedule *schedule, struct entry *entry)
{
	struct lane *lane = entry->lane;
	size_t at = lane->due;

	if (lane->due == lane->capacity) {
		lane->capacity = lane->capacity == 0 ? 8 : lane->capacity * 2;
		lane->heap = check_realloc(lane->heap, lane->capacity * sizeof *lane->heap);
	}
	entry->state = ENTRY_DUE;
	entry->sequence = schedule->sequence++;
	while (at > 0 && schedule_comes_first(entry, lane->heap[(at - 1) / 2])) {
		lane->heap[at] = lane->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	lane->heap[at] = entry;
	lane->due++;
	if (!lane->is_closed)
		schedule->due++;
	schedule_enter_ring(schedule, lane);
}

struct entry *
schedule_pop(struct schedule *schedule, struct lane *lane)
{
	struct entry *first = lane->heap[0], *last = lane->heap[--lane->due];
	size_t at = 0;

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= lane->due)
			break;
		if (child + 1 < lane->due &&
		    schedule_comes_first(lane->heap[child + 1], lane->heap[child]))
			child++;
		if (!schedule_comes_first(lane->heap[child], last))
			break;
		lane->heap[at] = lane->heap[child];
		at = child;
	}
	lane->heap[at] = last;
	if (!lane->is_closed)
		schedule->due--;
	if (lane->due == 0)
		schedule_leave_ring(schedule, lane);
	return first;
}
