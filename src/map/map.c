#include "map_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/text.h"

enum { DEPTH_MAXIMUM = 10 }; /* of sequences within sequences */

static const struct map_class *const classes[] = {
    &map_class_null,
    &map_class_dequote,
    &map_class_arith,
    &map_class_macro,
    &map_class_regex,
    &map_class_text,
    &map_class_hash,
    &map_class_btree,
    &map_class_implicit,
    &map_class_dns,
    &map_class_host,
    &map_class_bestmx,
    &map_class_sequence,
    &map_class_switch,
    &map_class_user,
    &map_class_userdb,
    &map_class_program,
    &map_class_socket,
    &map_class_syslog,
    &map_class_ldap,
    &map_class_cdb,
    &map_class_stab,
    &map_class_nis,
    &map_class_nisplus,
};

static const struct map_class *
find_class(const char *name)
{
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (text_equal_nocase(classes[i]->name, name))
			return classes[i];
	}
	return NULL;
}

struct map_set *
map_set_create(void)
{
	struct map_set *set = check_malloc(sizeof *set);

	*set = (struct map_set){
	    .arena = arena_create(), .maps = table_create(TABLE_NOCASE), .space = '.'};
	return set;
}

static void
close_map(struct map *map)
{
	if (map->is_open && map->class->close != NULL)
		map->class->close(map);
	map->is_open = false;
}

void
map_set_destroy(struct map_set *set)
{
	if (set == NULL)
		return;
	for (struct map *map = set->first; map != NULL; map = map->next) {
		close_map(map);
		if (map->class->forget != NULL)
			map->class->forget(map);
	}
	table_destroy(set->maps);
	table_destroy(set->hosts);
	arena_destroy(set->arena);
	free(set);
}

void
map_set_space_substitute(struct map_set *set, char space)
{
	set->space = space;
}

void
map_set_file_check(struct map_set *set, map_file_check *check_file, void *context)
{
	set->check_file = check_file;
	set->check_context = context;
}

const char *
map_unsafe_file(struct map *map, const char *path)
{
	return map->set->check_file != NULL ? map->set->check_file(map->set->check_context, path)
					    : NULL;
}

struct map *
map_declare(struct map_set *set, const char *name, const char *class_name, const char *arguments,
    struct arena *arena, const char **error)
{
	const struct map *old = table_get(set->maps, name);
	const struct map_class *class = find_class(class_name);
	struct map_errors errors = {.arena = arena};
	struct map *map;

	*error = NULL;
	if (class == NULL) {
		*error =
		    arena_printf(arena, "readcf: map %s: class %s not available", name, class_name);
		return NULL;
	}
	map = ARENA_NEW(set->arena, struct map);
	map->set = set;
	map->name = arena_strdup(set->arena, name);
	map->class = class;
	/* V8 reads a second K line over the first: what it does not say stays as it was, but for -N and -O */
	if (old != NULL)
		map->options = old->options;
	map->options.only_with_nul = map->options.only_plain = false;
	map->options.space = set->space;
	map->is_invalid = !class->declare(map, arguments != NULL ? arguments : "", &errors);
	*error = errors.text;
	map->next = set->first;
	set->first = map;
	table_set(set->maps, name, map);
	return map;
}

void
map_mark_alias(struct map *map)
{
	map->is_alias = true;
	map->options.keeps_quotes = true; /* keys have them */
}

bool
map_class_exists(const char *class_name)
{
	return find_class(class_name) != NULL;
}

bool
map_class_takes_aliases(const char *class_name)
{
	static const char *const others[] = {"host", "bestmx", "dns", "user", "userdb", "dequote",
	    "regex", "syslog", "arith", "macro"};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (text_equal_nocase(others[i], class_name))
			return false;
	}
	return true;
}

struct map *
map_find(const struct map_set *set, const char *name)
{
	return table_get(set->maps, name);
}

const char *const *
map_set_names(const struct map_set *set, struct arena *arena)
{
	const char **names = ARENA_ARRAY(arena, const char *, table_count(set->maps) + 1);
	size_t position = 0, count = 0;
	void *map;

	while (table_next(set->maps, &position, &names[count], &map))
		count++;
	names[count] = NULL;
	return names;
}

const char *
map_name(const struct map *map)
{
	return map->name;
}

const char *
map_class_name(const struct map *map)
{
	return map->class->name;
}

bool
map_is_optional(const struct map *map)
{
	return map->options.is_optional;
}

const char *
map_file(const struct map *map)
{
	return map->file;
}

char
map_space_substitute(const struct map *map)
{
	return map->options.space;
}

static void
add_message(struct map_call *call, const char *format, va_list arguments)
{
	struct map_result *result = call->result;
	const char *line = arena_vprintf(call->arena, format, arguments);

	result->message = result->message == NULL
			      ? line
			      : arena_printf(call->arena, "%s\n%s", result->message, line);
}

void
map_say(struct map_call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_message(call, format, arguments);
	va_end(arguments);
	call->result->message_status = EX_SOFTWARE;
}

void
map_notice(struct map_call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_message(call, format, arguments);
	va_end(arguments);
}

void
map_miss(struct map_call *call, int status)
{
	call->result->found = false;
	call->result->value = NULL;
	call->result->status = status;
}

static void
give(struct map *map, struct map_call *call, const char *value)
{
	call->result->found = true;
	call->result->status = EX_OK;
	if (call->is_raw) {
		call->result->value = arena_strdup(call->arena, value);
		return;
	}
	call->result->value = map->options.append == NULL
				  ? value
				  : arena_printf(call->arena, "%s%s", value, map->options.append);
}

void
map_give(struct map *map, struct map_call *call, const char *value)
{
	const char *formatted;

	if (call->is_raw)
		formatted = value;
	else if (map->options.matches_only)
		formatted = arena_strdup(call->arena, call->key);
	else
		map_format(call->arena, value, call->key, call->arguments, call->argument_count,
		    &formatted);
	give(map, call, formatted);
	map_trace_rewrite(map, call, value, call->result->value);
}

void
map_give_literal(struct map *map, struct map_call *call, const char *value)
{
	give(map, call, arena_strdup(call->arena, map->options.matches_only ? call->key : value));
	map_trace_rewrite(map, call, value, call->result->value);
}

const char *
map_fold_key(struct map *map, struct map_call *call)
{
	char *key;

	if (map->options.keeps_case)
		return call->key;
	key = arena_strdup(call->arena, call->key);
	text_to_lower(key);
	return key;
}

bool
map_open_failed(struct map *map, struct map_call *call, const char *format, ...)
{
	const char *reason;
	va_list arguments;

	va_start(arguments, format);
	reason = arena_vprintf(call->arena, format, arguments);
	va_end(arguments);
	/* V8 is silent about maps with -o; the log must tell of one that is there and not used */
	if (!map->said_failure && *reason != '\0' && map->options.is_optional)
		log_at(3, LOG_ERR, "%s", reason);
	else if (!map->said_failure && *reason != '\0')
		map_say(call, "%s", reason);
	map->said_failure = true;
	return false;
}

bool
map_open_denied(struct map *map, struct map_call *call, const char *format, ...)
{
	const char *reason;
	va_list arguments;
	bool was_said = map->said_failure;

	va_start(arguments, format);
	reason = arena_vprintf(call->arena, format, arguments);
	va_end(arguments);
	map_open_failed(map, call, "%s", reason);
	if (!was_said && *reason != '\0' && !map->options.is_optional)
		call->result->message_status = EX_OSERR;
	return false;
}

/*
 * A map that does not open is tried again at its next look-up: a file that was forgotten and is
 * put in place later is found without a restart.
 */
static bool
open_map(struct map *map, struct map_call *call)
{
	bool had_failed;

	if (map->is_open)
		return true;
	if (map->is_invalid)
		return false;
	had_failed = map->said_failure;
	map->is_open = map->class->open == NULL || map->class->open(map, call);
	if (!had_failed)
		map_trace_open(map, map->is_open);
	if (map->is_open)
		map->said_failure = false;
	return map->is_open;
}

/* V8: a map that could not be opened answers "try again", one with -o or a wrong K line "not there". */
static void
answer(struct map *map, struct map_call *call)
{
	if (call->depth > DEPTH_MAXIMUM) {
		map_miss(call, EX_TEMPFAIL);
	} else if (open_map(map, call)) {
		map_trace_lookup(map, call);
		map->class->lookup(map, call);
	} else {
		map_miss(call, map->is_invalid || map->options.is_optional ? EX_OK : EX_TEMPFAIL);
	}
}

void
map_lookup_member(struct map *map, struct map_call *call)
{
	call->depth++;
	answer(map, call);
	call->depth--;
}

static const char *
strip_quotes(const char *key, struct arena *arena)
{
	char *plain, *to;

	if (strchr(key, '"') == NULL && strchr(key, '\\') == NULL)
		return key;
	plain = to = arena_strdup(arena, key);
	for (const char *from = key; *from != '\0'; from++) {
		if (*from == '\\' && from[1] != '\0')
			*to++ = *++from;
		else if (*from != '"')
			*to++ = *from;
	}
	*to = '\0';
	return plain;
}

static const struct map_hooks no_hooks;

void
map_lookup(struct map *map, const char *key, const char *const arguments[], size_t argument_count,
    const struct map_hooks *hooks, struct arena *arena, struct map_result *result)
{
	struct map_call call = {.key = key,
	    .arguments = arguments,
	    .argument_count = argument_count,
	    .hooks = hooks != NULL ? hooks : &no_hooks,
	    .arena = arena,
	    .result = result};

	*result = (struct map_result){0};
	if (map->options.is_put_off && call.hooks->is_deferred) {
		map_miss(&call, EX_TEMPFAIL);
		return;
	}
	if (!map->options.keeps_quotes)
		call.key = strip_quotes(key, arena);
	answer(map, &call);
	if (!result->found && result->status == EX_TEMPFAIL) {
		result->value = arena_strdup(arena, map->options.temporary);
		result->hides_failure = map->options.hides_failure;
	}
}

void
map_lookup_as_is(struct map *map, const char *key, const struct map_hooks *hooks,
    struct arena *arena, struct map_result *result)
{
	struct map_call call = {.key = key,
	    .hooks = hooks != NULL ? hooks : &no_hooks,
	    .arena = arena,
	    .result = result};

	*result = (struct map_result){0};
	answer(map, &call);
}

void
map_lookup_raw(struct map *map, const char *key, struct arena *arena, struct map_result *result)
{
	struct map_call call = {
	    .key = key, .hooks = &no_hooks, .arena = arena, .result = result, .is_raw = true};

	*result = (struct map_result){0};
	answer(map, &call);
}

bool
map_is_open(
    struct map *map, const struct map_hooks *hooks, struct arena *arena, struct map_result *result)
{
	struct map_call call = {.key = "",
	    .hooks = hooks != NULL ? hooks : &no_hooks,
	    .arena = arena,
	    .result = result};

	*result = (struct map_result){0};
	/* V8: a map that should be there and is not counts as open, and answers "try again" */
	return open_map(map, &call) || !(map->is_invalid || map->options.is_optional);
}

void
map_format(struct arena *arena, const char *value, const char *key, const char *const arguments[],
    size_t argument_count, const char **result)
{
	struct str out = {0};

	for (const char *at = value; *at != '\0'; at++) {
		if (*at != '%' || (at[1] != '%' && !text_is_digit((unsigned char)at[1]))) {
			str_add_char(&out, *at);
			continue;
		}
		at++;
		if (*at == '%')
			str_add_char(&out, '%');
		else if (*at == '0')
			str_add_text(&out, key);
		else if ((size_t)(*at - '1') < argument_count)
			str_add_text(&out, arguments[*at - '1']);
	}
	*result = arena_memdup(arena, str_text(&out), out.length);
	str_free(&out);
}
