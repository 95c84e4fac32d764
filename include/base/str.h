/*
 * str: a growing run of bytes.  NUL and 8-bit bytes are data; one NUL always follows the content,
 * so `data` can be read as a C string.  A zeroed struct is an empty str; its `data` is NULL until
 * something was added (str_text never is).
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct str {
	char *data;
	size_t length, capacity;
};

void str_free(struct str *); /* and empty again */
void str_clear(struct str *);
void str_reserve(struct str *, size_t more);
void str_add(struct str *, const void *bytes, size_t length);
void str_add_text(struct str *, const char *text);
void str_add_char(struct str *, char);
void str_printf(struct str *, const char *format, ...) PRINTF_LIKE(2, 3);
void str_vprintf(struct str *, const char *format, va_list);
void str_truncate(struct str *, size_t length);
const char *str_text(const struct str *); /* "" when empty */

#endif
