/*
 * clock: the one source of time.  Calendar time is for what people read and what queue files
 * carry; intervals and time limits run on the monotonic clock, so a clock step neither stops the
 * queue nor ends a session.  Tests set the clock instead of sleeping.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

time_t clock_now(void);
int64_t clock_monotonic_ms(void);

/*
 * How old something is that happened at a moment of the calendar clock: never below 0, and without
 * the time by which the clock was set forward since clock_watch().  Set back it gives too little.
 * For all decisions that destroy or return mail.
 */
void clock_watch(void); /* notes both clocks; processes forked later know it */
long clock_age(time_t since);

/* For tests: calendar and monotonic time stand still at these values until clock_run(). */
void clock_stop(time_t now, int64_t monotonic_ms);
void clock_run(void);

/* A deadline is a moment of the monotonic clock in milliseconds; DEADLINE_NEVER does not come. */
#define DEADLINE_NEVER INT64_MAX
int64_t deadline_in(long seconds); /* 0 or less: never, as sendmail's time-outs of 0 */
bool deadline_passed(int64_t deadline);
int deadline_poll_ms(int64_t deadline); /* for poll(2): -1 for never, 0 when passed */

#endif
