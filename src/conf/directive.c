/*
 * directive: the lines that need no file of their own: D C S R K P T E V.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "reading.h"

void
config_read_priority(struct config *config, const char *text)
{
	const char *equals = strchr(text, '=');
	struct priority_class *class;

	if (equals == NULL) {
		config_error(config, EX_SOFTWARE, "unknown configuration line \"P%s\"", text);
		return;
	}
	class = ARENA_NEW(config->arena, struct priority_class);
	class->name = arena_memdup(config->arena, text, (size_t)(equals - text));
	class->value = (int)config_number(equals + 1);
	*config->reading->last_priority = class;
	config->reading->last_priority = &class->next;
}

void
config_add_words(struct config *config, int class_id, const char *text)
{
	char word[1024];

	for (;;) {
		size_t length;

		text = text_skip_space(text);
		if (*text == '\0')
			return;
		for (length = 0;
		     text[length] != '\0' && !text_is_space((unsigned char)text[length]);)
			length++;
		if (length < sizeof word) {
			memcpy(word, text, length);
			word[length] = '\0';
			class_add(config->classes, class_id, word);
		} else {
			class_add(
			    config->classes, class_id, arena_memdup(config->arena, text, length));
		}
		text += length;
	}
}

void
config_read_trusted(struct config *config, const char *text)
{
	config_add_words(config, 't', text);
}

void
config_read_macro(struct config *config, const char *text)
{
	const char *end, *error = NULL;
	int id = macro_name_parse(config->names, text, &end, config->arena, &error);

	/* what is wrong with a long name was said when the line was looked through */
	if (id == MACRO_NONE && text[0] == '\0')
		config_error_lines(config, EX_SOFTWARE, error);
	if (id != MACRO_NONE)
		macro_set_template(config->macros, id, config_unquote(config, &end, '\0'));
}

static void
add_members(struct config *config, int id, const char *name, const char **end)
{
	const char *error = NULL, *phrase;
	int other = macro_name_parse(config->names, name, end, config->arena, &error);
	size_t position = 0;

	if (other == MACRO_NONE) {
		if (*name == '\0')
			config_error_lines(config, EX_SOFTWARE, error);
		*end = name;
		return;
	}
	while (other != id && class_next(config->classes, other, &position, &phrase))
		class_add(config->classes, id, phrase);
}

void
config_read_class(struct config *config, const char *text)
{
	const char *end, *error = NULL;
	int id = macro_name_parse(config->names, text, &end, config->arena, &error);
	const char *words;

	if (id == MACRO_NONE) {
		if (text[0] == '\0')
			config_error_lines(config, EX_SOFTWARE, error);
		return;
	}
	words = arena_strdup(
	    config->arena, config_expand_now(config, config_mark_operators(config, end)));
	while (*(words = text_skip_space(words)) != '\0') {
		size_t length = 0;

		/* a word that starts with `$=y`: the members of another class at this moment */
		if (text_starts(words, "$=")) {
			add_members(config, id, words + 2, &words);
			continue;
		}
		while (words[length] != '\0' && !text_is_space((unsigned char)words[length]))
			length++;
		class_add(config->classes, id, arena_memdup(config->arena, words, length));
		words += length;
	}
}

void
config_set_operators(struct config *config)
{
	const char *characters = config->options.operator_chars;

	if (characters == NULL)
		characters = config_macro(config, config->macros, "o");
	if (characters == NULL || *characters == '\0')
		characters = ".:@[]";
	memset(config->is_operator, 0, sizeof config->is_operator);
	for (; *characters != '\0'; characters++)
		config->is_operator[(unsigned char)*characters] = true;
}

void
config_read_ruleset(struct config *config, const char *text)
{
	const char *error = NULL, *warning = NULL;
	char *name = arena_strdup(
	    config->arena, config_expand_now(config, config_mark_operators(config, text)));

	config->reading->ruleset = ruleset_declare(config, name, &error, &warning);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
	if (warning != NULL)
		config_note(config, EX_OK, "%s", warning);
}

void
config_read_rule(struct config *config, const char *text)
{
	const char *error = NULL;

	if (config->reading->ruleset == RULESET_NONE) {
		config_error(config, EX_SOFTWARE, "missing valid ruleset for \"R%s\"", text);
		return;
	}
	if (!config->reading->saw_rule)
		config_set_operators(config);
	config->reading->saw_rule = true;
	if (!ruleset_add_rule(
		config, config->reading->ruleset, text, config->reading->line_number, &error) &&
	    error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
}

/*
 * Cuts a word of letters, digits and what else it may have off a K line; the character that ends it is
 * lost.
 */
static char *
cut_map_word(char **at, const char *others)
{
	char *word = text_skip_space(*at), *end = word;

	while (text_is_alnum((unsigned char)*end) || (*end != '\0' && strchr(others, *end) != NULL))
		end++;
	*at = end;
	if (*end != '\0')
		*(*at)++ = '\0';
	return word;
}

void
config_read_map(struct config *config, const char *text)
{
	char *line = arena_strdup(config->arena, config_expand_now(config, text)), *class_name;
	const char *name = cut_map_word(&line, "_."), *error = NULL;

	if (*name == '\0') {
		config_error(config, EX_SOFTWARE, "readcf: config K line: no map name");
		return;
	}
	class_name = cut_map_word(&line, "");
	if (*class_name == '\0') {
		config_error(
		    config, EX_SOFTWARE, "readcf: config K line, map %s: no map class", name);
		return;
	}
	map_declare(config->maps, name, class_name, text_skip_space(line), config->arena, &error);
	if (error != NULL)
		config_error_lines(config, EX_SOFTWARE, error);
}

void
config_read_environment(struct config *config, const char *text)
{
	struct text_list *list = &config->environment;
	const char *value;

	if (list->count == config->reading->environment_capacity) {
		size_t capacity = list->count > 0 ? 2 * list->count : 16;
		const char **items = ARENA_ARRAY(config->arena, const char *, capacity);

		if (list->count > 0)
			memcpy(items, list->items, list->count * sizeof *items);
		list->items = items;
		config->reading->environment_capacity = capacity;
	}
	/* without a value it is the caller's that goes through */
	if (strchr(text, '=') != NULL)
		list->items[list->count++] = arena_strdup(config->arena, text);
	else if (*text != '\0' && (value = getenv(text)) != NULL)
		list->items[list->count++] = arena_printf(config->arena, "%s=%s", text, value);
}

void
config_read_version(struct config *config, const char *text)
{
	const char *end = text = text_skip_space(text), *vendor;
	size_t length;

	while (text_is_digit((unsigned char)*end))
		end++;
	if (end == text) {
		config_error(config, EX_SOFTWARE, "invalid argument to V line: \"%.20s\"", text);
		return;
	}
	config->level = (int)config_number(text);
	if (config->level >= 5) {
		/* V8: from this level on $w is the first label alone */
		const char *name = macro_get(config->macros, 'w');

		if (name != NULL && !macro_is_template(config->macros, 'w'))
			macro_set(config->macros, 'w',
			    arena_memdup(config->arena, name, strcspn(name, ".")));
	}
	end = text_skip_space(end);
	if (*end++ != '/')
		return;
	end = text_skip_space(end);
	length = 0;
	while (text_is_alnum((unsigned char)end[length]))
		length++;
	vendor = arena_memdup(config->arena, end, length);
	if (text_equal_nocase(vendor, "Berkeley"))
		config->vendor = vendor;
	else
		/* an error in V8; files of other systems are to be read here */
		config_warn(config, "invalid V line vendor code: \"%s\"", vendor);
}
