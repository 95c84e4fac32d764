#include "map_tool.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"

/* "O NAME = value" or "Ox value": the value in place; NULL: another line. */
static char *
option_value(char *line, const char *name, char letter)
{
	char *at = line + 1;

	if (*line != 'O')
		return NULL;
	if (*at == letter && letter != '\0')
		return text_skip_space(at + 1);
	if (*at != ' ')
		return NULL;
	at = text_skip_space(at);
	if (!text_starts_nocase(at, name))
		return NULL;
	at = text_skip_space(at + strlen(name));
	return *at == '=' ? text_skip_space(at + 1) : NULL;
}

static void
take_trusted_user(struct map_tool *tool, const char *name)
{
	const struct passwd *entry;
	long number;

	if (text_to_number(name, 0, INT_MAX, &number)) {
		tool->trusted_uid = (uid_t)number;
		return;
	}
	entry = getpwnam(name);
	if (entry == NULL)
		fprintf(stderr, "TrustedUser: unknown user %s\n", name);
	else
		tool->trusted_uid = entry->pw_uid;
}

/* "Mname, P=...": V8's numbers, in order of appearance behind the three that are always there. */
static void
take_mailer(struct map_tool *tool, char *line)
{
	static const char *const given[] = {"prog", "*file*", "*include*"};
	char *end = line + 1 + strcspn(line + 1, ", \t");

	if (tool->mailer_count == 0) {
		for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
			tool->mailers[tool->mailer_count++] = given[i];
	}
	*end = '\0';
	for (int i = 0; i < tool->mailer_count; i++) {
		if (strcmp(tool->mailers[i], line + 1) == 0)
			return;
	}
	if (tool->mailer_count < MAP_TOOL_MAILERS)
		tool->mailers[tool->mailer_count++] = arena_strdup(tool->arena, line + 1);
}

int
map_tool_read_cf(struct map_tool *tool, const char *cf, bool is_needed)
{
	FILE *file = fopen(cf, "r");
	char *line = NULL, *value;
	size_t size = 0;

	if (file == NULL) {
		if (!is_needed)
			return EX_OK;
		fprintf(stderr, "%s: %s: %s\n", tool->program, cf, strerror(errno));
		return EX_NOINPUT;
	}
	while (getline(&line, &size, file) >= 0) {
		text_trim_end(line);
		if ((value = option_value(line, "TrustedUser", '\0')) != NULL)
			take_trusted_user(tool, value);
		else if (*line == 'M')
			take_mailer(tool, line);
		else if ((value = option_value(line, "StatusFile", 'S')) != NULL)
			tool->status_file = arena_strdup(tool->arena, value);
		else if ((value = option_value(line, "AliasFile", 'A')) != NULL)
			tool->alias_files =
			    tool->alias_files == NULL
				? arena_strdup(tool->arena, value)
				: arena_printf(tool->arena, "%s,%s", tool->alias_files, value);
	}
	free(line);
	fclose(file);
	return EX_OK;
}

bool
map_tool_type(const char *name, enum map_build_type *type)
{
	*type = strcmp(name, "btree") == 0 ? MAP_BUILD_BTREE : MAP_BUILD_HASH;
	return strcmp(name, "btree") == 0 || strcmp(name, "hash") == 0 ||
	       strcmp(name, "implicit") == 0;
}

const char *
map_tool_type_in_cf(struct map_tool *tool, const char *cf, const char *map_name, bool knows_names)
{
	static const char blanks[] = " \t";
	FILE *file = fopen(cf, "r");
	char *line = NULL;
	const char *type = NULL;
	size_t size = 0;

	while (file != NULL && type == NULL && getline(&line, &size, file) >= 0) {
		char *name = text_skip_space(line + 1), *class, *position;
		const char *last = NULL;

		text_trim_end(line);
		if (*line != 'K' || (name = strtok_r(name, blanks, &position)) == NULL ||
		    (class = strtok_r(NULL, blanks, &position)) == NULL)
			continue;
		for (char *word = class; word != NULL; word = strtok_r(NULL, blanks, &position))
			last = word;
		if (strcmp(last, map_name) == 0 || (knows_names && strcmp(name, map_name) == 0))
			type = arena_strdup(tool->arena, class);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return type;
}

int
map_tool_no_type(struct map_tool *tool, const char *type, const char *name)
{
	if (strcmp(type, "dbm") != 0 && strcmp(type, "cdb") != 0)
		return map_tool_open_failed(tool, type, name, "Unknown database type");
	fprintf(stderr, "%s: Need to recompile with -D%s for %s support\n", tool->program,
	    *type == 'd' ? "NDBM" : "CDB", type);
	return EX_CANTCREAT;
}

const char *
map_tool_path(struct map_tool *tool, const char *name)
{
	size_t length = strlen(name);

	if (length >= 3 && strcmp(name + length - 3, ".db") == 0)
		return name;
	return arena_printf(tool->arena, "%s.db", name);
}

/* Every directory from / down, as far as the path goes. */
static void
warn_about_directories(const char *path)
{
	char part[PATH_MAX];

	if (*path != '/') {
		size_t length;

		if (getcwd(part, sizeof part) == NULL)
			return;
		length = strlen(part);
		snprintf(part + length, sizeof part - length, "/%s", path);
	} else {
		text_copy(part, sizeof part, path);
	}
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		struct stat status;

		*slash = '\0';
		if (stat(part, &status) == 0 && (status.st_mode & S_IWOTH) != 0)
			fprintf(stderr, "WARNING: World writable directory %s\n", part);
		else if (stat(part, &status) == 0 && (status.st_mode & S_IWGRP) != 0)
			fprintf(stderr, "WARNING: Group writable directory %s\n", part);
		*slash = '/';
	}
}

const char *
map_tool_check(struct map_tool *tool, const char *path, bool is_written)
{
	struct stat status;

	for (int i = 0; i < 2; i++)
		warn_about_directories(path);
	if (lstat(path, &status) < 0)
		return errno == ENOENT && is_written ? NULL : strerror(errno);
	if (S_ISLNK(status.st_mode))
		return "Symbolic links not allowed";
	if (!S_ISREG(status.st_mode))
		return "Regular files only";
	if (status.st_nlink > 1)
		return "Hard links not allowed";
	if (is_written && status.st_uid != geteuid() && status.st_uid != tool->trusted_uid)
		return strerror(EACCES);
	return NULL;
}

int
map_tool_open_failed(struct map_tool *tool, const char *type, const char *name, const char *reason)
{
	fprintf(
	    stderr, "%s: error opening type %s map %s: %s\n", tool->program, type, name, reason);
	return EX_CANTCREAT;
}
