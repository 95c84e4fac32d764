#include "main/main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "queue/list.h"

const struct queue_filter *
main_queue_filters(const struct arguments *arguments)
{
	struct queue_filter *first = NULL, **end = &first;

	for (const struct queue_selection *one = arguments->queue.selections; one != NULL;
	     one = one->next) {
		struct queue_filter *filter = check_malloc(sizeof *filter);

		*filter = (struct queue_filter){
		    .field = one->field, .is_negated = one->is_negated, .text = one->text};
		*end = filter;
		end = &filter->next;
	}
	return first;
}

static bool
is_listed(char *const *paths, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(paths[i], path) == 0)
			return true;
	}
	return false;
}

char **
main_queue_directories(const struct main_context *context)
{
	const struct config *config = context->config;
	const char *wanted = context->arguments->queue.group;
	char **paths = check_malloc(sizeof *paths);
	size_t count = 0;
	const struct queue_group_conf *group = config->queue_groups;
	const char *option = config->options.queue_directory;
	bool is_first = true, is_mqueue;

	while (is_first || group != NULL) {
		bool is_wanted =
		    wanted == NULL || text_equal_nocase(wanted, is_first ? "mqueue" : group->name);
		char **found;

		if (!is_first) {
			option =
			    group->path != NULL ? group->path : config->options.queue_directory;
			group = group->next;
		}
		is_mqueue = is_first;
		is_first = false;
		if (!is_wanted)
			continue;
		found = queue_directories(option);
		/* V8 meets a group's directory earlier, and with another call, than that of QueueDirectory */
		if (found == NULL || found[0] == NULL ||
		    (!is_mqueue && access(found[0], F_OK) < 0)) {
			main_report_error(context, "can not opendir(%.*s): %s",
			    (int)strcspn(option, "*?["), option,
			    strerror(found == NULL || found[0] != NULL ? errno : ENOENT));
			return NULL;
		}
		for (size_t i = 0; found[i] != NULL; i++) {
			if (is_listed(paths, count, found[i]))
				continue;
			paths = check_realloc(paths, (count + 2) * sizeof *paths);
			paths[count++] = found[i];
		}
	}
	paths[count] = NULL;
	return paths;
}
