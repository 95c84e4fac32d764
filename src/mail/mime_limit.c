#include <string.h>

#include "base/str.h"
#include "base/text.h"
#include "mail/mime.h"

enum kind { KIND_NONE, KIND_TEXT, KIND_STRUCTURED, KIND_PARAMETERS };

static const struct {
	const char *name;
	enum kind kind;
} fields[] = {
    {"Content-Description", KIND_TEXT},
    {"Content-Id", KIND_STRUCTURED},
    {"Content-Transfer-Encoding", KIND_STRUCTURED},
    {"MIME-Version", KIND_STRUCTURED},
    {"Content-Disposition", KIND_PARAMETERS},
    {"Content-Type", KIND_PARAMETERS},
};

static enum kind
kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (text_equal_nocase(name, fields[i].name))
			return fields[i].kind;
	}
	return KIND_NONE;
}

/* Where a reader stands: within a quoted string, within so many comments. */
struct nesting {
	bool is_quoted, is_escaped;
	size_t comments;
};

static void
step(struct nesting *nesting, char byte)
{
	if (nesting->is_escaped)
		nesting->is_escaped = false;
	else if (byte == '\\')
		nesting->is_escaped = true;
	else if (byte == '"' && nesting->comments == 0)
		nesting->is_quoted = !nesting->is_quoted;
	else if (byte == '(' && !nesting->is_quoted)
		nesting->comments++;
	else if (byte == ')' && !nesting->is_quoted && nesting->comments > 0)
		nesting->comments--;
}

static size_t
open_count(const struct nesting *nesting)
{
	return nesting->comments + nesting->is_quoted + nesting->is_escaped;
}

/*
 * Adds the text, or as much of it as fits along with what closes it: V8 makes room for that even where the
 * length was not at fault.  False when it was added whole.
 */
static bool
add_fitting(struct str *out, const char *text, size_t length, size_t maximum)
{
	struct nesting nesting = {0}, best = {0};
	size_t fits = 0;

	if (maximum == 0 || maximum > length)
		maximum = length;
	for (size_t i = 0; i < length; i++) {
		step(&nesting, text[i]);
		if (!nesting.is_escaped && i + 1 + open_count(&nesting) <= maximum) {
			fits = i + 1;
			best = nesting;
		}
	}
	str_add(out, text, fits);
	if (best.is_quoted)
		str_add_char(out, '"');
	for (size_t i = 0; i < best.comments; i++)
		str_add_char(out, ')');
	return fits < length;
}

/* The end of what begins here, up to a semicolon. */
static size_t
parameter_length(const char *text)
{
	struct nesting nesting = {0};
	size_t length = 0;

	while (text[length] != '\0' && (text[length] != ';' || open_count(&nesting) > 0))
		step(&nesting, text[length++]);
	return length;
}

struct result {
	struct str value;
	size_t longest; /* of what was too long, with the blanks in front */
	bool is_fixed;
};

static void
limit_parameters(const char *value, size_t maximum, struct result *result)
{
	for (;;) {
		size_t length = parameter_length(value), blanks;

		blanks = (size_t)(text_skip_space(value) - value);
		if (blanks > length)
			blanks = length;
		str_add(&result->value, value, blanks);
		if (!add_fitting(&result->value, value + blanks, length - blanks, maximum)) {
			/* as it was */
		} else if (length - blanks <= maximum) {
			result->is_fixed = true;
		} else if (length > result->longest) {
			result->longest = length;
		}
		value += length;
		if (*value == '\0')
			return;
		str_add_char(&result->value, *value++);
	}
}

static const char *
limit_whole(const char *name, const char *value, enum kind kind, size_t maximum,
    struct arena *arena, const char **note)
{
	size_t blanks = (size_t)(text_skip_space(value) - value), length = strlen(value);
	struct str out = {0};
	const char *limited = value;

	str_add(&out, value, blanks);
	if (kind == KIND_TEXT && length > maximum) /* V8: here the blank in front counts */
		str_add(&out, value + blanks, maximum - (maximum > blanks ? blanks : maximum));
	else if (kind == KIND_TEXT || !add_fitting(&out, value + blanks, length - blanks, maximum))
		str_clear(&out);
	if (out.length > 0) {
		limited = arena_strdup(arena, str_text(&out));
		*note = length - blanks > maximum
			    ? arena_printf(arena,
				  "Truncated long MIME %s header (length = %zu) (possible attack)",
				  name, length)
			    : arena_printf(arena, "Fixed MIME %s header (possible attack)", name);
	}
	str_free(&out);
	return limited;
}

const char *
mime_limit_value(const char *name, const char *value, size_t maximum, size_t parameter_maximum,
    struct arena *arena, const char **note)
{
	enum kind kind = kind_of(name);
	struct result result = {0};

	*note = NULL;
	if (kind == KIND_NONE)
		return value;
	if (kind == KIND_PARAMETERS && parameter_maximum > 0) {
		limit_parameters(value, parameter_maximum, &result);
		if (result.longest > 0)
			*note = arena_printf(arena,
			    "Truncated MIME %s header due to field size (length = %zu) (possible "
			    "attack)",
			    name, result.longest);
		else if (result.is_fixed)
			*note = arena_printf(arena, "Fixed MIME %s header (possible attack)", name);
		if (*note != NULL)
			value = arena_strdup(arena, str_text(&result.value));
		str_free(&result.value);
	}
	return maximum > 0 ? limit_whole(name, value, kind, maximum, arena, note) : value;
}
