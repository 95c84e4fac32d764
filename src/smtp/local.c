#include "smtp/local.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

const char *
local_socket_path(void)
{
	const char *other = getenv("PILLARBOX_SOCKET");

	if (other != NULL && getuid() == geteuid() && getgid() == getegid())
		return other;
	return LOCAL_SOCKET_PATH;
}

void
local_write_request(struct str *out, const struct local_request *request)
{
	str_printf(out, "XENV %d %zu", LOCAL_VERSION, request->envelope_length);
	if (request->delivery_mode != 0)
		str_printf(out, " mode=%c", request->delivery_mode);
	if (request->hop_count > 0)
		str_printf(out, " hops=%d", request->hop_count);
	if (request->is_gateway)
		str_add_text(out, " gateway");
	str_add_text(out, "\r\n");
}

/* Takes the next word off the text; false when there is none, or when it is too long to mean anything. */
static bool
next_word(const char **text, char *word, size_t size)
{
	size_t length;

	*text += strspn(*text, " ");
	length = strcspn(*text, " ");
	if (length == 0 || length >= size)
		return false;
	memcpy(word, *text, length);
	word[length] = '\0';
	*text += length;
	return true;
}

static bool
parse_word(const char *word, struct local_request *request)
{
	long number;

	if (text_starts(word, "mode=")) {
		if (word[5] == '\0' || word[6] != '\0' || strchr("ibqd", word[5]) == NULL)
			return false;
		request->delivery_mode = word[5];
	} else if (text_starts(word, "hops=")) {
		if (!text_to_number(word + 5, 0, 100000, &number))
			return false;
		request->hop_count = (int)number;
	} else if (strcmp(word, "gateway") == 0) {
		request->is_gateway = true;
	}
	return true;
}

bool
local_parse_request(const char *text, struct local_request *request)
{
	char word[64];
	long version, length;

	*request = (struct local_request){0};
	if (!next_word(&text, word, sizeof word) ||
	    !text_to_number(word, LOCAL_VERSION, LOCAL_VERSION, &version))
		return false;
	if (!next_word(&text, word, sizeof word) ||
	    !text_to_number(word, 1, LOCAL_ENVELOPE_MAXIMUM, &length))
		return false;
	request->envelope_length = (size_t)length;
	while (*text != '\0') {
		if (!next_word(&text, word, sizeof word))
			return *text == '\0';
		if (!parse_word(word, request))
			return false;
	}
	return true;
}

bool
local_parse_chunk(const char *text, size_t *length, bool *is_last)
{
	char word[32];
	long number;

	*is_last = false;
	if (!next_word(&text, word, sizeof word) || !text_to_number(word, 0, 0x7fffffff, &number))
		return false;
	*length = (size_t)number;
	if (next_word(&text, word, sizeof word)) {
		if (!text_equal_nocase(word, "LAST"))
			return false;
		*is_last = true;
	}
	return *text == '\0';
}
