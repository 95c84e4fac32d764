/*
 * groups: how queue runs treat the groups of the queue (Q lines), with the options that stand in for what a
 * line leaves out.
 */
#ifndef RUN_GROUPS_H
#define RUN_GROUPS_H

#include <stdbool.h>

#include "conf/config.h"

struct run_group {
	const char *name; /* of a Q line; NULL: mqueue without one */
	int runners; /* R=, MaxRunnersPerQueue: processes at once; -1: no limit, 0: only run by hand and name (-qG) */
	int jobs;	       /* J=, MaxQueueRunSize: most messages of a run; 0: all */
	int nice;	       /* N=, NiceQueueRun */
	long interval_seconds; /* I=; 0: that of -q */
};

/* The group of that name, NULL for mqueue. */
void run_group_find(const struct config *, const char *name, struct run_group *);
/* Nothing is asked for that would tell it from new mail. */
bool run_group_is_plain(const struct run_group *);

#endif
