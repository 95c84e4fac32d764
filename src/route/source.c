#include "route/source.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/text.h"
#include "list_file.h"
#include "mail/token.h"
#include "route/alias.h"
#include "route/resolve.h"

struct looking {
	const char *item; /* as it is written, or */
	const char *path; /* of a list, however its item is written */
	bool found;
};

static void
look(void *context, const char *address)
{
	struct looking *looking = context;
	const char *path;
	size_t length;

	if (looking->item != NULL) {
		looking->found = looking->found || strcmp(address, looking->item) == 0;
		return;
	}
	path = source_include_path(address + (*address == '"'));
	length = strlen(looking->path);
	looking->found =
	    looking->found || (path != NULL && strncmp(path, looking->path, length) == 0 &&
				  strcmp(path + length, *address == '"' ? "\"" : "") == 0);
}

/* An alias's value is one list; of a file each line is one. */
static bool
look_through(const char *text, struct looking *looking, struct arena *arena)
{
	while (*text != '\0' && !looking->found) {
		size_t length = strcspn(text, "\n");
		char *line = arena_memdup(arena, text, length);

		text_trim_end(line);
		if (*line != '#')
			resolve_split_list(line, arena, look, looking);
		text += length;
		text += *text == '\n';
	}
	return looking->found;
}

bool
source_names(const char *text, const char *item, struct arena *arena)
{
	struct looking looking = {.item = item};

	return look_through(text, &looking, arena);
}

const char *
source_include_path(const char *item)
{
	if (!text_starts_nocase(item, ":include:"))
		return NULL;
	return text_skip_space(item + strlen(":include:"));
}

const char *
source_target(const struct config *config, const char *item, struct arena *arena)
{
	struct token_request request = {.is_operator = config->is_operator};
	char blank = config->options.blank_sub != '\0' ? config->options.blank_sub : ' ';
	const char *target, *end;
	struct tokens tokens;

	if (!token_scan(item, &request, arena, &tokens, &end) || *end != '\0')
		return NULL;
	target = token_unquote(arena, token_join_text(tokens.items, tokens.count, blank, arena));
	return *target == '|' || *target == '/' ? target : NULL;
}

const char *
source_print(const struct source *source, struct arena *arena)
{
	return arena_printf(arena, "%c%s\n%s", source->kind, source->name,
	    source->detail != NULL ? source->detail : "");
}

bool
source_parse(const char *text, struct source *source, struct arena *arena)
{
	const char *end = strchr(text, '\n');

	if (end == NULL || end == text + 1 || strchr(end + 1, '\n') != NULL ||
	    (text[0] != SOURCE_ALIAS && text[0] != SOURCE_FORWARD && text[0] != SOURCE_INCLUDE))
		return false;
	source->kind = (enum source_kind)text[0];
	source->name = arena_memdup(arena, text + 1, (size_t)(end - text - 1));
	source->detail = arena_strdup(arena, end + 1);
	return true;
}

static bool
read_alias(struct config *config, const struct source *source, struct arena *arena,
    struct source_text *out)
{
	struct alias_result alias;

	alias_lookup(config, source->name, arena, &alias);
	if (!alias.found) {
		out->is_temporary = alias.is_temporary;
		out->reason =
		    alias.is_temporary ? "Alias file gives no answer now" : "No such alias";
		return false;
	}
	out->text = arena_strdup(arena, alias.value);
	/* V8 shows group 0 and means the default user's */
	out->owner =
	    (struct source_owner){.login = "", .name = "", .uid = config->options.default_uid};
	return true;
}

/* The paths of ForwardPath for this user, with colons. */
static char *
forward_paths(
    struct config *config, const struct alias_user *user, const char *detail, struct arena *arena)
{
	struct macro_env *macros = macro_env_create(config->macros);
	char *paths;

	config_set_macro(config, macros, "z", user->home);
	config_set_macro(config, macros, "u", user->login);
	/* a detail is the sender's to choose: it must not lead to another directory */
	config_set_macro(config, macros, "h", strchr(detail, '/') == NULL ? detail : "");
	paths =
	    arena_strdup(arena, config_expand(config, macros, config->options.forward_path, arena));
	macro_env_destroy(macros);
	return paths;
}

static void
complain(struct source_text *out, const char *path, const char *reason, struct arena *arena)
{
	out->complaints =
	    arena_printf(arena, "%s%s%s: %s", out->complaints != NULL ? out->complaints : "",
		out->complaints != NULL ? "\n" : "", path, reason);
}

/* These say nothing about the file, only that it cannot be looked at now. */
static bool
is_passing(const char *reason)
{
	static const int errors[] = {ETIMEDOUT, EIO, EAGAIN, EMFILE, ENFILE, ENOMEM, ESTALE};

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		if (strcmp(reason, strerror(errors[i])) == 0)
			return true;
	}
	return false;
}

static bool
read_forward(struct config *config, const struct source *source, struct arena *arena,
    struct source_text *out)
{
	struct alias_user user;
	struct list_reader reader;
	char *paths, *position;

	if (config->options.forward_path == NULL || config->options.forward_path[0] == '\0' ||
	    !alias_find_user(source->name, arena, &user))
		return false;
	reader = (struct list_reader){.login = user.login, .uid = user.uid, .gid = user.gid};
	paths = forward_paths(config, &user, source->detail, arena);
	for (char *path = strtok_r(paths, ":", &position); path != NULL;
	     path = strtok_r(NULL, ":", &position)) {
		struct list_file file;
		const char *reason =
		    list_file_read(path, SAFEFILE_FORWARD, &reader, config, arena, &file);

		if (reason == NULL && !list_file_has_address(file.text))
			return false; /* there is one, and it says nothing: V8 looks no further */
		if (reason == NULL) {
			out->text = file.text;
			out->path = path;
			out->owner = (struct source_owner){.login = user.login,
			    .uid = user.uid,
			    .gid = user.gid,
			    .name = user.login,
			    .is_unsafe = file.is_unsafe,
			    .has_bad_shell = !list_file_shell_is_good(user.shell)};
			return true;
		}
		out->is_temporary = out->is_temporary || is_passing(reason);
		if (strcmp(reason, "No such file or directory") != 0)
			complain(out, path, reason, arena);
	}
	return false;
}

/* In a .forward a list stays its user's; elsewhere it is for whoever owns the file. */
static struct source_owner
include_owner(const struct source_owner *outer, const struct list_file *file, struct arena *arena)
{
	struct source_owner owner = *outer;
	const struct passwd *user;

	owner.is_unsafe = outer->is_unsafe || file->is_unsafe;
	if (outer->login[0] != '\0' || file->may_be_gift)
		return owner;
	user = getpwuid(file->uid);
	owner.uid = file->uid;
	owner.gid = 0;
	owner.name = user != NULL ? arena_strdup(arena, user->pw_name) : NULL;
	owner.has_bad_shell = user != NULL && !list_file_shell_is_good(user->pw_shell);
	return owner;
}

static bool
read_include(struct config *config, const struct source *source, const struct source_text *outer,
    struct arena *arena, struct source_text *out)
{
	struct list_reader reader = {
	    .login = outer->owner.login[0] != '\0' ? outer->owner.login : NULL,
	    .uid = outer->owner.uid,
	    .gid = outer->owner.gid};
	struct list_file file;

	/* V8: what an alias names is read as the default user, who is to see no secrets */
	if (reader.login == NULL) {
		reader.uid = config->options.default_uid;
		reader.gid = config->options.default_gid;
	}
	out->path = source->name;
	out->reason = list_file_read(source->name, SAFEFILE_INCLUDE, &reader, config, arena, &file);
	if (out->reason != NULL) {
		out->is_temporary = is_passing(out->reason);
		return false;
	}
	out->text = file.text;
	out->owner = include_owner(&outer->owner, &file, arena);
	return true;
}

/* Is this list one that the text before it names? */
static bool
is_named(const char *text, const char *path, struct arena *arena)
{
	struct looking looking = {.path = path};

	return look_through(text, &looking, arena);
}

bool
source_read(struct config *config, const struct source *chain, size_t count, struct arena *arena,
    struct source_text *out)
{
	struct source_text outer = {0};

	*out = (struct source_text){0};
	for (size_t i = 0; i < count; i++) {
		const struct source *source = &chain[i];
		bool is_first = i == 0;

		outer = *out;
		*out = (struct source_text){0};
		if (is_first != (source->kind != SOURCE_INCLUDE)) {
			out->reason = "Not an alias or .forward";
			return false;
		}
		if (source->kind == SOURCE_INCLUDE && !is_named(outer.text, source->name, arena)) {
			out->reason = "Not named there";
			return false;
		}
		if (source->kind == SOURCE_ALIAS ? !read_alias(config, source, arena, out)
		    : source->kind == SOURCE_FORWARD
			? !read_forward(config, source, arena, out)
			: !read_include(config, source, &outer, arena, out))
			return false;
	}
	return out->text != NULL;
}

static void
put_field(struct str *out, char mark, const char *text)
{
	str_add_char(out, mark);
	if (text != NULL)
		str_add_text(out, text);
	str_add_char(out, '\0');
}

/* Fields that end in a NUL each; a text that is not there is '-', one that is '+' and the text. */
static void
put_text(struct str *out, const char *text)
{
	put_field(out, text != NULL ? '+' : '-', text);
}

void
source_put_answer(struct str *out, const struct source_text *text)
{
	const struct source_owner *owner = &text->owner;
	char numbers[64];

	snprintf(numbers, sizeof numbers, "%lu %lu %d %d %d", (unsigned long)owner->uid,
	    (unsigned long)owner->gid, owner->is_unsafe, owner->has_bad_shell, text->is_temporary);
	put_text(out, numbers);
	put_text(out, text->path);
	put_text(out, owner->login);
	put_text(out, owner->name);
	put_text(out, text->reason);
	put_text(out, text->complaints);
	put_text(out, text->text);
}

bool
source_take_answer(const struct str *answer, struct arena *arena, struct source_text *out)
{
	enum { ANSWER_FIELDS = 7 };
	char *fields[ANSWER_FIELDS];
	const char *at = answer->data, *end = at + answer->length;
	unsigned long uid, gid;
	int is_unsafe, has_bad_shell, is_temporary;

	for (size_t i = 0; i < ANSWER_FIELDS; i++) {
		const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

		if (nul == NULL || nul == at)
			return false;
		fields[i] = *at == '+' ? arena_memdup(arena, at + 1, (size_t)(nul - at - 1)) : NULL;
		at = nul + 1;
	}
	if (fields[0] == NULL || sscanf(fields[0], "%lu %lu %d %d %d", &uid, &gid, &is_unsafe,
				     &has_bad_shell, &is_temporary) != 5)
		return false;
	*out = (struct source_text){.text = fields[6],
	    .path = fields[1],
	    .reason = fields[4],
	    .is_temporary = is_temporary != 0,
	    .complaints = fields[5],
	    .owner = {.login = fields[2] != NULL ? fields[2] : "",
		.uid = (uid_t)uid,
		.gid = (gid_t)gid,
		.is_unsafe = is_unsafe != 0,
		.has_bad_shell = has_bad_shell != 0,
		.name = fields[3]}};
	return true;
}
