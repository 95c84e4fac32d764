#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"

void
check_failed(const char *what, const char *file, int line)
{
	log_at(0, LOG_ALERT, "panic: %s:%d: %s", file, line, what);
	abort();
}

static void *
must(void *memory)
{
	if (memory == NULL) {
		log_at(0, LOG_ALERT, "out of memory");
		_Exit(EX_TEMPFAIL);
	}
	return memory;
}

void *
check_malloc(size_t size)
{
	return must(malloc(size > 0 ? size : 1));
}

void *
check_realloc(void *old, size_t size)
{
	return must(realloc(old, size > 0 ? size : 1));
}

char *
check_strdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(check_malloc(size), text, size);
}
