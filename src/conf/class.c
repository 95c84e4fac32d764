#include "conf/macro.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct class
{
	struct table *phrases;
	size_t longest;
};

struct class_set {
	struct class *classes; /* by id */
	size_t count;
};

static char member; /* what phrases point to: being there is all that counts */

struct class_set *
class_set_create(void)
{
	struct class_set *set = check_malloc(sizeof *set);

	*set = (struct class_set){0};
	return set;
}

void
class_set_destroy(struct class_set *set)
{
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->count; i++)
		table_destroy(set->classes[i].phrases);
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
	if (length > class->longest)
		class->longest = length;
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
