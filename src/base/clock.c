#include "base/clock.h"

#include <limits.h>

static bool stopped;
static time_t stopped_now;
static int64_t stopped_monotonic_ms;

/* when clock_watch() was called */
static time_t watched_now;
static int64_t watched_monotonic_ms;
static bool is_watched;

time_t
clock_now(void)
{
	return stopped ? stopped_now : time(NULL);
}

int64_t
clock_monotonic_ms(void)
{
	struct timespec now;

	if (stopped)
		return stopped_monotonic_ms;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
clock_watch(void)
{
	watched_now = clock_now();
	watched_monotonic_ms = clock_monotonic_ms();
	is_watched = true;
}

/* Seconds by which the calendar clock went faster than time itself; 0 when it was set back. */
static time_t
seconds_skipped(time_t now)
{
	time_t passed = (time_t)((clock_monotonic_ms() - watched_monotonic_ms) / 1000);

	return is_watched && now - watched_now > passed ? now - watched_now - passed : 0;
}

long
clock_age(time_t since)
{
	time_t now = clock_now(), skipped = seconds_skipped(now);

	if (since >= now)
		return 0;
	/*
	 * What is from before the step is at least as old as the step is wide.  What came after it
	 * is taken for older only once it is as old itself, and then is the younger by that: the
	 * error is to wait longer.
	 */
	return (long)(now - since >= skipped ? now - since - skipped : now - since);
}

void
clock_stop(time_t now, int64_t monotonic_ms)
{
	stopped = true;
	stopped_now = now;
	stopped_monotonic_ms = monotonic_ms;
}

void
clock_run(void)
{
	stopped = false;
}

int64_t
deadline_in(long seconds)
{
	return seconds > 0 ? clock_monotonic_ms() + (int64_t)seconds * 1000 : DEADLINE_NEVER;
}

bool
deadline_passed(int64_t deadline)
{
	return deadline != DEADLINE_NEVER && clock_monotonic_ms() >= deadline;
}

int
deadline_poll_ms(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_NEVER)
		return -1;
	left = deadline - clock_monotonic_ms();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}
