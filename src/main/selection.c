#include "config.h"

#include "main/selection.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "os/os.h"

static bool
contains(const char *text, const char *part)
{
	size_t length = strlen(part);

	if (length == 0)
		return true;
	for (; text != NULL && *text != '\0'; text++) {
		size_t i = 0;

		while (i < length &&
		       text_lower((unsigned char)text[i]) == text_lower((unsigned char)part[i]))
			i++;
		if (i == length)
			return true;
	}
	return false;
}

static bool
matches_one(const struct queue_selection *one, const char *id, const struct envelope *envelope)
{
	bool found = false;

	switch (one->field) {
	case 'I':
		found = strstr(id, one->text) != NULL;
		break;
	case 'S':
		found = envelope != NULL && contains(envelope->sender, one->text);
		break;
	case 'Q':
		found = envelope != NULL && envelope->quarantine != NULL &&
			contains(envelope->quarantine, one->text);
		break;
	case 'R':
		for (const struct recipient *recipient = envelope == NULL ? NULL
									  : envelope->recipients;
		     recipient != NULL && !found; recipient = recipient->next)
			found = contains(recipient->address, one->text);
		break;
	default:
		break;
	}
	return found != one->is_negated;
}

bool
selection_matches(
    const struct queue_selection *selections, const char *id, const struct envelope *envelope)
{
	for (const struct queue_selection *one = selections; one != NULL; one = one->next) {
		bool any = false;

		for (const struct queue_selection *same = selections; same != NULL && !any;
		     same = same->next)
			any = same->field == one->field && matches_one(same, id, envelope);
		if (!any)
			return false;
	}
	return true;
}

/* A look without a lock: NULL when there is nothing readable. */
static struct envelope *
peek(struct queue *queue, char kind, const char *id)
{
	struct envelope *envelope = NULL;

	return queue_peek(queue, kind, id, &envelope) == QUEUE_TAKEN ? envelope : NULL;
}

/* V8 compares hosts from their end, so that one domain's stand together. */
static void
reverse_host(char *out, size_t size, const char *address)
{
	const char *host = strrchr(address, '@');
	size_t length, at = 0;

	host = host != NULL ? host + 1 : "";
	length = strcspn(host, ">");
	while (length > 0 && at + 1 < size)
		out[at++] = (char)text_lower((unsigned char)host[--length]);
	out[at] = '\0';
}

static void
fill(struct selected *one, const struct queue_entry *entry, const struct envelope *envelope)
{
	text_copy(one->id, sizeof one->id, entry->id);
	one->modified = entry->modified;
	one->created = entry->modified;
	os_random(&one->random, sizeof one->random);
	if (envelope == NULL)
		return;
	one->priority = envelope->priority;
	one->created = envelope->created;
	if (envelope->recipients != NULL)
		reverse_host(one->host, sizeof one->host, envelope->recipients->address);
}

static int
order(long left, long right)
{
	return left < right ? -1 : left > right;
}

static char sort_order;

static int
compare(const void *left, const void *right)
{
	const struct selected *one = left, *other = right;
	int result = 0;

	if (sort_order == 'h')
		result = strcmp(one->host, other->host);
	else if (sort_order == 't')
		result = order((long)one->created, (long)other->created);
	else if (sort_order == 'm')
		result = order((long)one->modified, (long)other->modified);
	else if (sort_order == 'r' || sort_order == 's')
		result = one->random < other->random ? -1 : one->random > other->random;
	if (result == 0 && (sort_order == 'p' || sort_order == 'h' || sort_order == '\0'))
		result = order(one->priority, other->priority);
	return result != 0 ? result : strcmp(one->id, other->id);
}

int
selection_gather(struct queue *queue, char kind, const struct queue_selection *selections,
    const struct config *config, struct selected **list, size_t *count)
{
	struct queue_entry *entries;
	size_t entry_count;

	*count = 0;
	if (queue_scan(queue, kind, &entries, &entry_count) < 0)
		return -1;
	*list = check_malloc((entry_count + 1) * sizeof **list);
	memset(*list, 0, (entry_count + 1) * sizeof **list);
	for (size_t i = 0; i < entry_count; i++) {
		struct envelope *envelope = peek(queue, kind, entries[i].id);

		if (selection_matches(selections, entries[i].id, envelope))
			fill(&(*list)[(*count)++], &entries[i], envelope);
		envelope_destroy(envelope);
	}
	free(entries);
	sort_order = config->options.queue_sort_order;
	if (sort_order != 'n')
		qsort(*list, *count, sizeof **list, compare);
	return 0;
}
