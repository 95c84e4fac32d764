/*
 * back_off: how long a message waits between two attempts.
 */
#ifndef RUN_BACK_OFF_H
#define RUN_BACK_OFF_H

#include <time.h>

#include "conf/option.h"

/*
 * The whole wait after an attempt, in seconds: with MaxQueueAge as long as the message was old then, so
 * that its age doubles from one attempt to the next, and at most MaxQueueAge; otherwise MinQueueAge.
 * 0 for one that was never tried.
 */
long back_off_seconds(const struct options *, time_t created, time_t last_attempt);

/* What is left of it now; 0: it is due.  A last attempt in the future (the clock was set back) is none. */
long back_off_left(const struct options *, time_t created, time_t last_attempt);

#endif
