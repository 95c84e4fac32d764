#include "mail/header.h"

#include <string.h>

#include "base/text.h"

bool
flag_set_has(const struct flag_set *set, int flag)
{
	unsigned bit = (unsigned char)flag;

	return (set->bits[bit / 32] >> (bit % 32) & 1) != 0;
}

void
flag_set_add(struct flag_set *set, int flag)
{
	unsigned bit = (unsigned char)flag;

	set->bits[bit / 32] |= (uint32_t)1 << (bit % 32);
}

void
flag_set_remove(struct flag_set *set, int flag)
{
	unsigned bit = (unsigned char)flag;

	set->bits[bit / 32] &= ~((uint32_t)1 << (bit % 32));
}

bool
flag_set_intersects(const struct flag_set *one, const struct flag_set *other)
{
	for (size_t i = 0; i < sizeof one->bits / sizeof *one->bits; i++) {
		if ((one->bits[i] & other->bits[i]) != 0)
			return true;
	}
	return false;
}

bool
flag_set_is_empty(const struct flag_set *set)
{
	return !flag_set_intersects(set, set);
}

static struct header *
make(struct arena *arena, const char *name, const char *value)
{
	struct header *header = ARENA_NEW(arena, struct header);

	header->name = arena_strdup(arena, name);
	header->value = arena_strdup(arena, value);
	return header;
}

struct header *
header_append(struct header_list *list, struct arena *arena, const char *name, const char *value)
{
	struct header *header = make(arena, name, value);

	if (list->end == NULL)
		list->end = &list->first;
	*list->end = header;
	list->end = &header->next;
	return header;
}

struct header *
header_prepend(struct header_list *list, struct arena *arena, const char *name, const char *value)
{
	struct header *header = make(arena, name, value);

	header->next = list->first;
	if (list->end == NULL || list->end == &list->first)
		list->end = &header->next;
	list->first = header;
	return header;
}

struct header *
header_insert(struct header_list *list, struct arena *arena, struct header **place,
    const char *name, const char *value)
{
	struct header *header = make(arena, name, value);

	header->next = *place;
	if (header->next == NULL)
		list->end = &header->next;
	*place = header;
	return header;
}

static struct header *
find_from(struct header *header, const char *name)
{
	while (header != NULL && (header->is_deleted || !text_equal_nocase(header->name, name)))
		header = header->next;
	return header;
}

struct header *
header_find(const struct header_list *list, const char *name)
{
	return find_from(list->first, name);
}

struct header *
header_find_next(const struct header *after, const char *name)
{
	return find_from(after->next, name);
}

/* Offset of the colon that ends a field's name; 0 when the text is no field. */
static size_t
scan_name(const char *field, size_t length, size_t *name_length)
{
	size_t at = 0;

	while (at < length && (unsigned char)field[at] > ' ' && (unsigned char)field[at] < 127 &&
	       field[at] != ':')
		at++;
	*name_length = at;
	while (at < length && (field[at] == ' ' || field[at] == '\t'))
		at++;
	return *name_length > 0 && at < length && field[at] == ':' ? at : 0;
}

bool
header_parse(
    struct arena *arena, const char *field, size_t length, const char **name, const char **value)
{
	size_t name_length, colon = scan_name(field, length, &name_length), start = colon + 1;

	if (colon == 0)
		return false;
	*name = arena_memdup(arena, field, name_length);
	*value = arena_memdup(arena, field + start, length - start);
	return true;
}

struct header *
header_append_field(struct header_list *list, struct arena *arena, const char *field, size_t length)
{
	const char *name, *value;
	struct header *header;

	if (!header_parse(arena, field, length, &name, &value))
		return NULL;
	header = header_append(list, arena, "", "");
	header->name = name;
	header->value = value;
	return header;
}
