#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
text_lower(int byte)
{
	return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

bool
text_is_space(int byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

bool
text_is_digit(int byte)
{
	return byte >= '0' && byte <= '9';
}

bool
text_is_alpha(int byte)
{
	byte = text_lower(byte);
	return byte >= 'a' && byte <= 'z';
}

bool
text_is_alnum(int byte)
{
	return text_is_alpha(byte) || text_is_digit(byte);
}

bool
text_is_print(int byte)
{
	return byte >= ' ' && byte <= '~';
}

int
text_compare_nocase(const char *left, const char *right)
{
	for (;; left++, right++) {
		int a = text_lower((unsigned char)*left), b = text_lower((unsigned char)*right);

		if (a != b || a == '\0')
			return a - b;
	}
}

bool
text_equal_nocase(const char *left, const char *right)
{
	return text_compare_nocase(left, right) == 0;
}

bool
text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool
text_starts_nocase(const char *text, const char *prefix)
{
	for (; *prefix != '\0'; text++, prefix++) {
		if (text_lower((unsigned char)*text) != text_lower((unsigned char)*prefix))
			return false;
	}
	return true;
}

bool
text_ends_nocase(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && text_equal_nocase(text + length - tail, suffix);
}

char *
text_skip_space(const char *text)
{
	while (text_is_space((unsigned char)*text))
		text++;
	return (char *)text;
}

void
text_trim_end(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text_is_space((unsigned char)text[length - 1]))
		text[--length] = '\0';
}

void
text_to_lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)text_lower((unsigned char)*text);
}

bool
text_copy(char *buffer, size_t size, const char *text)
{
	size_t length = strlen(text), copied = length < size ? length : size - 1;

	memcpy(buffer, text, copied);
	buffer[copied] = '\0';
	return copied == length;
}

bool
text_to_number(const char *text, long minimum, long maximum, long *value)
{
	char *end;
	long number;

	if (!text_is_digit((unsigned char)*text) && *text != '-')
		return false;
	errno = 0;
	number = strtol(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number < minimum || number > maximum)
		return false;
	*value = number;
	return true;
}
