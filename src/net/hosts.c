#include "net/address.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { LINE_SIZE = 4096, ADDRESSES_MAXIMUM = 16 };

/* Does one of the names behind the address match, without regard to case? */
static bool
has_name(const char *names, const char *name, size_t length)
{
	while (*names != '\0') {
		size_t word, same = 0;

		names += strspn(names, " \t\r\n");
		word = strcspn(names, " \t\r\n");
		while (
		    word == length && same < length &&
		    text_lower((unsigned char)names[same]) == text_lower((unsigned char)name[same]))
			same++;
		if (length > 0 && word == length && same == length)
			return true;
		names += word;
	}
	return false;
}

enum address_status
address_find_in_hosts(const char *file, const char *name, struct arena *arena,
    struct net_address **list, size_t *count)
{
	FILE *stream = fopen(file != NULL && *file != '\0' ? file : "/etc/hosts", "r");
	size_t length = strlen(name);
	char line[LINE_SIZE];

	*list = ARENA_ARRAY(arena, struct net_address, ADDRESSES_MAXIMUM);
	*count = 0;
	if (length > 0 && name[length - 1] == '.')
		length--;
	if (stream == NULL)
		return ADDRESS_NO_NAME;
	while (*count < ADDRESSES_MAXIMUM && fgets(line, sizeof line, stream) != NULL) {
		char *number = text_skip_space(line), *names;

		line[strcspn(line, "#")] = '\0';
		names = number + strcspn(number, " \t");
		if (*names == '\0')
			continue;
		*names++ = '\0';
		if (has_name(names, name, length) && address_parse(number, &(*list)[*count]))
			++*count;
	}
	fclose(stream);
	return *count > 0 ? ADDRESS_FOUND : ADDRESS_NO_NAME;
}
