#include "mail/envelope.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

struct envelope *
envelope_create(void)
{
	struct envelope *envelope = check_malloc(sizeof *envelope);

	*envelope = (struct envelope){
	    .arena = arena_create(), .version = 8, .body_fd = -1, .control_fd = -1};
	envelope->macros_end = &envelope->macros;
	envelope->recipients_end = &envelope->recipients;
	return envelope;
}

void
envelope_destroy(struct envelope *envelope)
{
	if (envelope == NULL)
		return;
	if (envelope->body_fd >= 0)
		close(envelope->body_fd);
	if (envelope->control_fd >= 0)
		close(envelope->control_fd);
	arena_destroy(envelope->arena);
	free(envelope);
}

struct recipient *
envelope_add_recipient(struct envelope *envelope, const char *address, unsigned flags)
{
	struct recipient *recipient = ARENA_NEW(envelope->arena, struct recipient);

	recipient->address = arena_strdup(envelope->arena, address);
	recipient->flags = flags;
	*envelope->recipients_end = recipient;
	envelope->recipients_end = &recipient->next;
	return recipient;
}

void
envelope_remove_recipient(struct envelope *envelope, const struct recipient *recipient)
{
	struct recipient **link = &envelope->recipients;

	while (*link != recipient)
		link = &(*link)->next;
	*link = recipient->next;
	if (*link == NULL)
		envelope->recipients_end = link;
}

void
envelope_set_macro(struct envelope *envelope, const char *name, const char *value)
{
	struct saved_macro **link = &envelope->macros, *macro;

	while (*link != NULL && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	macro = *link;
	if (macro != NULL && value != NULL) {
		macro->value = arena_strdup(envelope->arena, value);
	} else if (macro != NULL) {
		*link = macro->next;
		if (envelope->macros_end == &macro->next)
			envelope->macros_end = link;
	} else if (value != NULL) {
		macro = ARENA_NEW(envelope->arena, struct saved_macro);
		macro->name = arena_strdup(envelope->arena, name);
		macro->value = arena_strdup(envelope->arena, value);
		*link = macro;
		envelope->macros_end = &macro->next;
	}
}

const char *
envelope_macro(const struct envelope *envelope, const char *name)
{
	for (const struct saved_macro *macro = envelope->macros; macro != NULL;
	     macro = macro->next) {
		if (strcmp(macro->name, name) == 0)
			return macro->value;
	}
	return NULL;
}

struct placed {
	struct recipient *recipient;
	size_t place;
	bool is_by_address;
};

static const char *
bare_address(const struct recipient *recipient)
{
	return recipient->user != NULL ? recipient->user : recipient->address;
}

static int
compare_placed(const void *left, const void *right)
{
	const struct placed *one = left, *other = right;
	const char *host = one->recipient->host, *other_host = other->recipient->host;
	int difference =
	    text_compare_nocase(host != NULL ? host : "", other_host != NULL ? other_host : "");

	if (difference == 0 && one->is_by_address)
		difference = strcmp(bare_address(other->recipient), bare_address(one->recipient));
	if (difference != 0)
		return difference;
	return one->place < other->place ? -1 : one->place > other->place;
}

void
envelope_sort_recipients(struct envelope *envelope, bool is_by_address)
{
	size_t count = 0, at = 0;
	struct placed *list;

	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next)
		count++;
	list = ARENA_ARRAY(envelope->arena, struct placed, count + 1);
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next, at++)
		list[at] = (struct placed){one, at, is_by_address};
	qsort(list, count, sizeof *list, compare_placed);
	envelope->recipients_end = &envelope->recipients;
	for (at = 0; at < count; at++) {
		*envelope->recipients_end = list[at].recipient;
		envelope->recipients_end = &list[at].recipient->next;
	}
	*envelope->recipients_end = NULL;
}
