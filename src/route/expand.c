#include "route/expand.h"

#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"

enum { LIST_ITEMS_MAXIMUM = 100000 };

static void add_list(struct expand *, const char *list, struct expanded *parent);

/* FNV-1a of the name without its case. */
static uint32_t
hash_user(const char *user)
{
	uint32_t hash = 2166136261u;

	for (; *user != '\0'; user++)
		hash = (hash ^ (unsigned char)text_lower((unsigned char)*user)) * 16777619u;
	return hash;
}

static bool
is_same(const struct expanded *one, const struct resolved *other)
{
	bool case_counts = mailer_has(other->mailer, 'u');

	return one->resolved.mailer == other->mailer &&
	       text_equal_nocase(one->resolved.host, other->host) &&
	       (case_counts ? strcmp(one->resolved.user, other->user) == 0
			    : text_equal_nocase(one->resolved.user, other->user));
}

static bool
is_special(const struct config *config, const struct mailer *mailer)
{
	return mailer == config->prog_mailer || mailer == config->file_mailer;
}

size_t
expand_chain(const struct expanded *entry, struct source chain[SOURCES_MAXIMUM])
{
	size_t count = 0;

	for (entry = entry->parent; entry != NULL && count < SOURCES_MAXIMUM;
	     entry = entry->parent) {
		if (entry->source.kind == 0)
			continue;
		memmove(chain + 1, chain, count * sizeof *chain);
		chain[0] = entry->source;
		count++;
		if (entry->source.kind != SOURCE_INCLUDE)
			break;
	}
	return count;
}

const struct expanded *
expand_control(const struct expanded *entry)
{
	while (entry != NULL && entry->account == NULL && entry->source.kind == 0)
		entry = entry->parent;
	return entry;
}

const char *
expand_owner(const struct expanded *entry)
{
	for (entry = entry->parent; entry != NULL; entry = entry->parent) {
		if (entry->owner != NULL)
			return entry->owner;
	}
	return NULL;
}

/* The C line: whose ids count, and the address that it comes from. */
static void
fill_control(const struct expand *expand, const struct expanded *entry, struct recipient *recipient)
{
	const struct expanded *control = expand_control(entry);
	struct arena *arena = expand->rules->arena;

	if (entry->parent == NULL && !entry->is_local_rule)
		return;
	recipient->control_alias = entry->parent != NULL ? entry->parent->address : entry->address;
	recipient->control_user = "";
	if (control == NULL)
		return;
	recipient->has_control_ids = true;
	if (control->account != NULL) {
		recipient->control_user = control->account->login;
		recipient->control_uid = control->account->uid;
		recipient->control_gid = control->account->gid;
	} else if (control->source.kind == SOURCE_ALIAS) {
		recipient->control_user = arena_strdup(arena, control->resolved.user);
		recipient->control_uid = control->control.uid;
		recipient->control_gid = control->control.gid;
	} else { /* V8: a list is no user */
		recipient->has_control_ids = false;
	}
}

void
expand_fill(const struct expand *expand, const struct expanded *entry, struct recipient *recipient)
{
	struct arena *arena = expand->rules->arena;
	struct source *chain = ARENA_ARRAY(arena, struct source, SOURCES_MAXIMUM);
	const struct expanded *top = entry;

	while (top->parent != NULL)
		top = top->parent;
	recipient->address = entry->address;
	recipient->mailer = entry->resolved.mailer;
	recipient->host = entry->resolved.host != NULL ? entry->resolved.host : "";
	recipient->user = entry->resolved.user;
	recipient->alias_of = top != entry ? top->address : NULL;
	recipient->verdict = entry->verdict;
	recipient->owner = expand_owner(entry);
	recipient->chain = chain;
	recipient->chain_count = expand_chain(entry, chain);
	if (entry->parent != NULL)
		recipient->flags &= ~(unsigned)RECIPIENT_PRIMARY;
	/* one that names itself keeps the mark as well: it must not be followed once more */
	if ((entry->parent != NULL && entry->parent->source.kind == SOURCE_ALIAS) || entry->is_self)
		recipient->flags |= RECIPIENT_ALIAS;
	fill_control(expand, entry, recipient);
	if (entry->is_self && entry->parent == NULL && recipient->control_alias == NULL) {
		recipient->control_user = "";
		recipient->control_alias = entry->address;
		if (entry->account != NULL) {
			recipient->control_user = entry->account->login;
			recipient->control_uid = entry->account->uid;
			recipient->control_gid = entry->account->gid;
			recipient->has_control_ids = true;
		}
	}
}

/* V8: the same program is another one when it is run for another user. */
static bool
is_run_for_same(
    const struct expand *expand, const struct expanded *one, const struct expanded *parent)
{
	const struct expanded *left, *right;

	if (!is_special(expand->rules->config, one->resolved.mailer))
		return true;
	left = expand_control(one->parent);
	right = expand_control(parent);
	return left == right ||
	       (left != NULL && right != NULL && left->control.uid == right->control.uid);
}

static void
insert_by_host(struct expand *expand, struct expanded *entry)
{
	struct expanded **link = &expand->first;

	while (*link != NULL &&
	       ((*link)->resolved.mailer == NULL || entry->resolved.mailer == NULL ||
		   text_compare_nocase((*link)->resolved.host, entry->resolved.host) <= 0))
		link = &(*link)->next;
	entry->next = *link;
	*link = entry;
}

static void
say(struct expand *expand, int exit_status, const char *text)
{
	expand->say(expand->context,
	    arena_printf(expand->rules->arena, "%s%s", expand->place, text), exit_status);
}

static void
refuse(struct expand *expand, struct expanded *entry, int code, const char *dsn, int exit_status,
    const char *text)
{
	struct arena *arena = expand->rules->arena;

	entry->state = EXPANDED_BAD;
	entry->verdict = verdict_make(arena, code, dsn, exit_status, "%s", text);
	say(expand, exit_status, arena_printf(arena, "%s... %s", entry->address, text));
	if (expand->refused != NULL)
		expand->refused(expand->context, entry);
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
	/* V8: a user whose .forward began the circle gets it as well */
	if (ancestor->source.kind == SOURCE_FORWARD) {
		ancestor->is_self = true;
		ancestor->state = EXPANDED_GOOD;
	}
	for (struct expanded *one = parent; one != NULL;
	     one = one == ancestor ? NULL : one->parent) {
		if (alias_find_user(one->resolved.user, expand->rules->arena, &account)) {
			one->is_self = true;
			one->state = EXPANDED_GOOD;
			return;
		}
	}
	expand->has_loop = true;
}

/* Programs and files are named by aliases, or by users who could run them themselves. */
static bool
is_permitted(struct expand *expand, struct expanded *entry)
{
	const struct config *config = expand->rules->config;
	struct arena *arena = expand->rules->arena;
	const char *what = entry->resolved.mailer == config->prog_mailer ? "programs" : "files";
	const struct source_owner *control;

	if (!is_special(config, entry->resolved.mailer))
		return true;
	if (entry->parent == NULL) {
		refuse(expand, entry, 550, "5.7.1", EX_USAGE,
		    arena_printf(arena, "Cannot mail directly to %s", what));
		return false;
	}
	control = &entry->parent->control;
	if (control->name == NULL)
		refuse(expand, entry, 550, "5.7.1", EX_USAGE,
		    arena_printf(arena, "UID %ld is an unknown user: cannot mail to %s",
			(long)control->uid, what));
	else if (control->has_bad_shell)
		refuse(expand, entry, 550, "5.7.1", EX_USAGE,
		    arena_printf(arena, "User %s@%s doesn't have a valid shell for mailing to %s",
			control->name, config_macro(config, expand->rules->macros, "j"), what));
	else if (control->is_unsafe)
		refuse(expand, entry, 550, "5.7.1", EX_USAGE,
		    arena_printf(arena, "Address %s is unsafe for mailing to %s",
			entry->parent->address, what));
	return entry->state != EXPANDED_BAD;
}

/* The lines of a file, each a list of its own. */
static void
add_lines(struct expand *expand, struct expanded *entry, const struct source_text *file)
{
	const char *outer = expand->place;
	const char *verb = entry->source.kind == SOURCE_FORWARD ? "forwarding" : "sending";
	unsigned long number = 0;
	char *next;

	entry->state = EXPANDED_REPLACED;
	entry->control = file->owner;
	for (char *line = file->text; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		number++;
		text_trim_end(line);
		if (*line == '\0' || *line == '#')
			continue;
		expand->place =
		    arena_printf(expand->rules->arena, "%s: line %lu: ", file->path, number);
		say(expand, -1, arena_printf(expand->rules->arena, "%s to %s", verb, line));
		add_list(expand, line, entry);
	}
	expand->place = outer;
}

/* What the source of this entry says. */
static bool
read_source(struct expand *expand, const struct expanded *entry, struct source_text *text)
{
	struct source chain[SOURCES_MAXIMUM + 1];
	size_t count = entry->source.kind == SOURCE_INCLUDE ? expand_chain(entry, chain) : 0;

	chain[count++] = entry->source;
	if (expand->read != NULL)
		return expand->read(expand->read_context, chain, count, expand->rules->arena, text);
	return source_read(expand->rules->config, chain, count, expand->rules->arena, text);
}

static void
add_include(struct expand *expand, struct expanded *entry)
{
	struct arena *arena = expand->rules->arena;
	const char *file = source_include_path(entry->resolved.user);
	struct source_text text;

	if (file == NULL)
		file = entry->resolved.user;
	if (entry->parent == NULL) {
		refuse(expand, entry, 550, "5.7.1", EX_USAGE, "Cannot mail directly to :include:s");
		return;
	}
	say(expand, -1, arena_printf(arena, "%s... including file %s", entry->address, file));
	entry->source = (struct source){.kind = SOURCE_INCLUDE, .name = file, .detail = ""};
	if (read_source(expand, entry, &text)) {
		add_lines(expand, entry, &text);
		return;
	}
	entry->source.kind = 0;
	entry->is_temporary = text.is_temporary;
	if (!text.is_temporary)
		refuse(expand, entry, 550, "5.2.4", EX_USAGE,
		    arena_printf(arena, "Cannot open %s: %s", file, text.reason));
}

/* What is wrong with .forward files: their users are to hear of it from whoever reads the log. */
static void
tell_complaints(struct expand *expand, const struct expanded *entry, const char *complaints)
{
	struct arena *arena = expand->rules->arena;
	char *copy = arena_strdup(arena, complaints), *position;

	for (char *line = copy != NULL ? strtok_r(copy, "\n", &position) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &position)) {
		say(expand, -1, arena_printf(arena, "%s... forward: %s", entry->address, line));
		log_at(2, LOG_WARNING, "%s: forward %s",
		    expand->log_id != NULL ? expand->log_id : "NOQUEUE", line);
	}
}

/* The user's .forward may say who gets it. */
static void
add_forward(struct expand *expand, struct expanded *entry)
{
	struct source_text text;

	entry->source = (struct source){
	    .kind = SOURCE_FORWARD, .name = entry->account->login, .detail = entry->resolved.host};
	if (read_source(expand, entry, &text)) {
		add_lines(expand, entry, &text);
		return;
	}
	entry->source.kind = 0;
	entry->is_temporary = text.is_temporary;
	tell_complaints(expand, entry, text.complaints);
}

/* V8: who gets what cannot be delivered to a list: owner-LIST, where there is one. */
static const char *
find_owner(struct expand *expand, const char *name)
{
	static const char request[] = "-request";
	struct arena *arena = expand->rules->arena;
	struct alias_result alias;
	size_t length = strlen(name);
	bool is_owner = text_starts_nocase(name, "owner-") ||
			(length > sizeof request - 1 &&
			    text_equal_nocase(name + length - (sizeof request - 1), request));
	const char *key = arena_printf(arena, "owner-%s", is_owner ? "owner" : name);

	alias_lookup(expand->rules->config, key, arena, &alias);
	if (!alias.found)
		return NULL;
	/* several, or none that could be a sender: the list of owners itself is it */
	return strpbrk(alias.value, ",:/|\"") != NULL ? key : alias.value;
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
	entry->source = (struct source){.kind = SOURCE_ALIAS, .name = alias.name, .detail = ""};
	entry->control = (struct source_owner){
	    .login = "", .name = "", .uid = expand->rules->config->options.default_uid};
	entry->owner = find_owner(expand, entry->resolved.user);
	say(expand, -1,
	    arena_printf(expand->rules->arena, "%s... aliased to %s", entry->address, alias.value));
	add_list(expand, alias.value, entry);
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
	/* set localaddr works step by step (user+detail, user+*, user) until it has no more to say */
	for (int round = 0;
	     round < LOCALADDR_ROUNDS && !entry->is_self &&
	     mailer_has(entry->resolved.mailer, '5') &&
	     resolve_local(expand->rules, &entry->resolved, &local) && !is_same(entry, &local);
	     round++) {
		entry->resolved = local;
		entry->hash = hash_user(local.user);
		entry->is_local_rule = true;
		if (!is_escaped && add_alias(expand, entry))
			return;
		if (entry->is_temporary)
			return;
	}
	if (!mailer_has(entry->resolved.mailer, 'w'))
		return;
	if (!alias_find_account(entry->resolved.user + is_escaped, expand->rules->arena, account)) {
		if (!expand->rules->config->options.match_gecos ||
		    !alias_find_full_name(
			entry->resolved.user + is_escaped, expand->rules->arena, account)) {
			refuse(expand, entry, 550, "5.1.1", EX_NOUSER, "User unknown");
			return;
		}
		entry->resolved.user = account->login;
		entry->hash = hash_user(account->login);
	}
	entry->account = account;
	if (!is_escaped && !entry->is_self && !expand->no_aliasing)
		add_forward(expand, entry);
	if (entry->is_self)
		entry->state = EXPANDED_GOOD;
}

static struct expanded *
find_known(
    const struct expand *expand, const struct resolved *resolved, const struct expanded *parent)
{
	uint32_t hash = hash_user(resolved->user);

	for (struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->hash == hash && one->state != EXPANDED_BAD && is_same(one, resolved) &&
		    is_run_for_same(expand, one, parent))
			return one;
	}
	return NULL;
}

static void
take_unresolved(struct expand *expand, struct expanded *entry)
{
	const struct verdict *error = &entry->resolved.error;

	if (entry->resolved.is_deferred || verdict_is_temporary(error)) {
		entry->is_temporary = true;
		return;
	}
	entry->state = EXPANDED_BAD;
	entry->verdict = *error;
	if (error->text != NULL)
		say(expand, error->exit_status,
		    arena_printf(expand->rules->arena, "%s... %s", entry->address, error->text));
	if (expand->refused != NULL)
		expand->refused(expand->context, entry);
}

/* An address so many aliases away is not even looked at. */
static void
break_off(struct expand *expand, struct expanded *entry, const char *why)
{
	entry->resolved.host = entry->resolved.user = "";
	entry->state = EXPANDED_BAD;
	entry->verdict = verdict_make(expand->rules->arena, 554, "5.4.6", EX_USAGE, "%s", why);
	insert_by_host(expand, entry);
	expand->has_reached = true;
	say(expand, EX_USAGE, why);
	if (expand->refused != NULL)
		expand->refused(expand->context, entry);
}

/* `resolved` NULL: that is still to be found out. */
static void
add_address(struct expand *expand, const char *address, struct expanded *parent,
    const struct resolved *resolved)
{
	struct rule_context *rules = expand->rules;
	int maximum = rules->config->options.max_alias_recursion;
	struct expanded *entry = ARENA_NEW(rules->arena, struct expanded), *known;

	*entry = (struct expanded){.parent = parent, .address = address, .given = expand->given};
	if (expand->level > maximum) {
		break_off(expand, entry,
		    arena_printf(rules->arena,
			"aliasing/forwarding loop broken (%d aliases deep; %d max)", expand->level,
			maximum));
		return;
	}
	if (resolved != NULL) {
		entry->resolved = *resolved;
	} else if (!resolve_address(rules, address, 0, &entry->resolved)) {
		take_unresolved(expand, entry);
		return;
	}
	if (parent != NULL && expand->sender != NULL && is_same(entry, expand->sender)) {
		expand->has_reached = true;
		return;
	}
	known = find_known(expand, &entry->resolved, parent);
	if (known != NULL) {
		if (find_ancestor(parent, &entry->resolved) == NULL) {
			say(expand, -1,
			    arena_printf(rules->arena, "%s... duplicate suppressed", address));
			expand->has_reached = true;
		}
		take_known(expand, parent, known, &entry->resolved);
		return;
	}
	entry->hash = hash_user(entry->resolved.user);
	insert_by_host(expand, entry);
	if (entry->resolved.mailer == rules->config->include_mailer)
		add_include(expand, entry);
	else if (is_permitted(expand, entry) && !is_special(rules->config, entry->resolved.mailer))
		follow(expand, entry);
	expand->has_reached = expand->has_reached || entry->state != EXPANDED_REPLACED;
}

/* An address that was given.  V8 calls it a loop when it led to nobody at all. */
static void
add_given(struct expand *expand, const char *address, const struct resolved *resolved)
{
	expand->given++;
	expand->has_loop = expand->has_reached = false;
	add_address(expand, address, NULL, resolved);
	if (expand->has_loop && !expand->has_reached)
		say(expand, EX_USAGE, "aliasing/forwarding loop broken");
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
add_list(struct expand *expand, const char *list, struct expanded *parent)
{
	struct items items = {.arena = expand->rules->arena};

	resolve_split_list(list, items.arena, take_item, &items);
	expand->level += parent != NULL;
	while (items.count > 0 && parent == NULL)
		add_given(expand, items.items[--items.count], NULL);
	while (items.count > 0)
		add_address(expand, items.items[--items.count], parent, NULL);
	expand->level -= parent != NULL;
}

const struct resolved *
expand_sender(struct rule_context *rules, const char *sender)
{
	struct resolved *resolved = ARENA_NEW(rules->arena, struct resolved);

	if (rules->config->options.me_too || sender == NULL ||
	    !resolve_address(rules, sender, RESOLVE_SENDER, resolved) || *resolved->user == '\0')
		return NULL;
	return resolved;
}

void
expand_resolved(struct expand *expand, const char *address, const struct resolved *resolved)
{
	if (expand->place == NULL)
		expand->place = "";
	add_given(expand, address, resolved);
}

void
expand_list(struct expand *expand, const char *list)
{
	if (expand->place == NULL)
		expand->place = "";
	add_list(expand, list, NULL);
}
