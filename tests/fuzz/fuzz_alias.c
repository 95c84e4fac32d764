/* An alias file, and each of its lines as the word of an authinfo map: any bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"
#include "map/alias.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static enum map_alias_name
check_name(void *context, const char *name)
{
	(void)context;
	return (enum map_alias_name)(strlen(name) % 3);
}

static void
check_value(void *context, const char *value)
{
	*(size_t *)context += strlen(value);
}

static bool
add(void *context, const char *name, const char *value)
{
	*(size_t *)context += strlen(name) + strlen(value);
	return name[0] == 'x';
}

static void
say(void *context, const char *message, bool is_error)
{
	*(size_t *)context += strlen(message) + is_error;
}

static void
read_words(const char *text, size_t length)
{
	struct arena *arena = arena_create();
	struct authinfo info = {0};

	while (length > 0) {
		const char *newline = memchr(text, '\n', length);
		size_t line = newline != NULL ? (size_t)(newline - text) : length;

		authinfo_add(&info, arena, text, line);
		text += line + (newline != NULL);
		length -= line + (newline != NULL);
	}
	if (authinfo_complete(&info) && (info.user == NULL || info.id == NULL))
		abort();
	authinfo_wipe(&info);
	arena_destroy(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	size_t total = 0;
	struct alias_reader reader = {.file = "aliases",
	    .check_name = check_name,
	    .check_value = check_value,
	    .add = add,
	    .say = say,
	    .context = &total};
	struct alias_totals totals = {0};
	FILE *file;

	if (length == 0)
		return 0;
	file = fmemopen((void *)(uintptr_t)bytes, length, "r");
	if (file == NULL)
		abort();
	alias_read(file, &reader, &totals);
	fclose(file);
	read_words((const char *)bytes, length);
	return 0;
}
