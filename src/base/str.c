#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
str_free(struct str *str)
{
	free(str->data);
	*str = (struct str){0};
}

void
str_clear(struct str *str)
{
	str_truncate(str, 0);
}

void
str_reserve(struct str *str, size_t more)
{
	size_t capacity = str->capacity > 0 ? str->capacity : 64;

	if (str->capacity - str->length > more)
		return;
	while (capacity - str->length <= more)
		capacity *= 2;
	str->data = check_realloc(str->data, capacity);
	str->capacity = capacity;
}

void
str_add(struct str *str, const void *bytes, size_t length)
{
	str_reserve(str, length);
	if (length > 0)
		memcpy(str->data + str->length, bytes, length);
	str->length += length;
	str->data[str->length] = '\0';
}

void
str_add_text(struct str *str, const char *text)
{
	str_add(str, text, strlen(text));
}

void
str_add_char(struct str *str, char byte)
{
	str_add(str, &byte, 1);
}

void
str_vprintf(struct str *str, const char *format, va_list arguments)
{
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	check(length >= 0);
	str_reserve(str, (size_t)length + 1);
	vsnprintf(str->data + str->length, (size_t)length + 1, format, arguments);
	str->length += (size_t)length;
}

void
str_printf(struct str *str, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	str_vprintf(str, format, arguments);
	va_end(arguments);
}

void
str_truncate(struct str *str, size_t length)
{
	if (str->data == NULL)
		return;
	check(length <= str->length);
	str->length = length;
	str->data[length] = '\0';
}

const char *
str_text(const struct str *str)
{
	return str->data != NULL ? str->data : "";
}
