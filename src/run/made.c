#include "run/made.h"

void
made_remember(void *context, const char *id)
{
	struct made *made = context;

	if (made->count == made->capacity) {
		size_t capacity = made->capacity == 0 ? 8 : made->capacity * 2;

		made->ids = arena_grow(made->arena, made->ids, made->capacity * sizeof *made->ids,
		    capacity * sizeof *made->ids);
		made->capacity = capacity;
	}
	made->ids[made->count++] = arena_strdup(made->arena, id);
}
