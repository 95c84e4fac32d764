#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "os/os.h"
#include "queue/queue.h"
#include "run/roles.h"

enum { DIRECTORIES_MAXIMUM = 64 };

static bool
is_switched_off(const struct config *config)
{
	static const char name[] = "PILLARBOX_SANDBOX=";
	const char *value = getenv("PILLARBOX_SANDBOX");

	for (size_t i = 0; i < config->environment.count; i++) {
		if (text_starts(config->environment.items[i], name))
			value = config->environment.items[i] + sizeof name - 1;
	}
	return value != NULL && (text_equal_nocase(value, "off") || text_equal_nocase(value, "no"));
}

static bool
runs_programs(const struct config *config)
{
	struct arena *arena = arena_create();
	const char *const *names = map_set_names(config->maps, arena);
	bool result = false;

	for (; *names != NULL; names++)
		result = result || text_equal_nocase(
				       map_class_name(map_find(config->maps, *names)), "program");
	arena_destroy(arena);
	return result;
}

static void
add(const char *list[], size_t *count, const char *path)
{
	if (path != NULL && path[0] == '/' && *count < DIRECTORIES_MAXIMUM)
		list[(*count)++] = path;
}

/* A file that will be made when it is needed: where it will be. */
static void
add_file(const char *list[], size_t *count, const char *path, struct arena *arena)
{
	char *directory = path != NULL && access(path, F_OK) < 0 ? arena_strdup(arena, path) : NULL;
	char *slash = directory != NULL ? strrchr(directory, '/') : NULL;

	if (slash != NULL && slash != directory)
		*slash = '\0';
	add(list, count, directory != NULL ? directory : path);
}

/* Where a queue is that a wildcard names, each of them. */
static void
add_queue(const char *list[], size_t *count, const char *option)
{
	char **paths = option != NULL ? queue_directories(option) : NULL;

	for (size_t i = 0; paths != NULL && paths[i] != NULL; i++)
		add(list, count, paths[i]); /* kept: it is used at once, by a process that stays */
}

void
daemon_sandbox(const struct daemon *daemon)
{
	const struct config *config = daemon->config;
	const struct options *options = &config->options;
	const char *list[DIRECTORIES_MAXIMUM + 1];
	size_t count = 0;

	if (geteuid() == 0 || is_switched_off(config) || runs_programs(config))
		return;
	add_queue(list, &count, options->queue_directory);
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next)
		add_queue(list, &count, group->path);
	add(list, &count, options->host_status_directory);
	add(list, &count, options->status_file);
	add_file(list, &count, options->dead_letter_drop, config->arena);
	list[count] = NULL;
	os_sandbox(list);
}

void
daemon_sandbox_reader(const struct daemon *daemon)
{
	const char *nowhere[] = {NULL};

	if (!is_switched_off(daemon->config))
		os_sandbox(nowhere);
}
