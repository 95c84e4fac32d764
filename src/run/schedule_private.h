/*
 * schedule_private: what the two files of run/schedule share: its records, the ring of lanes that have something due
 * and the heap in each.
 */
#ifndef RUN_SCHEDULE_PRIVATE_H
#define RUN_SCHEDULE_PRIVATE_H

#include "base/table.h"
#include "run/schedule.h"

enum entry_state { ENTRY_WAITING, ENTRY_DUE, ENTRY_RUNNING, ENTRY_LATER };

struct entry {
	char id[ENVELOPE_ID_SIZE];
	struct lane *lane;
	struct entry *previous, *next; /* of those its worker has, or of those for later */
	int64_t later_ms;	       /* not due before */
	long priority;
	unsigned sequence; /* first come, first served among equals */
	short worker;
	unsigned char state, crashes, locked, mark, group;
	bool is_new, is_known, is_if_untried;
};

struct lane {
	char *name;
	int group;
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
		int last_group;
		bool is_bound; /* to last_group */
	} * workers;
	struct group {
		int workers,
		    active; /* the most there may be (-1: any number), and how many there are */
		bool is_bound;
	} groups[SCHEDULE_GROUPS];
	int group_count; /* those that were spoken of */
	int worker_count;
	bool is_single; /* one worker a lane */
	size_t due;
	unsigned sequence;
	unsigned char mark;
};

/* Lanes that have something due stand in a ring; both do nothing where there is nothing to do. */
void schedule_enter_ring(struct schedule *, struct lane *);
void schedule_leave_ring(struct schedule *, struct lane *);

struct lane *schedule_get_lane(const struct schedule *, const char *name, int group); /* or NULL */
struct lane *schedule_find_lane(struct schedule *, const char *name, int group);      /* makes it */
/* A lane that nothing needs any more goes; a closed one is remembered until it is opened. */
void schedule_release_lane(struct schedule *, struct lane *);

/* The heap of a lane: the smallest priority first, then the oldest. */
bool schedule_comes_first(const struct entry *, const struct entry *);
void schedule_push(struct schedule *, struct entry *);
struct entry *schedule_pop(struct schedule *, struct lane *);

#endif
