/* Classes user (the passwd database) and userdb (V8's user database files). */
#include "map_internal.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/str.h"
#include "base/text.h"

static bool
open_user(struct map *map, struct map_call *call)
{
	static const char *const columns[] = {
	    "name", "passwd", "uid", "gid", "gecos", "dir", "shell"};
	const char *column = map->options.value_column;

	if (column == NULL)
		return true;
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		if (text_equal_nocase(column, columns[i]))
			return true;
	}
	return map_open_failed(map, call, "User map %s: unknown column name %s", map->name, column);
}

/* The person's name in a gecos field: up to the first comma, & is the login name with a capital. */
static const char *
full_name(const struct passwd *entry, struct arena *arena)
{
	struct str name = {0};
	const char *copy;

	for (const char *at = entry->pw_gecos; *at != '\0' && strchr(",;%", *at) == NULL; at++) {
		if (*at != '&') {
			str_add_char(&name, *at);
			continue;
		}
		if (text_is_alpha((unsigned char)*entry->pw_name)) {
			char first = *entry->pw_name;

			str_add_char(&name,
			    first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first);
			str_add_text(&name, entry->pw_name + 1);
		} else {
			str_add_text(&name, entry->pw_name);
		}
	}
	copy = arena_strdup(arena, str_text(&name));
	str_free(&name);
	return copy;
}

static const char *
column_value(const char *column, const struct passwd *entry, struct arena *arena)
{
	if (column == NULL || text_equal_nocase(column, "name"))
		return entry->pw_name;
	if (text_equal_nocase(column, "passwd"))
		return entry->pw_passwd;
	if (text_equal_nocase(column, "uid"))
		return arena_printf(arena, "%ld", (long)entry->pw_uid);
	if (text_equal_nocase(column, "gid"))
		return arena_printf(arena, "%ld", (long)entry->pw_gid);
	if (text_equal_nocase(column, "gecos"))
		return full_name(entry, arena);
	if (text_equal_nocase(column, "dir"))
		return entry->pw_dir;
	return entry->pw_shell;
}

static void
lookup_user(struct map *map, struct map_call *call)
{
	struct passwd *entry;
	char *key = arena_strdup(call->arena, call->key);

	text_to_lower(key); /* V8: with -f as well */
	errno = 0;
	entry = getpwnam(key);
	if (entry == NULL) {
		bool is_trouble = errno == EIO || errno == EMFILE || errno == ENFILE ||
				  errno == ENOMEM || errno == EAGAIN || errno == EINTR;

		map_miss(call, is_trouble ? EX_TEMPFAIL : EX_NOUSER);
		return;
	}
	call->key = key; /* V8: -m gives the folded key */
	map_give_literal(map, call, column_value(map->options.value_column, entry, call->arena));
}

const struct map_class map_class_user = {.name = "user",
    .declare = map_declare_plain,
    .open = open_user,
    .lookup = lookup_user,
    .trace_name = "user",
    .rewriting = MAP_REWRITES_PLAINLY};

/* --- userdb: `file` is the field; the databases are those of UserDatabaseSpec */

static void
lookup_userdb(struct map *map, struct map_call *call)
{
	const char *at = call->hooks->user_database, *user = map_fold_key(map, call);
	struct map_call member_call = *call;

	map_miss(call, EX_OK);
	if (at == NULL)
		return;
	member_call.key = arena_printf(call->arena, "%s:%s", user, map->file);
	for (;;) {
		const char *path, *name, *error;
		struct map *member;
		size_t length;

		at += strspn(at, " ,\t");
		length = strcspn(at, " ,\t");
		if (length == 0)
			return;
		path = arena_memdup(call->arena, at, length);
		at += length;
		if (*path == '@') /* forwarding to another host's database: not a file */
			continue;
		name = arena_printf(call->arena, "%s: userdb %s", map->name, path);
		member = map_find(map->set, name);
		if (member == NULL)
			member = map_declare(map->set, name, "btree",
			    arena_printf(call->arena, "-o %s", path), call->arena, &error);
		map_lookup_member(member, &member_call);
		if (call->result->found) {
			map_give(map, call, call->result->value);
			return;
		}
		if (call->result->status != EX_OK)
			return;
	}
}

const struct map_class map_class_userdb = {
    .name = "userdb", .declare = map_declare_file, .lookup = lookup_userdb};
