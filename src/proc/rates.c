#include "config.h"

#include "proc/rates.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "os/os.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

enum {
	PARTS = 10,
	ENTRIES = 2048, /* clients in a window; a power of two */
	PROBES = 8,
};

/* A part of the window counts while its number is one of the last PARTS. */
struct counter {
	atomic_uint numbers[PARTS], counts[PARTS];
};

struct entry {
	_Atomic uint64_t key; /* 0: free */
	struct counter counter;
};

struct gate {
	atomic_uint second, count;
};

struct rates {
	uint64_t secret;
	int64_t part_ms;
	struct counter all;
	struct gate gates[RATES_GATES];
	struct entry entries[ENTRIES];
};

struct rates *
rates_create(long window_seconds)
{
	struct rates *rates =
	    mmap(NULL, sizeof *rates, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (rates == MAP_FAILED)
		return NULL;
	os_random(&rates->secret, sizeof rates->secret);
	rates->part_ms = (int64_t)(window_seconds > 0 ? window_seconds : 1) * 1000 / PARTS;
	return rates;
}

void
rates_destroy(struct rates *rates)
{
	if (rates != NULL)
		munmap(rates, sizeof *rates);
}

uint64_t
rates_key(const struct rates *rates, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;
	uint64_t key = rates->secret;

	for (size_t i = 0; i < length; i++) {
		key = (key ^ byte[i]) * 0x100000001b3u;
		key ^= key >> 29;
	}
	return key != 0 ? key : 1;
}

/* Numbers start at PARTS, so that memory that was never written to is in no window. */
static unsigned
part_now(const struct rates *rates)
{
	return (unsigned)(clock_monotonic_ms() / rates->part_ms) + PARTS;
}

static unsigned
count(struct counter *counter, unsigned part)
{
	unsigned at = part % PARTS, sum = 0;

	if (atomic_exchange(&counter->numbers[at], part) != part)
		atomic_store(&counter->counts[at], 0);
	atomic_fetch_add(&counter->counts[at], 1);
	for (at = 0; at < PARTS; at++) {
		if (part - atomic_load(&counter->numbers[at]) < PARTS)
			sum += atomic_load(&counter->counts[at]);
	}
	return sum;
}

/* Whether one is to be forgotten rather than the other: who came longest ago, then who came least. */
static bool
is_staler(const struct counter *one, const struct counter *other)
{
	unsigned newest[2] = {0, 0}, sum[2] = {0, 0};

	for (int i = 0; i < 2 * PARTS; i++) {
		const struct counter *counter = i < PARTS ? one : other;
		unsigned number = atomic_load(&counter->numbers[i % PARTS]);

		if (number > newest[i / PARTS])
			newest[i / PARTS] = number;
		sum[i / PARTS] += atomic_load(&counter->counts[i % PARTS]);
	}
	return newest[0] != newest[1] ? newest[0] < newest[1] : sum[0] < sum[1];
}

static void
clear(struct counter *counter)
{
	for (int i = 0; i < PARTS; i++) {
		atomic_store(&counter->numbers[i], 0);
		atomic_store(&counter->counts[i], 0);
	}
}

static struct entry *
find(struct rates *rates, uint64_t key)
{
	struct entry *oldest = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct entry *entry = &rates->entries[(key + i) % ENTRIES];
		uint64_t other = atomic_load(&entry->key);

		if (other == key)
			return entry;
		if (other == 0) {
			oldest = entry;
			break;
		}
		if (oldest == NULL || is_staler(&entry->counter, &oldest->counter))
			oldest = entry;
	}
	check(oldest != NULL);
	atomic_store(&oldest->key, key);
	clear(&oldest->counter);
	return oldest;
}

void
rates_count(struct rates *rates, uint64_t key, unsigned *of_key, unsigned *of_all)
{
	unsigned part = part_now(rates);

	*of_key = count(&find(rates, key)->counter, part);
	*of_all = count(&rates->all, part);
}

int
rates_admit(struct rates *rates, int number, int most)
{
	int64_t now = clock_monotonic_ms();
	unsigned second = (unsigned)(now / 1000) + 1;
	struct gate *gate = &rates->gates[number % RATES_GATES];

	if (atomic_exchange(&gate->second, second) != second)
		atomic_store(&gate->count, 0);
	if ((int)atomic_fetch_add(&gate->count, 1) < most)
		return 0;
	return (int)(1000 - now % 1000);
}
