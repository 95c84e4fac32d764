#include "queue/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "os/os.h"

static bool
contains_nocase(const char *text, const char *part)
{
	for (; text != NULL; text++) {
		if (text_starts_nocase(text, part))
			return true;
		if (*text == '\0')
			break;
	}
	return false;
}

static bool
matches_recipient(const struct queue_filter *filter, const struct queue_listed *item)
{
	/* V8: one that the filter is true of is enough, for a negated filter as well */
	for (const struct queue_listed_recipient *one = item->recipients; one != NULL;
	     one = one->next) {
		if (contains_nocase(one->address, filter->text) != filter->is_negated)
			return true;
	}
	return false;
}

static bool
matches_listed(const struct queue_filter *filter, const struct queue_listed *item)
{
	switch (filter->field) {
	case 'I':
		return (strstr(item->id, filter->text) != NULL) != filter->is_negated;
	case 'S':
		return contains_nocase(item->sender, filter->text) != filter->is_negated;
	case 'Q':
		return contains_nocase(item->quarantine, filter->text) != filter->is_negated;
	case 'R':
		return matches_recipient(filter, item);
	default:
		return false;
	}
}

bool
queue_list_matches(const struct queue_filter *filters, const struct queue_listed *item)
{
	static const char fields[] = "IRSQ";

	for (const char *field = fields; *field != '\0'; field++) {
		bool asked = false, found = false;

		for (const struct queue_filter *one = filters; one != NULL && !found;
		     one = one->next) {
			if (one->field != *field)
				continue;
			asked = true;
			found = matches_listed(one, item);
		}
		if (asked && !found)
			return false;
	}
	return true;
}

static int
by_position(const struct queue_listed *one, const struct queue_listed *other)
{
	return one->position < other->position ? -1 : one->position > other->position;
}

static int
by_priority(const void *left, const void *right)
{
	const struct queue_listed *one = left, *other = right;

	if (one->priority != other->priority)
		return one->priority < other->priority ? -1 : 1;
	return by_position(one, other);
}

static int
by_creation(const void *left, const void *right)
{
	const struct queue_listed *one = left, *other = right;

	if (one->created != other->created)
		return one->created < other->created ? -1 : 1;
	return by_position(one, other);
}

static int
by_modification(const void *left, const void *right)
{
	const struct queue_listed *one = left, *other = right;

	if (one->modified != other->modified)
		return one->modified < other->modified ? -1 : 1;
	return by_position(one, other);
}

static int
by_name(const void *left, const void *right)
{
	return strcmp(
	    ((const struct queue_listed *)left)->id, ((const struct queue_listed *)right)->id);
}

static int
in_directory(const void *left, const void *right)
{
	return by_position(left, right);
}

/* The host of the first recipient that has one, as start and length. */
static size_t
host_of(const struct queue_listed *item, const char **host)
{
	const char *at = NULL;

	for (const struct queue_listed_recipient *one = item->recipients; one != NULL && at == NULL;
	     one = one->next)
		at = strrchr(one->address, '@');
	*host = at != NULL ? at + 1 : "";
	return strcspn(*host, ">");
}

/* V8: compared from the end, so that hosts of a domain stand together; without any comes first. */
static int
by_host(const void *left, const void *right)
{
	const char *one, *other;
	size_t one_length = host_of(left, &one), other_length = host_of(right, &other);

	while (one_length > 0 && other_length > 0) {
		int difference = text_lower((unsigned char)one[--one_length]) -
				 text_lower((unsigned char)other[--other_length]);

		if (difference != 0)
			return difference;
	}
	if (one_length != other_length)
		return one_length < other_length ? -1 : 1;
	return by_priority(left, right);
}

static void
shuffle(struct queue_list *list)
{
	for (size_t i = list->count; i > 1; i--) {
		struct queue_listed saved;
		uint32_t random;
		size_t other;

		os_random(&random, sizeof random);
		other = random % i;
		saved = list->items[i - 1];
		list->items[i - 1] = list->items[other];
		list->items[other] = saved;
	}
}

void
queue_list_sort(struct queue_list *list, char order)
{
	static const struct {
		char order;
		int (*compare)(const void *, const void *);
	} rows[] = {{'p', by_priority}, {'h', by_host}, {'t', by_creation}, {'f', by_name},
	    {'m', by_modification}, {'n', in_directory}};

	if (order == 'r' || order == 's') {
		shuffle(list);
		return;
	}
	if (list->count < 2)
		return;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].order == order)
			qsort(list->items, list->count, sizeof *list->items, rows[i].compare);
	}
}

void
queue_list_keep_order(struct queue_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->items[i].position = i;
}
