#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "schedule_private.h"

enum {
	PER_WORKER = 4, /* due messages that make one more worker for a lane worth while */
	LOCKED_WAIT_MS = 3000,
	LOCKED_TRIES = 3,
	CRASHES_MAXIMUM = 3, /* workers that a message may cost before it has to wait */
};

struct schedule *
schedule_create(int workers)
{
	struct schedule *schedule = check_malloc(sizeof *schedule);

	*schedule = (struct schedule){.worker_count = workers, .group_count = 1};
	schedule->groups[0].workers = -1;
	schedule->entries = table_create(TABLE_CASE);
	schedule->lanes = table_create(TABLE_CASE);
	schedule->workers = check_malloc((size_t)workers * sizeof *schedule->workers);
	memset(schedule->workers, 0, (size_t)workers * sizeof *schedule->workers);
	return schedule;
}

void
schedule_limit_group(struct schedule *schedule, int group, int workers, bool is_bound)
{
	check(group > 0 && group < SCHEDULE_GROUPS);
	for (; schedule->group_count <= group; schedule->group_count++)
		schedule->groups[schedule->group_count].workers = -1;
	/* whoever is bound is lost for new mail: some are left for that */
	if (is_bound && (workers < 0 || workers > (schedule->worker_count + 1) / 2))
		workers = (schedule->worker_count + 1) / 2;
	schedule->groups[group].workers = workers;
	schedule->groups[group].is_bound = is_bound;
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

	if (old != NULL && old->group == entry->group && strcmp(old->name, name) == 0)
		return;
	entry->lane = schedule_find_lane(schedule, name, entry->group);
	entry->lane->entries++;
	if (old != NULL) {
		old->entries--;
		schedule_release_lane(schedule, old);
	}
}

static void
forget(struct schedule *schedule, struct entry *entry)
{
	struct lane *lane = entry->lane;

	check(entry->state == ENTRY_WAITING || entry->state == ENTRY_RUNNING);
	lane->entries--;
	schedule_release_lane(schedule, lane);
	table_remove(schedule->entries, entry->id);
	free(entry);
}

static struct entry *
make_entry(struct schedule *schedule, const char *id, int group, const char *lane, long priority)
{
	struct entry *entry = check_malloc(sizeof *entry);

	*entry = (struct entry){.priority = priority, .group = (unsigned char)group, .worker = -1};
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
	entry = make_entry(schedule, id, 0, lane, priority);
	entry->is_new = true;
	schedule_push(schedule, entry);
}

static void
make_due(struct schedule *schedule, struct entry *entry)
{
	if (entry->state == ENTRY_LATER)
		unlink_entry(&schedule->later, entry);
	else if (entry->state != ENTRY_WAITING || !deadline_passed(entry->later_ms))
		return;
	schedule_push(schedule, entry);
}

/* A group's closed lanes get one attempt; those that nobody needs any more go. */
static void
open_lanes(struct schedule *schedule, int group)
{
	struct lane **unused = check_malloc((table_count(schedule->lanes) + 1) * sizeof *unused);
	size_t position = 0, count = 0;
	const char *key;
	void *value;

	while (table_next(schedule->lanes, &position, &key, &value)) {
		struct lane *lane = value;

		if (lane->group != group)
			continue;
		if (lane->entries == 0 && lane->active == 0)
			unused[count++] = lane;
		if (!lane->is_closed)
			continue;
		lane->is_closed = false;
		lane->is_probe = true;
		schedule->due += lane->due;
		schedule_enter_ring(schedule, lane);
	}
	while (count > 0) {
		unused[--count]->is_probe = false;
		schedule_release_lane(schedule, unused[count]);
	}
	free(unused);
}

static int
by_urgency(const void *left, const void *right)
{
	const struct entry *one = *(struct entry *const *)left,
			   *other = *(struct entry *const *)right;

	return schedule_comes_first(one, other) ? -1 : schedule_comes_first(other, one);
}

void
schedule_make_due(struct schedule *schedule, int group, size_t most)
{
	struct entry **found;
	size_t position = 0, count = 0;
	const char *key;
	void *value;

	if (schedule->groups[group].workers == 0)
		return;
	open_lanes(schedule, group);
	found = check_malloc((table_count(schedule->entries) + 1) * sizeof *found);
	while (table_next(schedule->entries, &position, &key, &value)) {
		struct entry *entry = value;

		if (entry->group != group)
			continue;
		entry->crashes = 0;
		entry->locked = 0;
		entry->is_if_untried = false;
		if (entry->state == ENTRY_LATER ||
		    (entry->state == ENTRY_WAITING && deadline_passed(entry->later_ms)))
			found[count++] = entry;
	}
	/* each attempt makes a message less urgent: the others have their turn at the next interval */
	if (most > 0 && count > most) {
		qsort(found, count, sizeof *found, by_urgency);
		count = most;
	}
	for (size_t i = 0; i < count; i++)
		make_due(schedule, found[i]);
	free(found);
}

void
schedule_compare_begin(struct schedule *schedule)
{
	schedule->mark++;
}

void
schedule_compare_seen(struct schedule *schedule, const char *id, int group, enum schedule_how how)
{
	struct entry *entry = table_get(schedule->entries, id);

	if (entry == NULL) {
		entry = make_entry(schedule, id, group, "", 0);
		entry->is_if_untried = how == SCHEDULE_UNTRIED;
		if (how != SCHEDULE_WAITS && schedule->groups[group].workers != 0)
			schedule_push(schedule, entry);
	} else if (entry->group != group && entry->state == ENTRY_WAITING) {
		entry->group = (unsigned char)group;
		set_lane(schedule, entry, entry->lane->name);
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
group_has_room(const struct schedule *schedule, int group)
{
	return schedule->groups[group].workers < 0 ||
	       schedule->groups[group].active < schedule->groups[group].workers;
}

static bool
has_room(const struct schedule *schedule, const struct worker_work *worker, const struct lane *lane)
{
	return lane->is_ready && lane->active < allowed_workers(schedule, lane) &&
	       (!worker->is_bound || worker->last_group == lane->group) &&
	       group_has_room(schedule, lane->group);
}

static struct lane *
choose_lane(struct schedule *schedule, const struct worker_work *worker)
{
	struct lane *lane = schedule_get_lane(schedule, worker->last_lane, worker->last_group),
		    *first = schedule->ready;

	/* its session is open, and what waits in other lanes has its own turn */
	if (lane != NULL && worker->last_lane[0] != '\0' && has_room(schedule, worker, lane))
		return lane;
	lane = first;
	do {
		if (lane == NULL)
			return NULL;
		if (has_room(schedule, worker, lane))
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
	schedule->groups[lane->group].active++;
	schedule->ready = lane->next;
	work->last_group = lane->group;
	work->is_bound = schedule->groups[lane->group].is_bound;
	text_copy(work->last_lane, sizeof work->last_lane, lane->name);
	for (count = 0; count < size && lane->due > 0; count++) {
		struct entry *entry = schedule_pop(schedule, lane);

		entry->state = ENTRY_RUNNING;
		entry->worker = (short)worker;
		link_entry(&work->running, entry);
		text_copy(jobs[count].id, sizeof jobs[count].id, entry->id);
		text_copy(jobs[count].lane, sizeof jobs[count].lane, lane->name);
		jobs[count].group = lane->group;
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

static void
close_lane(struct schedule *schedule, struct lane *lane)
{
	schedule_leave_ring(schedule, lane);
	while (lane->due > 0)
		schedule_pop(schedule, lane)->state = ENTRY_WAITING;
	lane->is_closed = true;
	lane->is_probe = false;
}

void
schedule_close_lane(struct schedule *schedule, const char *name)
{
	close_lane(schedule, schedule_find_lane(schedule, name, 0));
	for (int group = 1; group < schedule->group_count; group++) {
		struct lane *lane = schedule_get_lane(schedule, name, group);

		if (lane != NULL)
			close_lane(schedule, lane);
	}
}

static void
open_lane(struct schedule *schedule, struct lane *lane)
{
	size_t position = 0;
	const char *key;
	void *value;

	if (!lane->is_closed && !lane->is_probe)
		return;
	if (lane->is_closed)
		schedule->due += lane->due;
	lane->is_closed = false;
	lane->is_probe = false;
	schedule_enter_ring(schedule, lane);
	while (table_next(schedule->entries, &position, &key, &value)) {
		struct entry *entry = value;

		if (entry->lane == lane)
			make_due(schedule, entry);
	}
}

void
schedule_open_lane(struct schedule *schedule, const char *name)
{
	for (int group = 0; group < schedule->group_count; group++) {
		struct lane *lane = schedule_get_lane(schedule, name, group);

		if (lane != NULL && schedule->groups[group].workers != 0)
			open_lane(schedule, lane);
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
	schedule->groups[lane->group].active--;
	schedule_enter_ring(schedule, lane);
	schedule_release_lane(schedule, lane);
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
			schedule_push(schedule, entry);
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
	schedule->workers[worker].last_group = 0;
	schedule->workers[worker].is_bound = false;
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

bool
schedule_is_busy(const struct schedule *schedule)
{
	bool is_busy = schedule->ready != NULL;

	for (int i = 0; i < schedule->worker_count && !is_busy; i++)
		is_busy = schedule->workers[i].lane != NULL;
	return is_busy;
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
	int wanted = 0, room[SCHEDULE_GROUPS];

	for (int i = 0; i < schedule->worker_count; i++) {
		const struct worker_work *work = &schedule->workers[i];

		/* one that is bound and idle is nobody for the others */
		wanted += work->lane != NULL || work->is_bound;
	}
	if (lane == NULL)
		return wanted;
	for (int i = 0; i < schedule->group_count; i++)
		room[i] = schedule->groups[i].workers < 0
			      ? schedule->worker_count
			      : schedule->groups[i].workers - schedule->groups[i].active;
	do {
		int more = allowed_workers(schedule, lane) - lane->active;

		if (more > room[lane->group])
			more = room[lane->group];
		if (more > 0) {
			wanted += more;
			room[lane->group] -= more;
		}
		lane = lane->next;
	} while (lane != schedule->ready && wanted < schedule->worker_count);
	return wanted < schedule->worker_count ? wanted : schedule->worker_count;
}
