#include "config.h"

#include "proc/page.h"

#include <stddef.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

static size_t
page_size(int slot_count)
{
	return sizeof(struct page) + (size_t)slot_count * sizeof(struct slot);
}

struct page *
page_create(int slot_count)
{
	struct page *page = mmap(
	    NULL, page_size(slot_count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(slot_count > 0);
	if (page == MAP_FAILED)
		return NULL;
	return page;
}

void
page_destroy(struct page *page, int slot_count)
{
	if (page != NULL)
		munmap(page, page_size(slot_count));
}

void
tally_add(struct tally *sum, const struct tally *more)
{
	sum->accepted += more->accepted;
	sum->refused += more->refused;
	sum->sent += more->sent;
	sum->deferred += more->deferred;
	sum->failed += more->failed;
}

void
page_tally(const struct page *page, int slot_count, struct tally *sum)
{
	for (int i = 0; i < slot_count; i++)
		tally_add(sum, &page->slots[i].tally);
}

volatile int *
page_number_create(void)
{
	void *memory =
	    mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void
slot_set_state(struct slot *slot, enum slot_state state, int64_t deadline, const char *what)
{
	slot->deadline_ms = deadline;
	slot->state = state;
	slot->state_since_ms = clock_monotonic_ms();
	text_copy(slot->what, sizeof slot->what, what);
}
