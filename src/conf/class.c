#include "conf/macro.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

struct class
{
	struct table *phrases;
	size_t longest;
};

struct class_set {
	struct class *classes; /* by id */
	size_t count;
	struct table *spellings; /* V8: a word looks in all classes as where it was met first */
};

static char member; /* what phrases point to: being there is all that counts */

struct class_set *
class_set_create(void)
{
	struct class_set *set = check_malloc(sizeof *set);

	*set = (struct class_set){.spellings = table_create(TABLE_NOCASE)};
	return set;
}

void
class_set_destroy(struct class_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		table_destroy(set->classes[i].phrases);
	table_destroy(set->spellings);
	free(set->classes);
	free(set);
}

static const struct class *
find(const struct class_set *set, int id)
{
	if (id < 0 || (size_t)id >= set->count || set->classes[id].phrases == NULL)
		return NULL;
	return &set->classes[id];
}

void
class_add(struct class_set *set, int id, const char *phrase)
{
	size_t length = strlen(phrase);
	struct class *class;

	check(id >= 0);
	if ((size_t)id >= set->count) {
		size_t count = (size_t)id < 160 ? 160 : 2 * (size_t)id;

		set->classes = check_realloc(set->classes, count * sizeof *set->classes);
		memset(set->classes + set->count, 0, (count - set->count) * sizeof *set->classes);
		set->count = count;
	}
	class = &set->classes[id];
	if (class->phrases == NULL)
		class->phrases = table_create(TABLE_NOCASE);
	table_set(class->phrases, phrase, &member);
	table_set(set->spellings, phrase, &member);
	if (length > class->longest)
		class->longest = length;
}

void
class_clear(struct class_set *set, int id)
{
	if (find(set, id) == NULL)
		return;
	table_destroy(set->classes[id].phrases);
	set->classes[id] = (struct class){0};
}

bool
class_has(const struct class_set *set, int id, const char *phrase, size_t length)
{
	const struct class *class = find(set, id);

	return class != NULL && length <= class->longest &&
	       table_get_bytes(class->phrases, phrase, length) != NULL;
}

size_t
class_count(const struct class_set *set, int id)
{
	const struct class *class = find(set, id);

	return class != NULL ? table_count(class->phrases) : 0;
}

size_t
class_longest(const struct class_set *set, int id)
{
	const struct class *class = find(set, id);

	return class != NULL ? class->longest : 0;
}

bool
class_next(const struct class_set *set, int id, size_t *position, const char **phrase)
{
	const struct class *class = find(set, id);
	void *value;

	return class != NULL && table_next(class->phrases, position, phrase, &value);
}

/* V8 keeps the words of all classes in one table of this many chains. */
enum { SYMBOL_CHAINS = 2003, CLASS_SYMBOL = 1 };

struct shown {
	const char *phrase;
	size_t chain, place;
};

static size_t
symbol_chain(const char *phrase)
{
	size_t chain = CLASS_SYMBOL;

	for (; *phrase != '\0'; phrase++)
		chain = ((chain << 1) ^ (size_t)text_lower((unsigned char)*phrase)) % SYMBOL_CHAINS;
	return chain;
}

static int
compare_shown(const void *left, const void *right)
{
	const struct shown *a = left, *b = right;

	if (a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	return a->place < b->place ? -1 : 1;
}

const char *const *
class_list(const struct class_set *set, int id, struct arena *arena, size_t *count)
{
	struct shown *shown = ARENA_ARRAY(arena, struct shown, class_count(set, id));
	const char **phrases = ARENA_ARRAY(arena, const char *, class_count(set, id));
	size_t position = 0;
	const char *phrase;

	*count = 0;
	while (class_next(set, id, &position, &phrase)) {
		shown[*count] = (struct shown){phrase, symbol_chain(phrase), *count};
		(*count)++;
	}
	qsort(shown, *count, sizeof *shown, compare_shown);
	for (size_t i = 0; i < *count; i++)
		phrases[i] = table_spelling(set->spellings, shown[i].phrase);
	return phrases;
}
