/*
 * Class ldap: a search in a directory (Operations Guide 5.9, RFC 4511 and 4515).  Options are those of
 * sendmail, which took them from ldapsearch.
 */
#include "map_ldap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"

enum {
	CONNECT_SECONDS = 30, /* V8 has no limits */
	SEARCH_SECONDS = 60,
	ANSWER_MAXIMUM = 64 * 1024,
	DEPTH_MAXIMUM = 8,	/* of references to references */
	REFERENCE_LOOP = 10001, /* no number of LDAP's */
};

static void
close_ldap(struct map *map)
{
	struct ldap_state *state = map->state;
	const char *reason;
	const struct ldap_library *library = ldap_library(&reason);

	/* a session that a parent opened is the parent's */
	if (state->session != NULL && library != NULL && state->owner == getpid())
		library->unbind(state->session);
	state->session = NULL;
}

static void
forget_ldap(struct map *map)
{
	struct ldap_state *state = map->state;

	if (state != NULL)
		secret_wipe(&state->password);
}

static void
set_limits(const struct ldap_library *library, const struct ldap_state *state, void *session)
{
	int version = state->version > 0 ? state->version : LDAP_VERSION_MAXIMUM;
	struct timeval network = {.tv_sec = state->network_seconds > 0 ? state->network_seconds
								       : CONNECT_SECONDS},
		       answer = {.tv_sec = state->search_seconds > 0 ? state->search_seconds
								     : CONNECT_SECONDS};

	library->set_option(session, LDAP_OPTION_VERSION, &version);
	library->set_option(session, LDAP_OPTION_DEREF, &state->deref);
	library->set_option(session, LDAP_OPTION_SIZE_LIMIT, &state->size_limit);
	library->set_option(session, LDAP_OPTION_TIME_LIMIT, &state->search_seconds);
	if (state->no_referrals)
		library->set_option(session, LDAP_OPTION_REFERRALS, NULL);
	library->set_option(session, LDAP_OPTION_NETWORK_TIMEOUT, &network);
	library->set_option(session, LDAP_OPTION_TIMEOUT, &answer);
}

/* "ldap://a:389 ldap://b:390" of "a b:390". */
static const char *
uri_of(const struct ldap_state *state, struct arena *arena)
{
	char *hosts = arena_strdup(arena, state->host != NULL ? state->host : "localhost");
	const char *uri = "";

	if (state->uri != NULL)
		return state->uri;
	for (char *host = strtok(hosts, " \t,"); host != NULL; host = strtok(NULL, " \t,"))
		uri = strchr(host, ':') != NULL
			  ? arena_printf(arena, "%s%sldap://%s", uri, *uri ? " " : "", host)
			  : arena_printf(
				arena, "%s%sldap://%s:%d", uri, *uri ? " " : "", host, state->port);
	return uri;
}

static int
bind_session(const struct ldap_library *library, const struct ldap_state *state, void *session)
{
	struct ldap_berval credential = {0}, *answer = NULL;
	const char *name = state->name != NULL ? state->name : "";

	if (state->password.data != NULL) {
		credential.bytes = state->password.data;
		credential.length = state->password.length;
	} else {
		credential.bytes = "";
	}
	if (library->bind != NULL)
		return library->bind(session, name, NULL, &credential, NULL, NULL, &answer);
	return library->simple_bind(session, name, credential.bytes);
}

static bool
open_ldap(struct map *map, struct map_call *call)
{
	struct ldap_state *state = map->state;
	const char *reason, *target = state->uri != NULL ? state->uri : state->host;
	const struct ldap_library *library = ldap_library(&reason);
	int result = LDAP_SUCCESS_CODE;

	if (library == NULL)
		return map_open_denied(map, call, "ldap map \"%s\": %s", map->name, reason);
	state->owner = getpid();
	state->session = NULL;
	errno = 0;
	if (library->initialize != NULL)
		result = library->initialize(&state->session, uri_of(state, call->arena));
	else
		state->session = library->init(target != NULL ? target : "localhost", state->port);
	if (result == LDAP_SUCCESS_CODE && state->session != NULL) {
		set_limits(library, state, state->session);
		result = bind_session(library, state, state->session);
		if (result == LDAP_SUCCESS_CODE)
			return true;
	}
	/* V8 says what errno is, which means something only when nothing was reached */
	reason = errno != 0 && (result == LDAP_SERVER_DOWN || result == LDAP_SERVER_DOWN_OLD)
		     ? strerror(errno)
		     : library->error_text(result);
	if (state->session != NULL)
		close_ldap(map);
	if (map->options.is_optional)
		return map_open_failed(map, call, "%s", "");
	return map_open_denied(map, call, "ldap_init/ldap_bind failed to %s in map %s: %s",
	    target != NULL ? target : "localhost", map->name, reason);
}

/* RFC 4515 section 3: what could be read as a part of the filter is written as its code. */
static void
add_escaped(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("*()\\", *text) != NULL || (unsigned char)*text < ' ')
			str_printf(out, "\\%02x", (unsigned char)*text);
		else
			str_add_char(out, *text);
	}
}

/* The filter with %s, %0 and, with -K, %1 to %9 replaced. */
static const char *
make_filter(const struct ldap_state *state, const struct map_call *call, const char *key)
{
	struct str out = {0};
	const char *filter;

	for (const char *at = state->filter; *at != '\0'; at++) {
		if (at[0] != '%' || at[1] == '\0') {
			str_add_char(&out, *at);
			continue;
		}
		at++;
		if (*at == 's')
			str_add_text(&out, key);
		else if (*at == '0')
			add_escaped(&out, key);
		else if (state->has_arguments && *at >= '1' && *at <= '9' &&
			 (size_t)(*at - '1') < call->argument_count)
			add_escaped(&out, call->arguments[*at - '1']);
		else if (state->has_arguments && *at >= '1' && *at <= '9')
			continue;
		else if (*at == '%')
			str_add_char(&out, '%');
		else
			str_add(&out, at - 1, 2);
	}
	filter = arena_memdup(call->arena, str_text(&out), out.length);
	str_free(&out);
	return filter;
}

struct collected { /* of a search */
	struct str text;
	size_t count, entries;
	int depth;    /* of references */
	int error;    /* of a reference: LDAP's number, or REFERENCE_LOOP */
	bool is_full; /* the first value is all that is wanted, or there is too much */
};

static void
add_value(const struct ldap_state *state, struct collected *found, const char *name,
    const char *value, size_t length)
{
	if (found->count++ > 0) {
		if (state->separator == '\0') {
			found->is_full = true;
			return;
		}
		str_add_char(&found->text, state->separator);
	}
	if (state->name_separator != NULL)
		str_printf(&found->text, "%s%s", name, state->name_separator);
	/* a NUL would end the value for whoever reads it */
	for (size_t i = 0; i < length && value[i] != '\0'; i++)
		str_add_char(&found->text, value[i]);
	found->is_full = found->text.length > ANSWER_MAXIMUM || state->separator == '\0';
}

static void collect(
    const struct ldap_library *, const struct ldap_state *, void *result, struct collected *);

/* ldap://host/base?attributes?scope?filter (RFC 4516): the part behind the host, on this session. */
static void
split_url(char *url, const char **base, int *scope, const char **filter)
{
	char *parts[4] = {"", "", "", ""}, *at = strstr(url, "://");

	at = at != NULL ? strchr(at + 3, '/') : NULL;
	for (size_t i = 0; at != NULL && i < 4; i++) {
		parts[i] = i == 0 ? at + 1 : at;
		at = strchr(parts[i], '?');
		if (at != NULL)
			*at++ = '\0';
	}
	*base = parts[0];
	*scope = text_equal_nocase(parts[2], "sub")   ? LDAP_SCOPE_OF_SUB
		 : text_equal_nocase(parts[2], "one") ? LDAP_SCOPE_OF_ONE
						      : LDAP_SCOPE_OF_BASE;
	if (parts[3][0] != '\0')
		*filter = parts[3];
}

/* A value that names another place: what is found there counts in its stead. */
static void
follow(const struct ldap_library *library, const struct ldap_state *state, enum attribute_type type,
    const struct ldap_berval *value, struct collected *found)
{
	struct timeval limit = {.tv_sec = SEARCH_SECONDS};
	const char *base = state->base != NULL ? state->base : "", *filter = "(objectClass=*)";
	char *text = check_malloc(value->length + 1);
	int scope = state->scope, error;
	void *result = NULL;

	memcpy(text, value->bytes, value->length);
	text[value->length] = '\0';
	if (type == TYPE_DN) {
		base = text;
		scope = LDAP_SCOPE_OF_BASE;
	} else if (type == TYPE_FILTER) {
		filter = text;
	} else {
		split_url(text, &base, &scope, &filter);
	}
	if (found->depth++ >= DEPTH_MAXIMUM)
		error = REFERENCE_LOOP;
	else
		error = library->search(state->session, base, scope, filter, state->attributes,
		    state->names_only, &limit, &result);
	if (error == LDAP_SUCCESS_CODE)
		collect(library, state, result, found);
	else if (error != LDAP_NO_OBJECT && found->error == LDAP_SUCCESS_CODE)
		found->error = error;
	found->depth--;
	if (result != NULL)
		library->free_message(result);
	free(text);
}

/* Has the entry one of the object classes "person|other"? */
static bool
is_of_class(const struct ldap_library *library, const struct ldap_state *state, void *entry,
    const char *classes)
{
	struct ldap_berval **values = library->values(state->session, entry, "objectClass");
	bool found = false;

	for (size_t i = 0; values != NULL && values[i] != NULL && !found; i++) {
		for (const char *at = classes; *at != '\0' && !found;) {
			size_t length = strcspn(at, "|");

			found = values[i]->length == length &&
				strncasecmp(values[i]->bytes, at, length) == 0;
			at += length + (at[length] == '|');
		}
	}
	if (values != NULL)
		library->free_values(values);
	return found;
}

/* false: the attribute does not count in this entry. */
static bool
type_of(const struct ldap_library *library, const struct ldap_state *state, void *entry,
    const char *name, enum attribute_type *type)
{
	*type = TYPE_NORMAL;
	if (state->attributes == NULL)
		return true;
	for (size_t i = 0; i < state->attribute_count; i++) {
		if (!text_equal_nocase(state->attributes[i], name))
			continue;
		*type = state->types[i];
		return state->classes[i] == NULL ||
		       is_of_class(library, state, entry, state->classes[i]);
	}
	return false;
}

static void
collect_attribute(const struct ldap_library *library, const struct ldap_state *state, void *entry,
    const char *name, struct collected *found)
{
	struct ldap_berval **values;
	enum attribute_type type;

	if (!type_of(library, state, entry, name, &type))
		return;
	if (state->names_only) {
		add_value(state, found, name, name, strlen(name));
		return;
	}
	values = library->values(state->session, entry, name);
	for (size_t i = 0; values != NULL && values[i] != NULL && !found->is_full; i++) {
		if (type == TYPE_NORMAL)
			add_value(state, found, name, values[i]->bytes, values[i]->length);
		else
			follow(library, state, type, values[i], found);
	}
	if (values != NULL)
		library->free_values(values);
}

static void
collect(const struct ldap_library *library, const struct ldap_state *state, void *result,
    struct collected *found)
{
	void *entry = library->first_entry(state->session, result);

	for (; entry != NULL && (!found->is_full || state->single_match);
	     entry = library->next_entry(state->session, entry)) {
		void *position = NULL;
		char *name;

		found->entries += found->depth == 0;
		name = library->first_attribute(state->session, entry, &position);

		while (name != NULL) {
			if (!found->is_full)
				collect_attribute(library, state, entry, name, found);
			library->free_memory(name);
			name = library->next_attribute(state->session, entry, position);
		}
		if (position != NULL && library->free_position != NULL)
			library->free_position(position, 0);
	}
}

static int
search(const struct ldap_library *library, struct map *map, struct map_call *call, void **result)
{
	const struct ldap_state *state = map->state;
	struct timeval limit = {
	    .tv_sec = state->search_seconds > 0 ? state->search_seconds : SEARCH_SECONDS};

	*result = NULL;
	return library->search(state->session, state->base != NULL ? state->base : "", state->scope,
	    make_filter(state, call, map_fold_key(map, call)), state->attributes, state->names_only,
	    &limit, result);
}

static void
lookup_ldap(struct map *map, struct map_call *call)
{
	struct ldap_state *state = map->state;
	const char *reason;
	const struct ldap_library *library = ldap_library(&reason);
	struct collected found = {0};
	void *result = NULL;
	int error = LDAP_SERVER_DOWN;

	if (state->session != NULL && state->owner == getpid())
		error = search(library, map, call, &result);
	/* a session that the server closed meanwhile, or a parent's: once more */
	if (error == LDAP_SERVER_DOWN || error == LDAP_SERVER_DOWN_OLD) {
		close_ldap(map);
		map->is_open = open_ldap(map, call);
		if (map->is_open)
			error = search(library, map, call, &result);
	}
	if (map->is_open && (error == LDAP_SUCCESS_CODE || error == LDAP_SIZE_EXCEEDED))
		collect(library, state, result, &found);
	if (result != NULL)
		library->free_message(result);
	if (!map->is_open) {
		map_miss(call, map->options.is_optional ? EX_OK : EX_TEMPFAIL);
	} else if (error == LDAP_NO_OBJECT || found.error != LDAP_SUCCESS_CODE) {
		map_say(call, "Error getting LDAP results, map=%s, name=%s: %s", map->name,
		    call->key,
		    found.error == REFERENCE_LOOP
			? "references without end"
			: library->error_text(error == LDAP_NO_OBJECT ? error : found.error));
		map_miss(call, EX_TEMPFAIL);
	} else if (error != LDAP_SUCCESS_CODE && error != LDAP_SIZE_EXCEEDED) {
		map_say(call, "Error in ldap_search in map %s: %s", map->name,
		    library->error_text(error));
		close_ldap(map);
		map->is_open = false;
		map_miss(call, EX_TEMPFAIL);
	} else if (found.count == 0 || (state->single_match && found.entries > 1)) {
		map_miss(call, MAP_NOT_FOUND);
	} else {
		map_give(map, call, arena_strdup(call->arena, str_text(&found.text)));
	}
	str_free(&found.text);
}

const struct map_class map_class_ldap = {.name = "ldap",
    .declare = map_ldap_declare,
    .open = open_ldap,
    .lookup = lookup_ldap,
    .close = close_ldap,
    .has_no_file = true,
    .forget = forget_ldap};
