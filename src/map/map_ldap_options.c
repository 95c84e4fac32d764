/* Class ldap: what its K line and option LDAPDefaultSpec say, in the letters of ldapsearch. */
#include "map_ldap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { ATTRIBUTES_MAXIMUM = 64, PORT = 389, SECRET_MAXIMUM = 256 };

/* What stands in a list of words, "never|always|search|find"; -1: nothing. */
static int
find_word(const char *word, const char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text_equal_nocase(words[i], word))
			return (int)i;
	}
	return -1;
}

/* The first line of a file that nobody else may read. */
static bool
read_secret(struct map *map, const char *path, struct map_errors *errors)
{
	struct ldap_state *state = map->state;
	char line[SECRET_MAXIMUM];
	struct stat status;
	const char *reason = map_unsafe_file(map, path);
	int fd = reason == NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
	ssize_t length;

	if (reason == NULL && fd < 0)
		reason = strerror(errno);
	if (reason == NULL && fstat(fd, &status) == 0 &&
	    (status.st_mode & (S_IRGRP | S_IROTH)) != 0)
		reason = status.st_mode & S_IROTH ? "World readable file" : "Group readable file";
	if (reason != NULL) {
		map_add_error(errors, "LDAP map: cannot open secret %s: %s", path, reason);
		if (fd >= 0)
			close(fd);
		return false;
	}
	length = read(fd, line, sizeof line - 1);
	close(fd);
	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	secret_set(&state->password, line, strlen(line));
	memset(line, 0, sizeof line);
	return true;
}

/* "cn,mail:NORMAL:person": the type and its object classes may be given. */
static void
read_attributes(struct map *map, const char *list, struct map_errors *errors)
{
	static const char *const types[] = {"NORMAL", "DN", "FILTER", "URL"};
	struct ldap_state *state = map->state;
	char *copy = arena_strdup(map->set->arena, list), *next;
	bool has_normal = false, has_classes = false;
	size_t count = 0;

	state->classes = ARENA_ARRAY(map->set->arena, const char *, ATTRIBUTES_MAXIMUM);
	state->attributes = ARENA_ARRAY(map->set->arena, char *, ATTRIBUTES_MAXIMUM + 1);
	state->types = ARENA_ARRAY(map->set->arena, enum attribute_type, ATTRIBUTES_MAXIMUM);
	for (char *name = copy; name != NULL && *name != '\0'; name = next) {
		enum attribute_type kind = TYPE_NORMAL;
		const char *classes = NULL;
		char *type;

		next = strchr(name, ',');
		if (next != NULL)
			*next++ = '\0';
		type = strchr(name, ':');
		if (type != NULL) {
			*type++ = '\0';
			if (type[strcspn(type, ":")] != '\0')
				classes = type + strcspn(type, ":") + 1;
			type[strcspn(type, ":")] = '\0';
			has_classes |= classes != NULL;
			if (find_word(type, types, sizeof types / sizeof types[0]) < 0)
				map_add_error(
				    errors, "Unknown attribute type (%s) in %s", type, map->name);
			else
				kind = (enum attribute_type)find_word(
				    type, types, sizeof types / sizeof types[0]);
		}
		if (*name != '\0' && count < ATTRIBUTES_MAXIMUM) {
			state->types[count] = kind;
			state->classes[count] = classes;
			has_normal |= kind == TYPE_NORMAL;
			state->attributes[count++] = name;
		}
	}
	if (count > 0 && !has_normal)
		map_add_error(errors,
		    "LDAP recursion requested in %s but no returnable attribute given", map->name);
	/* asked for, to be compared, and not given away */
	if (has_classes && count < ATTRIBUTES_MAXIMUM)
		state->attributes[count] = "objectClass";
	state->attribute_count = count;
	if (count == 0)
		state->attributes = NULL;
}

static bool
set_choice(struct map *map, int *field, const char *what, const char *word,
    const char *const words[], size_t count, struct map_errors *errors)
{
	struct str list = {0};
	int found = find_word(word, words, count);

	if (found >= 0) {
		*field = found;
		return true;
	}
	for (size_t i = 0; i < count; i++)
		str_printf(&list, "%s%s", i > 0 ? "|" : "", words[i]);
	map_add_error(
	    errors, "%s must be [%s] (not %s) in map %s", what, str_text(&list), word, map->name);
	str_free(&list);
	return true;
}

/* Options of LDAP that take no value; false: it is another. */
static bool
take_switch(struct ldap_state *state, char letter)
{
	switch (letter) {
	case '1':
		state->single_match = true;
		return true;
	case 'n':
		state->names_only = true;
		return true;
	case 'R':
		state->no_referrals = true;
		return true;
	case 'K':
		state->has_arguments = true;
		return true;
	default:
		return false;
	}
}

/* Those that have one; false: nobody's. */
static bool
take_value(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	static const char *const scopes[] = {"base", "one", "sub"},
				 *const derefs[] = {"never", "search", "find", "always"},
				 *const shown_derefs[] = {"never", "always", "search", "find"},
				 *const methods[] = {"none", "simple", "krbv4"};
	struct ldap_state *state = map->state;
	int choice;

	switch (letter) {
	case 'k':
		state->filter = value;
		return true;
	case 'v':
		read_attributes(map, value, errors);
		return true;
	case 'b':
		state->base = value;
		return true;
	case 'h':
		state->host = value;
		return true;
	case 'H':
		state->uri = value;
		return true;
	case 'p':
		state->port = atoi(value);
		return true;
	case 'd':
		state->name = value;
		return true;
	case 'P':
		read_secret(map, value, errors);
		return true;
	case 'M':
		if (text_starts_nocase(value, "LDAP_AUTH_"))
			value += strlen("LDAP_AUTH_");
		choice = 0;
		set_choice(map, &choice, "Method for binding", value, methods,
		    sizeof methods / sizeof methods[0], errors);
		state->has_simple_bind = choice == 1;
		return true;
	case 's':
		return set_choice(map, &state->scope, "Scope", value, scopes,
		    sizeof scopes / sizeof scopes[0], errors);
	case 'r':
		/* the words in V8's order, their numbers in LDAP's */
		set_choice(map, &choice, "Deref", value, shown_derefs,
		    sizeof shown_derefs / sizeof shown_derefs[0], errors);
		choice = find_word(value, derefs, sizeof derefs / sizeof derefs[0]);
		state->deref = choice >= 0 ? choice : 0;
		return true;
	case 'c':
		state->network_seconds = atoi(value);
		return true;
	case 'l':
		state->search_seconds = atoi(value);
		return true;
	case 'Z':
		state->size_limit = atoi(value);
		return true;
	case 'w':
		state->version = atoi(value);
		if (state->version > LDAP_VERSION_MAXIMUM)
			map_add_error(errors, "LDAP version %d exceeds max of %d in map %s",
			    state->version, LDAP_VERSION_MAXIMUM, map->name);
		return true;
	case 'V':
		state->name_separator = value;
		return true;
	default:
		return false;
	}
}

/* One word, with the quotes off that hold blanks together; NULL at the end. */
static const char *
next_word(struct map *map, const char **at)
{
	const char *from = text_skip_space(*at);
	char *word = arena_alloc(map->set->arena, strlen(from) + 1), *to = word;
	bool is_quoted = false;

	if (*from == '\0')
		return NULL;
	for (; *from != '\0' && (is_quoted || !text_is_space((unsigned char)*from)); from++) {
		if (*from == '"')
			is_quoted = !is_quoted;
		else
			*to++ = *from;
	}
	*to = '\0';
	*at = from;
	return word;
}

/* The value of an option: the rest of its word, or the next one. */
static const char *
value_of(struct map *map, const char *word, const char **at)
{
	const char *value = word + 2;

	if (*value == '\0')
		value = next_word(map, at);
	return value != NULL ? value : "";
}

static void
read_words(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct ldap_state *state = map->state;
	const char *word;

	while (*text_skip_space(arguments) == '-') {
		word = next_word(map, &arguments);
		if (word[1] == '\0' || take_switch(state, word[1]))
			continue;
		if (strchr("kvbhHpdPMsrclZwV", word[1]) != NULL) {
			take_value(map, word[1], value_of(map, word, &arguments), errors);
		} else if (word[1] == 'z') {
			state->separator = map_read_delimiter(value_of(map, word, &arguments));
		} else if (strchr("EL", word[1]) == NULL &&
			   map_take_general(map, word[1], word + 2)) {
			state->has_other_options = true;
		} else {
			map_add_error(errors, "Illegal option %c map %s", word[1], map->name);
		}
	}
	if (state->host != NULL && state->uri != NULL)
		map_add_error(errors, "Can not specify both an LDAP host and an LDAP URI in map %s",
		    map->name);
}

static struct ldap_state *
make_state(struct map *map)
{
	struct ldap_state *state = ARENA_NEW(map->set->arena, struct ldap_state);
	const struct map *defaults = map->set->ldap_default;

	if (defaults != NULL) {
		const struct ldap_state *given = defaults->state;

		*state = *given;
		state->password = (struct secret){0};
		if (given->password.length > 0)
			secret_set(&state->password, given->password.data, given->password.length);
		return state;
	}
	state->scope = LDAP_SCOPE_OF_SUB;
	state->port = PORT;
	return state;
}

bool
map_ldap_declare(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct ldap_state *state = map->state = make_state(map);

	read_words(map, arguments, errors);
	if (state->filter == NULL) {
		map_add_error(errors, "No filter given in map %s", map->name);
		return false;
	}
	return errors->text == NULL;
}

void
map_set_ldap_default(
    struct map_set *set, const char *arguments, struct arena *arena, const char **error)
{
	struct map_errors errors = {.arena = arena};
	struct map *map = ARENA_NEW(set->arena, struct map);
	struct ldap_state *state;

	map->set = set;
	map->name = "O LDAPDefaultSpec";
	map->class = &map_class_ldap;
	map->state = state = make_state(map);
	map->next = set->first;
	set->first = map;
	read_words(map, arguments, &errors);
	if (state->filter != NULL)
		map_add_error(
		    &errors, "readcf: option LDAPDefaultSpec: Do not set the LDAP search filter");
	else if (state->has_other_options)
		map_add_error(
		    &errors, "readcf: option LDAPDefaultSpec: Do not set non-LDAP specific flags");
	if (errors.text == NULL)
		set->ldap_default = map;
	*error = errors.text;
}
