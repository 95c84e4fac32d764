#include "route/alias.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"
#include "route/resolve.h"
#include "map/map.h"

/* One part of option AliasFile: `class:flags file` or a bare file. */
static struct map *
declare(struct config *config, const char *name, const char *part, struct arena *arena)
{
	const char *colon = strchr(part, ':'), *class_name = "implicit", *error = NULL;
	struct map *map;

	part += strspn(part, " \t");
	if (colon != NULL && colon > part) {
		char *word = arena_memdup(arena, part, (size_t)(colon - part));

		if (map_class_exists(word)) {
			class_name = word;
			part = colon + 1;
		}
	}
	map = map_declare(config->maps, name, class_name, part, arena, &error);
	if (map != NULL)
		map_mark_alias(map);
	if (error != NULL)
		log_at(0, LOG_ERR, "NOQUEUE: SYSERR: alias file %s: %s", part, error);
	return map;
}

static struct map *
alias_map(struct config *config, size_t index, struct arena *arena)
{
	const char *name = arena_printf(arena, "Alias%zu", index);
	struct map *map = map_find(config->maps, name);

	if (map == NULL)
		map = declare(config, name, config->options.alias_files.items[index], arena);
	return map;
}

void
alias_declare(struct config *config)
{
	for (size_t i = 0; i < config->options.alias_files.count; i++)
		alias_map(config, i, config->arena);
}

static bool
ask_files(struct config *config, const char *key, struct arena *arena, struct alias_result *result)
{
	size_t i;

	for (i = 0; i < config->options.alias_files.count; i++) {
		struct map *map = alias_map(config, i, arena);
		struct map_result answer = {0};

		if (map == NULL)
			continue;
		map_lookup(map, key, NULL, 0, NULL, arena, &answer);
		if (answer.message != NULL)
			result->message = answer.message;
		if (answer.found) {
			result->found = true;
			result->value = answer.value;
			result->name = key;
			return true;
		}
		if (answer.status == EX_TEMPFAIL)
			result->is_temporary = true;
	}
	return false;
}

void
alias_lookup(
    struct config *config, const char *local_part, struct arena *arena, struct alias_result *result)
{
	char *key = arena_strdup(arena, local_part), *plus;

	*result = (struct alias_result){0};
	text_to_lower(key);
	if (*key == '\0' || *key == '\\' || ask_files(config, key, arena, result))
		return;
	plus = strchr(key + 1, '+');
	if (plus == NULL)
		return;
	if (ask_files(config, arena_printf(arena, "%.*s+*", (int)(plus - key), key), arena, result))
		return;
	*plus = '\0';
	ask_files(config, key, arena, result);
}

/* V8: gecos up to the comma, a leading '*' dropped, & is the login name with a capital. */
static const char *
full_name(struct arena *arena, const struct passwd *entry)
{
	struct str name = {0};
	const char *p = entry->pw_gecos != NULL ? entry->pw_gecos : "", *result;

	if (*p == '*')
		p++;
	for (; *p != '\0' && strchr(",;%", *p) == NULL; p++) {
		size_t before = name.length;

		if (*p != '&') {
			str_add_char(&name, *p);
			continue;
		}
		str_add_text(&name, entry->pw_name);
		if (name.length > before && name.data[before] >= 'a' && name.data[before] <= 'z')
			name.data[before] = (char)(name.data[before] - 'a' + 'A');
	}
	result = arena_strdup(arena, str_text(&name));
	str_free(&name);
	return result;
}

static void
fill_account(struct alias_user *account, const struct passwd *entry, struct arena *arena)
{
	*account = (struct alias_user){
	    .login = arena_strdup(arena, entry->pw_name),
	    .full_name = full_name(arena, entry),
	    .home = arena_strdup(arena, entry->pw_dir),
	    .shell = arena_strdup(arena, entry->pw_shell),
	    .uid = entry->pw_uid,
	    .gid = entry->pw_gid,
	};
}

bool
alias_find_full_name(const char *name, struct arena *arena, struct alias_user *account)
{
	char *wanted = token_unquote(arena, name);
	const struct passwd *entry;
	bool found = false;

	for (char *at = wanted; *at != '\0'; at++) {
		if (*at == '_')
			*at = ' ';
	}
	/* V8: one word is no full name */
	if (strchr(wanted, ' ') == NULL)
		return false;
	setpwent();
	while (!found && (entry = getpwent()) != NULL) {
		found = text_equal_nocase(full_name(arena, entry), wanted);
		if (found)
			fill_account(account, entry, arena);
	}
	endpwent();
	return found;
}

/* 1 found, 0 nobody, -1 the service gives no answer. */
static int
find_user(const char *login, struct arena *arena, struct alias_user *account)
{
	struct passwd *entry;

	if (*login == '\0' || strlen(login) > 255 || strchr(login, ':') != NULL)
		return 0;
	errno = 0;
	entry = getpwnam(login);
	if (entry == NULL)
		return errno == EIO || errno == ETIMEDOUT || errno == EAGAIN || errno == EMFILE ||
			       errno == ENFILE || errno == ENOMEM
			   ? -1
			   : 0;
	fill_account(account, entry, arena);
	return 1;
}

bool
alias_find_user(const char *login, struct arena *arena, struct alias_user *account)
{
	return find_user(login, arena, account) > 0;
}

bool
alias_find_account(const char *name, struct arena *arena, struct alias_user *account)
{
	char *folded = arena_strdup(arena, name);

	text_to_lower(folded);
	return alias_find_user(name, arena, account) || alias_find_user(folded, arena, account);
}

/* Set localaddr on a name nobody knew: another local name, another mailer, or nothing. */
static bool
ask_localaddr(struct rule_context *context, const struct mailer **mailer, const char **host,
    const char **user)
{
	struct rule_result result;
	struct rule_triple triple;
	const struct mailer *other;

	if (!mailer_has(*mailer, '5') || !ruleset_is_there(context->config, "localaddr"))
		return false;
	rule_check(context, "localaddr", *user, NULL, &result);
	rule_triple(context, &result.tokens, &triple);
	if (!triple.is_triple || triple.mailer == NULL)
		return false;
	other = config_find_mailer(context->config, triple.mailer);
	if (other == NULL || (other == *mailer && strcmp(triple.user, *user) == 0))
		return false;
	*mailer = other;
	*host = triple.host;
	*user = triple.user;
	return true;
}

enum alias_known
alias_check(struct rule_context *context, const struct mailer *mailer, const char *host,
    const char *user, struct alias_result *alias, struct alias_user *account)
{
	int round;
	bool no_answer = false;

	*alias = (struct alias_result){0};
	*account = (struct alias_user){0};
	for (round = 0; round < LOCALADDR_ROUNDS; round++) {
		bool escaped = *user == '\\';
		char *login;
		int found;

		if (mailer_has(mailer, 'A') && !escaped) {
			alias_lookup(context->config, user, context->arena, alias);
			if (alias->found)
				return ALIAS_KNOWN_ALIAS;
			/* V8: what an alias would say goes before who has a login */
			if (alias->is_temporary)
				return ALIAS_NOT_KNOWN_NOW;
		}
		if (!mailer_has(mailer, 'w'))
			return ALIAS_KNOWN_OTHER;
		login = arena_strdup(context->arena, user + escaped);
		if (!mailer_has(mailer, 'u'))
			text_to_lower(login);
		found = find_user(login, context->arena, account);
		if (found > 0)
			return ALIAS_KNOWN_USER;
		no_answer = no_answer || found < 0;
		if (!ask_localaddr(context, &mailer, &host, &user))
			break;
	}
	if (no_answer)
		return ALIAS_NOT_KNOWN_NOW;
	if (mailer_has(mailer, 'w') && context->config->options.match_gecos &&
	    alias_find_full_name(user, context->arena, account))
		return ALIAS_KNOWN_USER;
	return ALIAS_UNKNOWN;
}
