/*
 * equate: the `Name=value` fields of M, Q and X lines.
 */
#include <string.h>

#include "base/text.h"
#include "reading.h"

static bool
is_blank_or_comma(int byte)
{
	return byte == ',' || text_is_space(byte);
}

const char *
config_equate_name(struct config *config, const char **at)
{
	const char *start = *at, *end = start;

	while (*end != '\0' && !is_blank_or_comma((unsigned char)*end))
		end++;
	*at = end;
	while (is_blank_or_comma((unsigned char)**at))
		(*at)++;
	return arena_memdup(config->arena, start, (size_t)(end - start));
}

char *
config_unquote(struct config *config, const char **at, char delimiter)
{
	const char *from = *at;
	char *value = arena_alloc(config->arena, strlen(from) + 1), *to = value;
	bool is_quoted = false;

	for (; *from != '\0' && (is_quoted || *from != delimiter); from++) {
		if (*from == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (*from == '\\' && from[1] != '\0') {
			static const char letters[] = "nrbf", meanings[] = "\n\r\b\f";
			const char *known = strchr(letters, *++from);

			*to++ = known != NULL ? meanings[known - letters] : *from;
			continue;
		}
		if (*from != '\\')
			*to++ = *from;
	}
	*to = '\0';
	*at = from;
	return value;
}

enum equate
config_next_equate(struct config *config, const char **at, int *letter, const char **value)
{
	const char *text = *at;

	if (*text == '\0')
		return EQUATE_END;
	/* V8: after a comma there must be one more */
	while (is_blank_or_comma((unsigned char)*text))
		text++;
	*letter =
	    *text == '$' ? '\001' : (unsigned char)*text; /* V8's own byte for it, which it shows */
	text += strcspn(text, "=,");
	if (*text != '=') {
		*at = text;
		return EQUATE_BAD;
	}
	*at = text_skip_space(text + 1);
	*value = config_unquote(config, at, ',');
	return EQUATE_FOUND;
}
