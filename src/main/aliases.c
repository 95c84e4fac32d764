/* newaliases, -bi: the databases of the alias files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "conf/safefile.h"
#include "main/main.h"
#include "map/alias.h"
#include "map/build.h"
#include "route/resolve.h"

enum { DATABASE_MODE = 0640, MESSAGES_MAXIMUM = 1000 };

struct rebuild {
	struct main_context *context;
	struct rule_context rules;
	struct arena *arena;
	const char *place;   /* "FILE: line N: ", for what the address parser finds */
	const char **errors; /* for the log, which has the rebuilding first */
	size_t error_count;
	int exit_status; /* of the first error */
};

static void
tell(const char *text)
{
	printf("%s\n", text); /* V8: `newaliases >/dev/null` is silent */
}

static void
note_status(struct rebuild *rebuild, int status)
{
	if (rebuild->exit_status == EX_OK)
		rebuild->exit_status = status;
}

static void
say(void *context, const char *message, bool is_error)
{
	struct rebuild *rebuild = context;

	tell(message);
	if (!is_error)
		return;
	note_status(rebuild, EX_SOFTWARE);
	if (rebuild->error_count < MESSAGES_MAXIMUM)
		rebuild->errors[rebuild->error_count++] = arena_strdup(rebuild->arena, message);
}

/* What the rules have to say about a name. */
static void
report(void *context, const char *message, int exit_status)
{
	struct rebuild *rebuild = context;

	printf("%s%s\n", rebuild->place != NULL ? rebuild->place : "", message);
	if (exit_status != EX_OK)
		note_status(rebuild, exit_status);
}

static void
remember_place(void *context, const char *place)
{
	struct rebuild *rebuild = context;

	rebuild->place = arena_strdup(rebuild->arena, place);
}

/* Option CheckAliases: what is wrong with an address on the right side is told; it is kept. */
static void
check_address(void *context, const char *address)
{
	struct rebuild *rebuild = context;
	struct resolved resolved;

	resolve_address(&rebuild->rules, address, 0, &resolved);
}

static void
check_value(void *context, const char *value)
{
	struct rebuild *rebuild = context;

	resolve_split_list(value, rebuild->arena, check_address, rebuild);
}

static void
log_rebuild(struct rebuild *rebuild, const char *file, const char *totals)
{
	const char *caller = rebuild->context->caller_name;

	log_at(8, LOG_NOTICE, "alias database %s rebuilt by %s", file, caller);
	for (size_t i = 0; i < rebuild->error_count; i++)
		log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(%s): %s", caller, rebuild->errors[i]);
	log_at(8, LOG_INFO, "%s", totals);
	rebuild->error_count = 0;
}

static void
rebuild_file(struct rebuild *rebuild, const char *file, enum map_build_type type, bool is_optional)
{
	const struct options *options = &rebuild->context->config->options;
	struct alias_reader reader = {.file = file,
	    .check_name = resolve_alias_name,
	    .check_context = &rebuild->rules,
	    .check_value = options->check_aliases ? check_value : NULL,
	    .before_check = remember_place,
	    .say = say,
	    .context = rebuild};
	struct map_build_request request = {.path = arena_printf(rebuild->arena, "%s.db", file),
	    .type = type,
	    .mode = DATABASE_MODE,
	    .sets_owner = geteuid() == 0 && options->trusted_uid != 0,
	    .owner = options->trusted_uid};
	struct alias_totals totals;
	const char *unsafe = safefile_check_kind(file, SAFEFILE_ALIAS, options), *described;
	int error;

	if (unsafe != NULL) {
		if (!is_optional || access(file, F_OK) == 0)
			tell(arena_printf(
			    rebuild->arena, "newaliases: cannot open %s: %s", file, unsafe));
		return;
	}
	error = alias_build(&reader, &request, &totals);
	if (error == EWOULDBLOCK) {
		tell(arena_printf(
		    rebuild->arena, "Alias file %s is locked (maybe being rebuilt)", file));
		return;
	}
	if (error != 0) {
		main_report_error(rebuild->context, "Cannot create database for alias file %s: %s",
		    file, map_build_strerror(error));
		note_status(rebuild, error == ENOSPC || error == EIO ? EX_TEMPFAIL : EX_CANTCREAT);
		return;
	}
	described = alias_describe_totals(file, &totals, rebuild->arena);
	tell(described);
	log_rebuild(rebuild, file, described);
}

/* One part of option AliasFile: "[class:][-options ]file".  Only what has a database is rebuilt. */
static void
rebuild_part(struct rebuild *rebuild, const char *part)
{
	char *file = arena_strdup(rebuild->arena, text_skip_space(part)),
	     *colon = strchr(file, ':');
	const char *class_name = "implicit";
	bool is_optional = false;

	if (colon != NULL && memchr(file, '/', (size_t)(colon - file)) == NULL) {
		*colon = '\0';
		class_name = file;
		file = colon + 1;
	}
	for (file = text_skip_space(file); *file == '-'; file = text_skip_space(file)) {
		is_optional = is_optional || file[1] == 'o';
		file += strcspn(file, " \t");
	}
	text_trim_end(file);
	if (*file == '\0')
		return;
	if (text_equal_nocase(class_name, "implicit") || text_equal_nocase(class_name, "hash"))
		rebuild_file(rebuild, file, MAP_BUILD_HASH, is_optional);
	else if (text_equal_nocase(class_name, "btree"))
		rebuild_file(rebuild, file, MAP_BUILD_BTREE, is_optional);
}

int
main_aliases(struct main_context *context)
{
	const struct options *options = &context->config->options;
	struct rebuild rebuild = {.context = context, .arena = arena_create()};

	rebuild.errors = ARENA_ARRAY(rebuild.arena, const char *, MESSAGES_MAXIMUM);
	rebuild.rules = (struct rule_context){.config = context->config,
	    .macros = context->config->macros,
	    .arena = rebuild.arena,
	    .report = report,
	    .report_context = &rebuild};
	for (size_t i = 0; i < options->alias_files.count; i++)
		rebuild_part(&rebuild, options->alias_files.items[i]);
	arena_destroy(rebuild.arena);
	return rebuild.exit_status;
}
