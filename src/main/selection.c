#include "config.h"

#include "main/selection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/str.h"
#include "base/text.h"
#include "os/os.h"

enum { CONTROL_MAXIMUM = 64 * 1024 * 1024 };

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

static bool
read_file(int fd, struct str *text)
{
	char bytes[8192];

	for (;;) {
		ssize_t got = read(fd, bytes, sizeof bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		if (text->length + (size_t)got > CONTROL_MAXIMUM)
			return false;
		str_add(text, bytes, (size_t)got);
	}
}

/* A look without a lock: NULL when there is nothing readable. */
static struct envelope *
peek(struct queue *queue, char kind, const char *id)
{
	char name[QUEUE_NAME_SIZE];
	struct stat status;
	struct str text = {0};
	struct envelope *envelope = NULL;
	struct control_error error;
	int fd;

	queue_name(name, kind, id);
	fd = openat(queue->qf_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && read_file(fd, &text)) {
		envelope = envelope_create();
		if (control_read(envelope, str_text(&text), text.length, &error) != CONTROL_OK) {
			envelope_destroy(envelope);
			envelope = NULL;
		}
	}
	close(fd);
	str_free(&text);
	return envelope;
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
