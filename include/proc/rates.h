/*
 * rates: how often somebody came lately, counted in memory that processes share.  Nobody waits for
 * anybody: two who count at the same moment may lose one of both, and whoever came longest ago is
 * forgotten when the table is full.  Windows move by a tenth of their length.
 */
#ifndef PROC_RATES_H
#define PROC_RATES_H

#include <stddef.h>
#include <stdint.h>

struct rates;

struct rates *rates_create(long window_seconds); /* NULL with errno */
void rates_destroy(struct rates *);		 /* NULL is allowed */

/* Who somebody is; never 0.  Strangers cannot choose addresses that count as one. */
uint64_t rates_key(const struct rates *, const void *bytes, size_t length);

/* Counts one and gives how many there were in the window, of this key and of all. */
void rates_count(struct rates *, uint64_t key, unsigned *of_key, unsigned *of_all);

/*
 * At most `most` a second in one of RATES_GATES places: 0 and counted, or the milliseconds until the
 * next second, when it may be tried again.
 */
enum { RATES_GATES = 32 };
int rates_admit(struct rates *, int gate, int most);

#endif
