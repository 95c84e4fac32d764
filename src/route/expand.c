#include "route/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/safefile.h"
#include "list_file.h"

enum { LIST_ITEMS_MAXIMUM = 100000 };

static void add_list(
    struct expand *, const char *list, struct expanded *parent, const struct alias_user *);

static bool
is_same(const struct expanded *one, const struct resolved *other)
{
	bool case_counts = mailer_has(other->mailer, 'u');

	return one->resolved.mailer == other->mailer &&
	       text_equal_nocase(one->resolved.host, other->host) &&
	       (case_counts ? strcmp(one->resolved.user, other->user) == 0
			    : text_equal_nocase(one->resolved.user, other->user));
}

static void
insert_by_host(struct expand *expand, struct expanded *entry)
{
	struct expanded **link = &expand->first;

	while (*link != NULL &&
	       ((*link)->resolved.mailer == NULL ||
		   text_compare_nocase((*link)->resolved.host, entry->resolved.host) <= 0))
		link = &(*link)->next;
	entry->next = *link;
	*link = entry;
}

static void
say(struct expand *expand, int exit_status, const char *text)
{
	expand->say(expand->context, text, exit_status);
}

static void
refuse(struct expand *expand, struct expanded *entry, int code, const char *dsn, int exit_status,
    const char *text)
{
	struct arena *arena = expand->rules->arena;

	entry->state = EXPANDED_BAD;
	entry->verdict = verdict_make(arena, code, dsn, exit_status, "%s", text);
	say(expand, exit_status,
	    arena_printf(arena, "%s%s... %s", expand->place, entry->address, text));
}

/* The one in the chain of parents that is the same; NULL: none. */
static struct expanded *
find_ancestor(struct expanded *parent, const struct resolved *resolved)
{
	while (parent != NULL && !is_same(parent, resolved))
		parent = parent->parent;
	return parent;
}

/*
 * An address that is there already.  Where it leads back to itself, V8 delivers to a user of the
 * circle; without one the circle is broken off.
 */
static void
take_known(struct expand *expand, struct expanded *parent, struct expanded *known,
    const struct resolved *resolved)
{
	struct expanded *ancestor = find_ancestor(parent, resolved);
	struct alias_user account;

	if (ancestor == NULL || ancestor->is_self)
		return;
	if (ancestor == parent) {
		known->is_self = true;
		return;
	}
	for (struct expanded *one = parent; one != NULL;
	     one = one == ancestor ? NULL : one->parent) {
		if (alias_find_user(one->resolved.user, expand->rules->arena, &account)) {
			one->is_self = true;
			one->state = EXPANDED_GOOD;
			return;
		}
	}
	say(expand, EX_USAGE,
	    arena_printf(expand->rules->arena, "%saliasing/forwarding loop broken", expand->place));
}

/* Programs and files are named by aliases, or by users who could run them themselves. */
static bool
is_permitted(struct expand *expand, struct expanded *entry)
{
	const struct config *config = expand->rules->config;
	const char *what = entry->resolved.mailer == config->prog_mailer ? "programs" : "files";

	if (entry->resolved.mailer != config->prog_mailer &&
	    entry->resolved.mailer != config->file_mailer)
		return true;
	if (entry->parent == NULL) {
		refuse(expand, entry, 550, "5.7.1", EX_UNAVAILABLE,
		    arena_printf(expand->rules->arena, "Cannot mail directly to %s", what));
		return false;
	}
	if (entry->control == NULL || list_file_shell_is_good(entry->control->shell))
		return true;
	refuse(expand, entry, 550, "5.7.1", EX_USAGE,
	    arena_printf(expand->rules->arena,
		"User %s@%s doesn't have a valid shell for mailing to %s", entry->control->login,
		config_macro(config, expand->rules->macros, "j"), what));
	return false;
}

/* The lines of a list, each a list of its own; `control` is whose file it is. */
static void
add_lines(struct expand *expand, struct expanded *entry, const char *file, char *text,
    const struct alias_user *control)
{
	const char *outer = expand->place;
	unsigned long number = 0;
	char *next;

	for (char *line = text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		number++;
		text_trim_end(line);
		if (*line == '\0' || *line == '#')
			continue;
		expand->place = arena_printf(expand->rules->arena, "%s: line %lu: ", file, number);
		if (control != NULL && control != entry->control)
			say(expand, -1,
			    arena_printf(expand->rules->arena, "%s... forwarding to %s",
				entry->address, line));
		add_list(expand, line, entry, control);
	}
	expand->place = outer;
}

static void
add_include(struct expand *expand, struct expanded *entry)
{
	struct arena *arena = expand->rules->arena;
	const char *file = entry->resolved.user, *reason;
	char *text;

	if (text_starts_nocase(file, ":include:"))
		file = text_skip_space(file + strlen(":include:"));
	if (entry->parent == NULL) {
		refuse(expand, entry, 550, "5.7.1", EX_UNAVAILABLE,
		    "Cannot mail directly to :include:s");
		return;
	}
	reason = list_file_read(
	    file, SAFEFILE_INCLUDE, entry->control, expand->rules->config, arena, &text);
	if (reason != NULL) {
		refuse(expand, entry, 550, "5.2.4", EX_USAGE,
		    arena_printf(arena, "Cannot open %s: %s", file, reason));
		return;
	}
	entry->state = EXPANDED_REPLACED;
	add_lines(expand, entry, file, text, entry->control);
}

/* True: the user's .forward says who gets it. */
static bool
add_forward(struct expand *expand, struct expanded *entry, const struct alias_user *account)
{
	struct rule_context *rules = expand->rules;
	const char *template = rules->config->options.forward_path;
	char *paths, *position;
	struct expanded *replaced = entry;

	if (template == NULL || *template == '\0')
		return false;
	config_set_macro(rules->config, rules->macros, "z", account->home);
	config_set_macro(rules->config, rules->macros, "u", entry->resolved.user);
	config_set_macro(rules->config, rules->macros, "h", entry->resolved.host);
	paths = arena_strdup(
	    rules->arena, config_expand(rules->config, rules->macros, template, rules->arena));
	for (char *path = strtok_r(paths, ":", &position); path != NULL;
	     path = strtok_r(NULL, ":", &position)) {
		char *text;
		const char *reason;

		if (*path != '/')
			continue;
		reason = list_file_read(
		    path, SAFEFILE_FORWARD, account, rules->config, rules->arena, &text);
		if (reason == NULL && list_file_has_address(text)) {
			replaced->state = EXPANDED_REPLACED;
			add_lines(expand, entry, path, text, account);
			return true;
		}
		if (reason != NULL && strcmp(reason, "No such file or directory") != 0)
			log_at(2, LOG_WARNING, "%s: forward %s: %s",
			    expand->log_id != NULL ? expand->log_id : "NOQUEUE", path, reason);
		if (reason == NULL)
			return false; /* there is one, and it says nothing: V8 looks no further */
	}
	return false;
}

static bool
find_account(const char *user, struct arena *arena, struct alias_user *account)
{
	char *folded = arena_strdup(arena, user);

	text_to_lower(folded);
	return alias_find_user(user, arena, account) || alias_find_user(folded, arena, account);
}

/* True: an alias says who gets it. */
static bool
add_alias(struct expand *expand, struct expanded *entry)
{
	struct alias_result alias;

	if (expand->no_aliasing || !mailer_has(entry->resolved.mailer, 'A'))
		return false;
	alias_lookup(expand->rules->config, entry->resolved.user, expand->rules->arena, &alias);
	if (alias.message != NULL)
		say(expand, EX_SOFTWARE, alias.message);
	if (!alias.found) {
		entry->is_temporary = alias.is_temporary;
		return false;
	}
	entry->state = EXPANDED_REPLACED;
	say(expand, -1,
	    arena_printf(expand->rules->arena, "%s... aliased to %s", entry->address, alias.value));
	add_list(expand, alias.value, entry, NULL);
	return true;
}

/* What a local name stands for. */
static void
follow(struct expand *expand, struct expanded *entry)
{
	struct alias_user *account = ARENA_NEW(expand->rules->arena, struct alias_user);
	bool is_escaped = *entry->resolved.user == '\\';
	struct resolved local;

	if (!is_escaped && add_alias(expand, entry)) {
		if (!entry->is_self)
			return;
		/* named itself: delivered to as well */
		entry->state = EXPANDED_GOOD;
	}
	if (entry->is_temporary)
		return;
	if (!entry->is_self && mailer_has(entry->resolved.mailer, '5') &&
	    resolve_local(expand->rules, &entry->resolved, &local) && !is_same(entry, &local)) {
		entry->resolved = local;
		if (!is_escaped && add_alias(expand, entry))
			return;
	}
	if (!mailer_has(entry->resolved.mailer, 'w'))
		return;
	if (!find_account(entry->resolved.user + is_escaped, expand->rules->arena, account)) {
		refuse(expand, entry, 550, "5.1.1", EX_NOUSER, "User unknown");
		return;
	}
	if (!is_escaped && !entry->is_self && !expand->no_aliasing)
		add_forward(expand, entry, account);
	if (entry->is_self)
		entry->state = EXPANDED_GOOD;
}

static void
add_address(struct expand *expand, const char *address, struct expanded *parent,
    const struct alias_user *control)
{
	struct rule_context *rules = expand->rules;
	struct expanded *entry = ARENA_NEW(rules->arena, struct expanded);

	*entry = (struct expanded){.parent = parent, .address = address, .control = control};
	if (!resolve_address(rules, address, 0, &entry->resolved)) {
		if (entry->resolved.is_deferred || verdict_is_temporary(&entry->resolved.error)) {
			entry->is_temporary = true;
			return;
		}
		entry->state = EXPANDED_BAD;
		entry->verdict = entry->resolved.error;
		if (entry->resolved.error.text != NULL)
			say(expand, entry->resolved.error.exit_status,
			    arena_printf(rules->arena, "%s%s... %s", expand->place, address,
				entry->resolved.error.text));
		return;
	}
	for (struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->state != EXPANDED_BAD && is_same(one, &entry->resolved)) {
			take_known(expand, parent, one, &entry->resolved);
			return;
		}
	}
	if (expand->level > rules->config->options.max_alias_recursion) {
		say(expand, EX_USAGE,
		    arena_printf(rules->arena, "%saliasing/forwarding loop broken", expand->place));
		return;
	}
	insert_by_host(expand, entry);
	if (entry->resolved.mailer == rules->config->include_mailer)
		add_include(expand, entry);
	else if (is_permitted(expand, entry) &&
		 entry->resolved.mailer != rules->config->prog_mailer &&
		 entry->resolved.mailer != rules->config->file_mailer)
		follow(expand, entry);
}

struct items {
	struct arena *arena;
	const char **items;
	size_t count, capacity;
};

static void
take_item(void *context, const char *address)
{
	struct items *items = context;

	if (items->count == LIST_ITEMS_MAXIMUM)
		return;
	if (items->count == items->capacity) {
		size_t grown = items->capacity > 0 ? items->capacity * 2 : 16;

		items->items = arena_grow(items->arena, items->items,
		    items->capacity * sizeof items->items[0], grown * sizeof items->items[0]);
		items->capacity = grown;
	}
	items->items[items->count++] = address;
}

/* V8 works on a list from its end. */
static void
add_list(struct expand *expand, const char *list, struct expanded *parent,
    const struct alias_user *control)
{
	struct items items = {.arena = expand->rules->arena};

	resolve_split_list(list, items.arena, take_item, &items);
	expand->level += parent != NULL;
	while (items.count > 0)
		add_address(expand, items.items[--items.count], parent, control);
	expand->level -= parent != NULL;
}

void
expand_list(struct expand *expand, const char *list)
{
	if (expand->place == NULL)
		expand->place = "";
	add_list(expand, list, NULL, NULL);
}
