#include "config.h"

#include "run/back_off.h"

#include "base/clock.h"

long
back_off_seconds(const struct options *options, time_t created, time_t last_attempt)
{
	if (last_attempt == 0)
		return 0;
	if (options->max_queue_age_seconds <= 0)
		return options->min_queue_age_seconds;
	if (last_attempt <= created)
		return 0;
	return last_attempt - created < options->max_queue_age_seconds
		   ? (long)(last_attempt - created)
		   : options->max_queue_age_seconds;
}

long
back_off_left(const struct options *options, time_t created, time_t last_attempt)
{
	long wait = back_off_seconds(options, created, last_attempt);

	if (wait <= 0 || last_attempt > clock_now())
		return 0;
	wait -= clock_age(last_attempt);
	return wait > 0 ? wait : 0;
}
