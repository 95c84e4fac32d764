#include "rule/engine.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/trace.h"
#include "conf/service_switch.h"
#include "map/map.h"

enum { ARGUMENTS = 10 };

/* One look-up on a right side: where its parts are among the tokens. */
struct lookup {
	const char *map_name;
	const struct token *key;
	size_t key_count;
	const struct token *default_value; /* NULL: none given */
	size_t default_count;
	const char *arguments[ARGUMENTS];
	size_t argument_count;
	size_t end; /* of the whole, behind the closing token */
};

/* Ends the part of a look-up that began at `start`. */
static void
end_part(struct rule_context *context, struct lookup *lookup, unsigned kind,
    const struct token *start, const struct token *stop)
{
	size_t count = (size_t)(stop - start);

	switch (kind) {
	case TOKEN_HOST:
		if (lookup->argument_count < ARGUMENTS)
			lookup->arguments[lookup->argument_count++] =
			    rule_text(context, start, count);
		break;
	case TOKEN_USER:
		lookup->default_value = start;
		lookup->default_count = count;
		break;
	default:
		lookup->key = start;
		lookup->key_count = count;
	}
}

/* Reads the look-up that begins at items[begin]. */
static bool
read_lookup(struct rule_context *context, const struct token *items, size_t count, size_t begin,
    struct lookup *lookup)
{
	unsigned end_op = TOKEN_HOST_END, kind = TOKEN_TEXT;
	size_t at = begin + 1;
	const struct token *start;

	*lookup = (struct lookup){.map_name = "host"};
	if (items[begin].op == TOKEN_MAP_BEGIN) {
		if (at >= count) {
			rule_report(context, EX_SOFTWARE, "rewrite: missing mapname");
			return false;
		}
		end_op = TOKEN_MAP_END;
		lookup->map_name = items[at].op == TOKEN_TEXT ? items[at].text : "";
		at++;
	}
	start = items + at;
	for (; at < count && items[at].op != end_op; at++) {
		if (items[at].op != TOKEN_HOST && items[at].op != TOKEN_USER)
			continue;
		end_part(context, lookup, kind, start, items + at);
		kind = items[at].op;
		start = items + at + 1;
	}
	end_part(context, lookup, kind, start, items + at);
	lookup->end = at < count ? at + 1 : at;
	return true;
}

static bool
set_macro(void *data, const char *name, const char *value)
{
	struct rule_context *context = data;
	struct macro_names *names = context->config->names;
	const char *end, *error = NULL;
	int id = macro_name_parse(names, name, &end, context->arena, &error);

	if (error != NULL)
		rule_report(context, EX_SOFTWARE, "%s", error);
	if (id != MACRO_NONE)
		macro_set(context->macros, id, value);
	return id != MACRO_NONE;
}

static size_t
service_methods(void *data, const char *service, const char *methods[], size_t size)
{
	struct rule_context *context = data;

	return config_switch_methods(context->config, service, methods, size);
}

static void
report_at_once(void *data, const char *message, int status)
{
	struct rule_context *context = data;

	rule_report(context, status != EX_OK ? status : RULE_NOTICE, "%s", message);
}

struct map_hooks
rule_map_hooks(struct rule_context *context)
{
	return (struct map_hooks){
	    .context = context,
	    .set_macro = set_macro,
	    .report = report_at_once,
	    .switch_methods = service_methods,
	    .is_deferred = context->is_deferred,
	    .check_alias_name = context->check_alias_name,
	    .keeps_aliases = context->config->options.dont_expand_cnames,
	    .environment = context->config->environment.items,
	    .environment_count = context->config->environment.count,
	    .hosts_file = context->config->options.hosts_file,
	    .domain = config_macro(context->config, context->macros, "m"),
	    .log_id = config_macro(context->config, context->macros, "i"),
	    .user_database = context->config->options.user_database_spec,
	};
}

static void
trace_lookup(const struct map *map, const char *key, const struct lookup *lookup,
    const struct map_result *result)
{
	printf("map_lookup(%s, %s", map_name(map), key);
	if (trace_on(60, 5))
		printf(", %%0=%s", key);
	for (size_t i = 0; trace_on(60, 5) && i < lookup->argument_count; i++)
		printf(", %%%zu=%s", i + 1, lookup->arguments[i]);
	if (result->found)
		printf(") => %s (%d), ad=%d\n", result->value, result->status, 0);
	else
		printf(") => NOT FOUND (%d), ad=%d\n", result->status, 0);
}

/*
 * What joins the words of a key.  V8: classes that read their own arguments know no -S and take
 * BlankSub as it is now, the others as it was at their K line.
 */
static char
key_blank(const struct rule_context *context, const struct map *map)
{
	static const char *const own[] = {"bestmx", "dns", "host"};
	char blank = map_space_substitute(map);

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (strcmp(map_class_name(map), own[i]) == 0)
			return context->config->options.blank_sub;
	}
	return blank != '\0' ? blank : ' ';
}

/* Asks the map.  The value, or NULL for none; a failure is put into *status. */
static const char *
ask(struct rule_context *context, const struct lookup *lookup, int *status)
{
	struct map *map = map_find(context->config->maps, lookup->map_name);
	struct map_hooks hooks = rule_map_hooks(context);
	struct map_result result = {0};
	const char *key;

	if (map == NULL) {
		rule_report(context, EX_SOFTWARE, "rewrite: map %s not found", lookup->map_name);
		return NULL;
	}
	key = token_join_text(
	    lookup->key, lookup->key_count, key_blank(context, map), context->arena);
	map_lookup(
	    map, key, lookup->arguments, lookup->argument_count, &hooks, context->arena, &result);
	if (result.message != NULL && result.message[0] != '\0')
		rule_report(context,
		    result.message_status != EX_OK ? result.message_status : RULE_NOTICE, "%s",
		    result.message);
	if (trace_on(60, 1))
		trace_lookup(map, key, lookup, &result);
	if (result.status == EX_TEMPFAIL && result.value != NULL)
		/* -T: its text behind the key */
		result.value = arena_printf(
		    context->arena, "%s%s", token_unquote(context->arena, key), result.value);
	if (result.status == EX_TEMPFAIL && !result.hides_failure)
		*status = EX_TEMPFAIL;
	return result.found || result.status == EX_TEMPFAIL ? result.value : NULL;
}

static int
add_all(struct tokens *out, const struct token *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!tokens_add(out, &items[i]))
			return EX_DATAERR;
	}
	return EX_OK;
}

static int
add_value(struct rule_context *context, const char *value, struct tokens *out)
{
	struct tokens tokens;

	if (*value == '\0')
		return EX_OK;
	return engine_scan_value(context, value, &tokens) ? add_all(out, tokens.items, tokens.count)
							  : EX_DATAERR;
}

/* V8 makes text of a default and tokens of that again; operators among them stay what they are. */
static int
add_default(
    struct rule_context *context, const struct token *items, size_t count, struct tokens *out)
{
	size_t at = 0;
	int status = EX_OK;

	while (at < count && status == EX_OK) {
		size_t end = at;

		while (end < count && items[end].op == TOKEN_TEXT)
			end++;
		if (end > at)
			status = add_value(context, rule_text(context, items + at, end - at), out);
		if (end < count && status == EX_OK)
			status = add_all(out, &items[end++], 1);
		at = end;
	}
	return status;
}

/* Adds what the look-up gives: value, default or key. */
static int
answer(struct rule_context *context, const struct lookup *lookup, struct tokens *out)
{
	int status = EX_OK, added;
	const char *value = ask(context, lookup, &status);

	if (value != NULL)
		added = add_value(context, value, out);
	else if (lookup->default_value != NULL)
		added = add_default(context, lookup->default_value, lookup->default_count, out);
	else
		added = add_all(out, lookup->key, lookup->key_count);
	return added != EX_OK ? added : status;
}

int
engine_lookups(struct rule_context *context, struct token *items, size_t count, struct tokens *out)
{
	int status = EX_OK;
	size_t at = 0;

	while (at < count) {
		struct lookup lookup;
		int one;

		if (items[at].op != TOKEN_HOST_BEGIN && items[at].op != TOKEN_MAP_BEGIN) {
			if (!tokens_add(out, &items[at++]))
				goto too_long;
			continue;
		}
		if (!read_lookup(context, items, count, at, &lookup))
			return EX_DATAERR;
		one = answer(context, &lookup, out);
		if (one == EX_DATAERR)
			return one;
		if (status == EX_OK || one == EX_TEMPFAIL)
			status = one;
		at = lookup.end;
	}
	return status;
too_long:
	rule_report(context, EX_SOFTWARE, "rewrite: expansion too long");
	return EX_DATAERR;
}
