#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"

enum { BLOCK_SIZE = 4096 - 64, ALIGNMENT = 16 };

struct block {
	struct block *next;
	size_t size, used;
	max_align_t data[];
};

struct arena {
	struct block *newest;
};

static size_t
aligned(size_t size)
{
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static struct block *
block_create(size_t size)
{
	struct block *block = check_malloc(sizeof *block + size);

	*block = (struct block){.size = size};
	return block;
}

struct arena *
arena_create(void)
{
	struct arena *arena = check_malloc(sizeof *arena);

	*arena = (struct arena){.newest = block_create(BLOCK_SIZE)};
	return arena;
}

static void
free_blocks(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void
arena_destroy(struct arena *arena)
{
	if (arena == NULL)
		return;
	free_blocks(arena->newest);
	free(arena);
}

void
arena_wipe(struct arena *arena)
{
	if (arena == NULL)
		return;
	for (struct block *block = arena->newest; block != NULL; block = block->next)
		os_wipe(block->data, block->size);
	arena_destroy(arena);
}

void
arena_reset(struct arena *arena)
{
	struct block *kept = arena->newest;

	free_blocks(kept->next);
	if (kept->size > 16 * BLOCK_SIZE) {
		free(kept);
		kept = block_create(BLOCK_SIZE);
	}
	kept->next = NULL;
	kept->used = 0;
	arena->newest = kept;
}

static char *
block_at(struct block *block, size_t offset)
{
	return (char *)block->data + offset;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->newest;
	char *start;

	check(size < SIZE_MAX / 4);
	size = aligned(size > 0 ? size : 1);
	if (block->size - block->used < size) {
		size_t wanted = block->size < 32 * BLOCK_SIZE ? 2 * block->size : block->size;

		block = block_create(size > wanted ? size : wanted);
		block->next = arena->newest;
		arena->newest = block;
	}
	start = block_at(block, block->used);
	block->used += size;
	return memset(start, 0, size);
}

void *
arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
	struct block *block = arena->newest;
	size_t have = aligned(old_size > 0 ? old_size : 1), want = aligned(new_size);
	void *bigger;

	if (old != NULL && want <= have)
		return old;
	if (old != NULL && block->used >= have &&
	    (char *)old == block_at(block, block->used - have) &&
	    block->size - block->used >= want - have) {
		memset(block_at(block, block->used), 0, want - have);
		block->used += want - have;
		return old;
	}
	bigger = arena_alloc(arena, new_size);
	if (old != NULL)
		memcpy(bigger, old, old_size);
	return bigger;
}

char *
arena_memdup(struct arena *arena, const void *bytes, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *text)
{
	return text != NULL ? arena_memdup(arena, text, strlen(text)) : NULL;
}

char *
arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
	va_list again;
	int length;
	char *text;

	check(format != NULL);
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	check(length >= 0);
	text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	return text;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = arena_vprintf(arena, format, arguments);
	va_end(arguments);
	return text;
}
