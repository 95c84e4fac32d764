#include "config.h"

#include "run/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/table.h"
#include "base/text.h"

enum {
	PER_WORKER = 4, /* due messages that make one more worker for a lane worth while */
	LOCKED_WAIT_MS = 3000,
	LOCKED_TRIES = 3,
	CRASHES_MAXIMUM = 3, /* workers that a message may cost before it has to wait */
};

enum entry_state { ENTRY_WAITING, ENTRY_DUE, ENTRY_RUNNING, ENTRY_LATER };

struct entry {
	char id[ENVELOPE_ID_SIZE];
	struct lane *lane;
	struct entry *previous, *next; /* of those its worker has, or of those for later */
	int64_t later_ms;	       /* not due before */
	long priority;
	unsigned sequence; /* first come, first served among equals */
	short worker;
	unsigned char state, crashes, locked, mark;
	bool is_new, is_known, is_if_untried;
};

struct lane {
	char *name;
	struct entry **heap; /* the due ones */
	size_t due, capacity, entries;
	struct lane *previous, *next; /* ring of lanes that have something due */
	int active;		      /* workers */
	bool is_closed, is_probe, is_ready;
};

struct schedule {
	struct table *entries, *lanes;
	struct lane *ready; /* the lane whose turn it is */
	struct entry *later;
	struct worker_work {
		struct lane *lane; /* what it does now */
		struct entry *running;
		char last_lane[KICK_LANE_SIZE];
	} * workers;
	int worker_count;
	bool is_single; /* one worker a lane */
	size_t due;
	unsigned sequence;
	unsigned char mark;
};

struct schedule *
schedule_create(int workers)
{
	struct schedule *schedule = check_malloc(sizeof *schedule);

	*schedule = (struct schedule){.worker_count = workers};
	schedule->entries = table_create(TABLE_CASE);
	schedule->lanes = table_create(TABLE_CASE);
	schedule->workers = check_malloc((size_t)workers * sizeof *schedule->workers);
	memset(schedule->workers, 0, (size_t)workers * sizeof *schedule->workers);
	return schedule;
}

void
schedule_use_one_worker_a_lane(struct schedule *schedule)
{
	schedule->is_single = true;
}

void
schedule_destroy(struct schedule *schedule)
{
	size_t position = 0;
	const char *key;
	void *value;

	if (schedule == NULL)
		return;
	while (table_next(schedule->entries, &position, &key, &value))
		free(value);
	position = 0;
	while (table_next(schedule->lanes, &position, &key, &value)) {
		struct lane *lane = value;

		free(lane->heap);
		free(lane->name);
		free(lane);
	}
	table_destroy(schedule->entries);
	table_destroy(schedule->lanes);
	free(schedule->workers);
	free(schedule);
}

/* ---- lanes that have something due stand in a ring ---- */

static void
leave_ring(struct schedule *schedule, struct lane *lane)
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

static void
enter_ring(struct schedule *schedule, struct lane *lane)
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

static struct lane *
find_lane(struct schedule *schedule, const char *name)
{
	struct lane *lane = table_get(schedule->lanes, name);

	if (lane != NULL)
		return lane;
	lane = check_malloc(sizeof *lane);
	*lane = (struct lane){.name = check_strdup(name)};
	table_set(schedule->lanes, name, lane);
	return lane;
}

/* A lane that nothing needs any more goes; a closed one is remembered until it is opened. */
static void
release_lane(struct schedule *schedule, struct lane *lane)
{
	if (lane->entries > 0 || lane->active > 0 || lane->is_closed || lane->is_probe)
		return;
	leave_ring(schedule, lane);
	table_remove(schedule->lanes, lane->name);
	free(lane->heap);
	free(lane->name);
	free(lane);
}

/* ---- the heap of a lane: the smallest priority first, then the oldest ---- */

static bool
comes_first(const struct entry *one, const struct entry *other)
{
	if (one->priority != other->priority)
		return one->priority < other->priority;
	return (int)(one->sequence - other->sequence) < 0;
}

static void
push(struct schedule *schedule, struct entry *entry)
{
	struct lane *lane = entry->lane;
	size_t at = lane->due;

	if (lane->due == lane->capacity) {
		lane->capacity = lane->capacity == 0 ? 8 : lane->capacity * 2;
		lane->heap = check_realloc(lane->heap, lane->capacity * sizeof *lane->heap);
	}
	entry->state = ENTRY_DUE;
	entry->sequence = schedule->sequence++;
	while (at > 0 && comes_first(entry, lane->heap[(at - 1) / 2])) {
		lane->heap[at] = lane->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	lane->heap[at] = entry;
	lane->due++;
	if (!lane->is_closed)
		schedule->due++;
	enter_ring(schedule, lane);
}

static struct entry *
pop(struct schedule *schedule, struct lane *lane)
{
	struct entry *first = lane->heap[0], *last = lane->heap[--lane->due];
	size_t at = 0;

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= lane->due)
			break;
		if (child + 1 < lane->due && comes_first(lane->heap[child + 1], lane->heap[child]))
			child++;
		if (!comes_first(lane->heap[child], last))
			break;
		lane->heap[at] = lane->heap[child];
		at = child;
	}
	lane->heap[at] = last;
	if (!lane->is_closed)
		schedule->due--;
	if (lane->due == 0)
		leave_ring(schedule, lane);
	return first;
}

/* ---- entries ---- */

static void
unlink_entry(struct entry **list, struct entry *entry)
{
	if (entry->previous != NULL)
		entry->previous->next = entry->next;
	else
		*list = entry->next;
	if (entry->next != NULL)
		entry->next->previous = entry->previous;
	entry->previous = entry->next = NULL;
}

static void
link_entry(struct entry **list, struct entry *entry)
{
	entry->previous = NULL;
	entry->next = *list;
	if (*list != NULL)
		(*list)->previous = entry;
	*list = entry;
}

static void
set_lane(struct schedule *schedule, struct entry *entry, const char *name)
{
	struct lane *old = entry->lane;

	if (old != NULL && strcmp(old->name, name) == 0)
		return;
	entry->lane = find_lane(schedule, name);
	entry->lane->entries++;
	if (old != NULL) {
		old->entries--;
		release_lane(schedule, old);
	}
}

static void
forget(struct schedule *schedule, struct entry *entry)
{
	struct lane *lane = entry->lane;

	check(entry->state == ENTRY_WAITING || entry->state == ENTRY_RUNNING);
	lane->entries--;
	release_lane(schedule, lane);
	table_remove(schedule->entries, entry->id);
	free(entry);
}

static struct entry *
make_entry(struct schedule *schedule, const char *id, const char *lane, long priority)
{
	struct entry *entry = check_malloc(sizeof *entry);

	*entry = (struct entry){.priority = priority, .worker = -1};
	text_copy(entry->id, sizeof entry->id, id);
	entry->mark = schedule->mark;
	set_lane(schedule, entry, lane);
	table_set(schedule->entries, entry->id, entry);
	return entry;
}

void
schedule_add(struct schedule *schedule, const char *id, const char *lane, long priority)
{
	struct entry *entry = table_get(schedule->entries, id);

	if (entry != NULL) {
		entry->mark = schedule->mark;
		return;
	}
	entry = make_entry(schedule, id, lane, priority);
	entry->is_new = true;
	push(schedule, entry);
}

static void
make_due(struct schedule *schedule, struct entry *entry)
{
	if (entry->state == ENTRY_LATER)
		unlink_entry(&schedule->later, entry);
	else if (entry->state != ENTRY_WAITING || !deadline_passed(entry->later_ms))
		return;
	push(schedule, entry);
}

/* Closed lanes get one attempt; those that nobody needs any more go. */
static void
open_lanes(struct schedule *schedule)
{
	struct lane **unused = check_malloc((table_count(schedule->lanes) + 1) * sizeof *unused);
	size_t position = 0, count = 0;
	const char *key;
	void *value;

	while (table_next(schedule->lanes, &position, &key, &value)) {
		struct lane *lane = value;

		if (lane->entries == 0 && lane->active == 0)
			unused[count++] = lane;
		if (!lane->is_closed)
			continue;
		lane->is_closed = false;
		lane->is_probe = true;
		schedule->due += lane->due;
		enter_ring(schedule, lane);
	}
	while (count > 0) {
		unused[--count]->is_probe = false;
		release_lane(schedule, unused[count]);
	}
	free(unused);
}

void
schedule_make_all_due(struct schedule *schedule)
{
	size_t position = 0;
	const char *key;
	void *value;

	open_lanes(schedule);
	while (table_next(schedule->entries, &position, &key, &value)) {
		struct entry *entry = value;

		entry->crashes = 0;
		entry->locked = 0;
		entry->is_if_untried = false;
		make_due(schedule, entry);
	}
}

void
schedule_compare_begin(struct schedule *schedule)
{
	schedule->mark++;
}

void
schedule_compare_seen(struct schedule *schedule, const char *id, enum schedule_how how)
{
	struct entry *entry = table_get(schedule->entries, id);

	if (entry == NULL) {
		entry = make_entry(schedule, id, "", 0);
		entry->is_if_untried = how == SCHEDULE_UNTRIED;
		if (how != SCHEDULE_WAITS)
			push(schedule, entry);
	}
	entry->mark = schedule->mark;
}

void
schedule_compare_end(struct schedule *schedule)
{
	size_t position = 0, count = 0, size = table_count(schedule->entries);
	struct entry **gone = check_malloc((size + 1) * sizeof *gone);
	const char *key;
	void *value;

	while (table_next(schedule->entries, &position, &key, &value)) {
		struct entry *entry = value;

		/* one that is due finds out by itself that its file is gone */
		if (entry->mark != schedule->mark && entry->state == ENTRY_WAITING)
			gone[count++] = entry;
	}
	while (count > 0)
		forget(schedule, gone[--count]);
	free(gone);
}

/* ---- workers ---- */

static int
allowed_workers(const struct schedule *schedule, const struct lane *lane)
{
	size_t more = lane->due / PER_WORKER + 1;

	if (lane->is_probe || (schedule->is_single && lane->name[0] != '\0'))
		return 1;
	/* one is left over for other lanes */
	if (more >= (size_t)schedule->worker_count)
		more = schedule->worker_count > 1 ? (size_t)schedule->worker_count - 1 : 1;
	return lane->active > (int)more ? lane->active : (int)more;
}

static bool
has_room(const struct schedule *schedule, const struct lane *lane)
{
	return lane->is_ready && lane->active < allowed_workers(schedule, lane);
}

static struct lane *
choose_lane(struct schedule *schedule, const struct worker_work *worker)
{
	struct lane *lane = table_get(schedule->lanes, worker->last_lane), *first = schedule->ready;

	/* its session is open, and what waits in other lanes has its own turn */
	if (lane != NULL && worker->last_lane[0] != '\0' && has_room(schedule, lane))
		return lane;
	lane = first;
	do {
		if (lane == NULL)
			return NULL;
		if (has_room(schedule, lane))
			return lane;
		lane = lane->next;
	} while (lane != first);
	return NULL;
}

static size_t
batch_size(const struct schedule *schedule, const struct lane *lane)
{
	size_t share = lane->due / (size_t)(allowed_workers(schedule, lane) - lane->active + 1);

	if (lane->is_probe || share < 1)
		return 1;
	return share > SCHEDULE_BATCH ? SCHEDULE_BATCH : share;
}

size_t
schedule_take(struct schedule *schedule, int worker, struct schedule_job jobs[SCHEDULE_BATCH])
{
	struct worker_work *work = &schedule->workers[worker];
	struct lane *lane;
	size_t count, size;

	check(worker >= 0 && worker < schedule->worker_count);
	if (work->lane != NULL) /* not idle */
		return 0;
	lane = choose_lane(schedule, work);
	if (lane == NULL)
		return 0;
	size = batch_size(schedule, lane);
	work->lane = lane;
	lane->active++;
	schedule->ready = lane->next;
	text_copy(work->last_lane, sizeof work->last_lane, lane->name);
	for (count = 0; count < size && lane->due > 0; count++) {
		struct entry *entry = pop(schedule, lane);

		entry->state = ENTRY_RUNNING;
		entry->worker = (short)worker;
		link_entry(&work->running, entry);
		text_copy(jobs[count].id, sizeof jobs[count].id, entry->id);
		text_copy(jobs[count].lane, sizeof jobs[count].lane, lane->name);
		jobs[count].is_new = entry->is_new;
		jobs[count].is_known = entry->is_known;
		jobs[count].is_if_untried = entry->is_if_untried;
	}
	return count;
}

static void
wait_for_lock(struct schedule *schedule, struct entry *entry)
{
	if (++entry->locked > LOCKED_TRIES) {
		entry->state = ENTRY_WAITING;
		return;
	}
	entry->state = ENTRY_LATER;
	entry->later_ms = clock_monotonic_ms() + LOCKED_WAIT_MS;
	link_entry(&schedule->later, entry);
}

void
schedule_done(struct schedule *schedule, int worker, const char *id, enum kick_outcome outcome,
    const char *lane, long priority, long wait_seconds)
{
	struct entry *entry = table_get(schedule->entries, id);

	if (entry == NULL || entry->state != ENTRY_RUNNING || entry->worker != worker)
		return; /* of a batch before our time */
	unlink_entry(&schedule->workers[worker].running, entry);
	entry->worker = -1;
	entry->crashes = 0;
	if (!entry->lane->is_closed && outcome != KICK_OUTCOME_LOCKED &&
	    outcome != KICK_OUTCOME_SKIPPED)
		entry->lane->is_probe = false;
	if (outcome == KICK_OUTCOME_GONE) {
		forget(schedule, entry);
		return;
	}
	if (lane[0] != '\0') {
		set_lane(schedule, entry, lane);
		text_copy(schedule->workers[worker].last_lane, KICK_LANE_SIZE, lane);
	}
	if (outcome == KICK_OUTCOME_LOCKED) {
		wait_for_lock(schedule, entry);
		return;
	}
	if (priority != 0)
		entry->priority = priority;
	entry->is_new = false;
	entry->is_known = outcome == KICK_OUTCOME_WAITS;
	entry->is_if_untried = false;
	entry->later_ms = wait_seconds > 0 ? deadline_in(wait_seconds) : 0;
	entry->state = ENTRY_WAITING;
}

void
schedule_close_lane(struct schedule *schedule, const char *name)
{
	struct lane *lane = find_lane(schedule, name);

	leave_ring(schedule, lane);
	while (lane->due > 0)
		pop(schedule, lane)->state = ENTRY_WAITING;
	lane->is_closed = true;
	lane->is_probe = false;
}

void
schedule_open_lane(struct schedule *schedule, const char *name)
{
	struct lane *lane = table_get(schedule->lanes, name);
	size_t position = 0;
	const char *key;
	void *value;

	if (lane == NULL || (!lane->is_closed && !lane->is_probe))
		return;
	if (lane->is_closed)
		schedule->due += lane->due;
	lane->is_closed = false;
	lane->is_probe = false;
	enter_ring(schedule, lane);
	while (table_next(schedule->entries, &position, &key, &value)) {
		struct entry *entry = value;

		if (entry->lane == lane)
			make_due(schedule, entry);
	}
}

static void
leave_lane(struct schedule *schedule, struct worker_work *work)
{
	struct lane *lane = work->lane;

	if (lane == NULL)
		return;
	work->lane = NULL;
	lane->active--;
	enter_ring(schedule, lane);
	release_lane(schedule, lane);
}

/* A lane closes while messages of it are with workers: those wait, too. */
static void
give_back(struct schedule *schedule, struct worker_work *work, bool is_crash)
{
	struct entry *entry, *next;

	for (entry = work->running; entry != NULL; entry = next) {
		next = entry->next;
		unlink_entry(&work->running, entry);
		entry->worker = -1;
		entry->state = ENTRY_WAITING;
		if (is_crash)
			entry->crashes++;
		if (!entry->lane->is_closed && entry->crashes < CRASHES_MAXIMUM)
			push(schedule, entry);
	}
}

void
schedule_worker_idle(struct schedule *schedule, int worker)
{
	give_back(schedule, &schedule->workers[worker], false);
	leave_lane(schedule, &schedule->workers[worker]);
}

void
schedule_worker_gone(struct schedule *schedule, int worker)
{
	give_back(schedule, &schedule->workers[worker], true);
	leave_lane(schedule, &schedule->workers[worker]);
	schedule->workers[worker].last_lane[0] = '\0';
}

int64_t
schedule_wake(struct schedule *schedule)
{
	int64_t now = clock_monotonic_ms(), next = DEADLINE_NEVER;
	struct entry *entry, *following;

	for (entry = schedule->later; entry != NULL; entry = following) {
		following = entry->next;
		if (entry->later_ms <= now)
			make_due(schedule, entry);
		else if (entry->later_ms < next)
			next = entry->later_ms;
	}
	return next;
}

size_t
schedule_count(const struct schedule *schedule)
{
	return table_count(schedule->entries);
}

size_t
schedule_due(const struct schedule *schedule)
{
	return schedule->due;
}

int
schedule_wanted_workers(const struct schedule *schedule)
{
	const struct lane *lane = schedule->ready;
	int wanted = 0;

	for (int i = 0; i < schedule->worker_count; i++)
		wanted += schedule->workers[i].lane != NULL;
	if (lane == NULL)
		return wanted;
	do {
		int more = allowed_workers(schedule, lane) - lane->active;

		wanted += more > 0 ? more : 0;
		lane = lane->next;
	} while (lane != schedule->ready && wanted < schedule->worker_count);
	return wanted < schedule->worker_count ? wanted : schedule->worker_count;
}
