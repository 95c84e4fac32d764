#include "conf/macro.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

enum {
	FIRST_LONG_NAME = 128, /* ids below are the character itself */
	NAME_MAXIMUM = 25,     /* V8 */
	EXPAND_DEPTH = 11,     /* V8 */
	EXPAND_VALUES = 1000,  /* in one text: values that double each other end */
	LAST_BUILT_IN_NUMBER = 0xa1,
};

struct name {
	int id;
	int number;	/* V8's own; 0 as long as no text had the name */
	char printed[]; /* "{name}" */
};

struct macro_names {
	struct table *long_names; /* to struct name */
	struct name **names;	  /* by id - FIRST_LONG_NAME */
	size_t count, capacity;
	int last_number;
	char single[2 * FIRST_LONG_NAME]; /* "x\0" for each character */
};

struct macro_names *
macro_names_create(void)
{
	struct macro_names *names = check_malloc(sizeof *names);

	*names = (struct macro_names){
	    .long_names = table_create(TABLE_CASE), .last_number = LAST_BUILT_IN_NUMBER};
	for (int i = 0; i < FIRST_LONG_NAME; i++)
		names->single[2 * i] = (char)i;
	return names;
}

void
macro_names_destroy(struct macro_names *names)
{
	if (names == NULL)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	table_destroy(names->long_names);
	free(names);
}

static int
find_id(const struct macro_names *names, const char *text, size_t length)
{
	struct name *name;

	if (length == 1 && (unsigned char)text[0] < FIRST_LONG_NAME)
		return (unsigned char)text[0];
	name = table_get_bytes(names->long_names, text, length);
	return name != NULL ? name->id : MACRO_NONE;
}

static int
make_id(struct macro_names *names, const char *text, size_t length)
{
	int id = find_id(names, text, length);
	struct name *name;

	if (id != MACRO_NONE)
		return id;
	if (names->count == names->capacity) {
		names->capacity = names->capacity > 0 ? 2 * names->capacity : 128;
		names->names = check_realloc(names->names, names->capacity * sizeof *names->names);
	}
	name = check_malloc(sizeof *name + length + 3);
	name->id = FIRST_LONG_NAME + (int)names->count;
	name->number = 0;
	/* the key first, without its brace; the printed form takes its place */
	memcpy(name->printed, text, length);
	name->printed[length] = '\0';
	table_set(names->long_names, name->printed, name);
	memmove(name->printed + 1, name->printed, length);
	name->printed[0] = '{';
	name->printed[length + 1] = '}';
	name->printed[length + 2] = '\0';
	names->names[names->count++] = name;
	return name->id;
}

int
macro_id(struct macro_names *names, const char *name)
{
	return make_id(names, name, strlen(name));
}

int
macro_id_find(const struct macro_names *names, const char *name)
{
	return find_id(names, name, strlen(name));
}

const char *
macro_name(const struct macro_names *names, int id)
{
	check(id >= 0 && (size_t)id < FIRST_LONG_NAME + names->count);
	return id < FIRST_LONG_NAME ? &names->single[2 * id]
				    : names->names[id - FIRST_LONG_NAME]->printed;
}

int
macro_number(const struct macro_names *names, int id)
{
	return id < FIRST_LONG_NAME ? id : names->names[id - FIRST_LONG_NAME]->number;
}

/* V8 has these from its start, and numbers others as it meets them. */
static void
give_number(struct macro_names *names, int id)
{
	static const struct {
		const char *name;
		int number;
	} built_in[] = {{"{opMode}", 0x82}, {"{deliveryMode}", 0xa0}, {"{load_avg}", 0xa1}};
	struct name *name;

	if (id < FIRST_LONG_NAME)
		return;
	name = names->names[id - FIRST_LONG_NAME];
	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0] && name->number == 0; i++) {
		if (strcmp(name->printed, built_in[i].name) == 0)
			name->number = built_in[i].number;
	}
	if (name->number == 0)
		name->number = ++names->last_number;
}

/*
 * Reads what stands after a `{`, up to the `}`.  V8 drops characters that no name may have, and goes
 * on.  False when there is no end or it is too long; messages go to `errors`, two apart by \n.
 */
static bool
scan_name(const char *text, char name[NAME_MAXIMUM + 1], size_t *length, const char **end,
    struct str *errors)
{
	*length = 0;
	for (; *text != '\0' && *text != '}' && *length < NAME_MAXIMUM; text++) {
		int byte = (unsigned char)*text;

		if (text_is_alnum(byte) || byte == '_')
			name[(*length)++] = (char)byte;
		else if (errors != NULL)
			str_printf(errors, "%sInvalid macro/class character %c",
			    errors->length > 0 ? "\n" : "", byte);
	}
	name[*length] = '\0';
	*end = *text != '\0' ? text + 1 : text;
	if (*text == '}')
		return true;
	if (errors != NULL && errors->length > 0)
		str_add_char(errors, '\n');
	if (errors != NULL && *text == '\0')
		str_printf(errors, "Unbalanced { on %s\n", name);
	else if (errors != NULL)
		str_printf(errors, "Macro/class name ({%s}) too long (%d chars max)\n", name,
		    NAME_MAXIMUM);
	if (errors != NULL)
		str_add_text(errors, "Unable to assign macro/class ID (mid = 0xffffffff)");
	return false;
}

int
macro_name_parse(struct macro_names *names, const char *text, const char **end, struct arena *arena,
    const char **error)
{
	char name[NAME_MAXIMUM + 1];
	struct str errors = {0};
	size_t length;
	bool is_whole;
	int id;

	*end = text;
	if (text[0] == '\0' || (text[0] == '{' && text[1] == '}')) {
		*error = "Name required for macro/class";
		return MACRO_NONE;
	}
	if (text[0] != '{') {
		*end = text + 1;
		return make_id(names, text, 1);
	}
	is_whole = scan_name(text + 1, name, &length, end, &errors);
	if (errors.length > 0)
		*error = arena_strdup(arena, errors.data);
	str_free(&errors);
	if (!is_whole || length == 0)
		return MACRO_NONE;
	id = make_id(names, name, length);
	give_number(names, id);
	return id;
}

/* Values by id.  An id that was set to NULL hides the parent's: it points to `hidden`. */
struct value {
	char *text;
	char *expanded; /* what macro_expanded() said last of a template */
	bool is_template;
};

struct macro_env {
	const struct macro_env *parent;
	struct value *values;
	size_t count;
};

static char hidden[1];

struct macro_env *
macro_env_create(const struct macro_env *parent)
{
	struct macro_env *env = check_malloc(sizeof *env);

	*env = (struct macro_env){.parent = parent};
	return env;
}

static void
drop(struct value *value)
{
	if (value->text != hidden)
		free(value->text);
	free(value->expanded);
	*value = (struct value){0};
}

void
macro_env_clear(struct macro_env *env)
{
	for (size_t i = 0; i < env->count; i++)
		drop(&env->values[i]);
}

void
macro_env_destroy(struct macro_env *env)
{
	if (env == NULL)
		return;
	macro_env_clear(env);
	free(env->values);
	free(env);
}

static void
set(struct macro_env *env, int id, const char *text, bool is_template)
{
	char *copy =
	    text != NULL ? check_strdup(text) : hidden; /* first: text may be the old value */

	check(id >= 0);
	if ((size_t)id >= env->count) {
		size_t count = (size_t)id < 200 ? 200 : 2 * (size_t)id;

		env->values = check_realloc(env->values, count * sizeof *env->values);
		memset(env->values + env->count, 0, (count - env->count) * sizeof *env->values);
		env->count = count;
	}
	drop(&env->values[id]);
	env->values[id] = (struct value){.text = copy, .is_template = is_template};
}

void
macro_set(struct macro_env *env, int id, const char *value)
{
	set(env, id, value, false);
}

void
macro_set_template(struct macro_env *env, int id, const char *text)
{
	/* most D lines are plain text */
	set(env, id, text, text != NULL && strchr(text, '$') != NULL);
}

static struct value *
find_value(const struct macro_env *env, int id)
{
	for (; env != NULL && id >= 0; env = env->parent) {
		if ((size_t)id < env->count && env->values[id].text != NULL)
			return env->values[id].text != hidden ? &env->values[id] : NULL;
	}
	return NULL;
}

const char *
macro_get(const struct macro_env *env, int id)
{
	const struct value *value = find_value(env, id);

	return value != NULL ? value->text : NULL;
}

bool
macro_is_template(const struct macro_env *env, int id)
{
	const struct value *value = find_value(env, id);

	return value != NULL && value->is_template;
}

struct expansion {
	struct macro_names *names;
	const struct macro_env *env;
	struct str *out;
	bool keeps_operators; /* macro_expand_line */
	int depth, values;
	bool is_too_deep;
};

/* Reads the name of a `$x` or `${name}`: an unknown or malformed one is MACRO_NONE. */
static int
read_name(const struct macro_names *names, const char *text, const char **end)
{
	char name[NAME_MAXIMUM + 1];
	size_t length;

	if (text[0] != '{') {
		*end = text + (text[0] != '\0');
		return text[0] != '\0' ? find_id(names, text, 1) : MACRO_NONE;
	}
	return scan_name(text + 1, name, &length, end, NULL) ? find_id(names, name, length)
							     : MACRO_NONE;
}

static void expand(struct expansion *, const char *text);

static void
expand_value(struct expansion *expansion, int id)
{
	const struct value *value = find_value(expansion->env, id);

	if (value == NULL)
		return;
	if (value->is_template) {
		if (expansion->depth < EXPAND_DEPTH && expansion->values++ < EXPAND_VALUES) {
			expansion->depth++;
			expand(expansion, value->text);
			expansion->depth--;
		} else {
			expansion->is_too_deep = true;
		}
		return;
	}
	if (!expansion->keeps_operators) {
		str_add_text(expansion->out, value->text);
		return;
	}
	for (const char *at = value->text; *at != '\0'; at++) {
		if (*at == '$')
			str_add_char(expansion->out, '$');
		str_add_char(expansion->out, *at);
	}
}

static bool
has_value(const struct expansion *expansion, int id)
{
	const struct value *value = find_value(expansion->env, id);

	return value != NULL && value->text[0] != '\0';
}

/* A character that makes an operator with the `$` before it, and thus is no macro name. */
static bool
is_operator(int byte)
{
	return byte != '\0' && strchr("*+-=~#@:><[]().|!'1234567890 \t\n", byte) != NULL;
}

/* One `$...` that is no conditional; returns what is after it. */
static const char *
expand_one(struct expansion *expansion, const char *dollar)
{
	const char *at = dollar + 1, *end;

	if (*at == '\0' || is_operator((unsigned char)*at)) {
		str_add(expansion->out, dollar, *at != '\0' ? 2 : 1);
		return *at != '\0' ? at + 1 : at;
	}
	if (*at == '$') {
		str_add(expansion->out, "$$", expansion->keeps_operators ? 2 : 1);
		return at + 1;
	}
	if (*at == '&') {
		at++;
		if (expansion->keeps_operators) {
			str_add(expansion->out, "$&", 2);
			return at;
		}
	}
	expand_value(expansion, read_name(expansion->names, at, &end));
	return end;
}

/* Conditionals: what is open, and how many of those are within a branch that is not taken. */
struct conditionals {
	int open, skipping;
};

/* Handles `$?x`, `$|`, `$.`; returns what is after it, or NULL when it is none of them. */
static const char *
conditional(struct expansion *expansion, struct conditionals *state, const char *dollar)
{
	const char *end = dollar + 2;

	if (dollar[1] == '?') {
		int id = read_name(expansion->names, dollar + 2, &end);

		if (state->skipping > 0) {
			state->skipping++;
			return end;
		}
		state->open++;
		state->skipping = !has_value(expansion, id);
		return end;
	}
	if ((dollar[1] != '|' && dollar[1] != '.') || state->open == 0)
		return NULL;
	if (dollar[1] == '|') {
		if (state->skipping <= 1)
			state->skipping = !state->skipping;
	} else if (state->skipping > 1) {
		state->skipping--;
	} else {
		state->skipping = 0;
		state->open--;
	}
	return end;
}

static void
expand(struct expansion *expansion, const char *text)
{
	struct conditionals state = {0};
	struct str *out = expansion->out, skipped = {0};
	const char *dollar, *next;

	for (; *text != '\0' && expansion->values <= EXPAND_VALUES; text = next) {
		dollar = strchr(text, '$');
		if (dollar == NULL)
			dollar = text + strlen(text);
		if (state.skipping == 0)
			str_add(out, text, (size_t)(dollar - text));
		next = dollar;
		if (*dollar == '\0')
			break;
		next = conditional(expansion, &state, dollar);
		if (next != NULL)
			continue;
		/* names are read the same way in a branch that is not taken, only the result is lost */
		expansion->out = state.skipping > 0 ? &skipped : out;
		next = expand_one(expansion, dollar);
		expansion->out = out;
	}
	str_free(&skipped);
}

bool
macro_expand(
    struct macro_names *names, const struct macro_env *env, const char *template, struct str *out)
{
	struct expansion expansion = {.names = names, .env = env, .out = out};

	expand(&expansion, template);
	return !expansion.is_too_deep;
}

bool
macro_expand_line(
    struct macro_names *names, const struct macro_env *env, const char *line, struct str *out)
{
	struct expansion expansion = {
	    .names = names, .env = env, .out = out, .keeps_operators = true};

	expand(&expansion, line);
	return !expansion.is_too_deep;
}

const char *
macro_expanded(struct macro_names *names, const struct macro_env *env, int id)
{
	struct value *value = find_value(env, id);
	struct str out = {0};

	if (value == NULL || !value->is_template)
		return value != NULL ? value->text : NULL;
	macro_expand(names, env, value->text, &out);
	if (value->expanded == NULL || strcmp(value->expanded, str_text(&out)) != 0) {
		free(value->expanded);
		value->expanded = check_strdup(str_text(&out));
	}
	str_free(&out);
	return value->expanded;
}
