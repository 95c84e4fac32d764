#include "config.h"

#include "run/groups.h"

#include <stddef.h>

#include "base/text.h"

void
run_group_find(const struct config *config, const char *name, struct run_group *group)
{
	const struct options *options = &config->options;
	const struct queue_group_conf *line = config->queue_groups;

	*group = (struct run_group){
	    .name = name,
	    .runners = options->max_runners_per_queue > 0 ? options->max_runners_per_queue : -1,
	    .jobs = options->max_queue_run_size,
	    .nice = options->nice_queue_run,
	};
	while (line != NULL && !text_equal_nocase(line->name, name != NULL ? name : "mqueue"))
		line = line->next;
	if (line == NULL)
		return;
	group->interval_seconds = line->interval_seconds;
	if (line->has_runners)
		group->runners = line->runners;
	if (line->jobs > 0)
		group->jobs = line->jobs;
	if (line->nice != 0)
		group->nice = line->nice;
}

bool
run_group_is_plain(const struct run_group *group)
{
	return group->runners < 0 && group->jobs <= 0 && group->nice <= 0 &&
	       group->interval_seconds <= 0;
}
