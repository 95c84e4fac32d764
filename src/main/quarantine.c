#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "main/main.h"
#include "queue/list.h"
#include "run/identity.h"

struct changing {
	struct main_context *context;
	const struct queue_filter *filters;
	char kind; /* of control file that is looked at */
	bool is_verbose;
	unsigned long changes;
};

static void
say(const struct changing *changing, const char *id, const char *old_reason,
    enum quarantine_result result)
{
	const char *reason = changing->context->arguments->queue.quarantine_reason;

	switch (result) {
	case QUARANTINE_CHANGED:
	case QUARANTINE_INCOMPLETE:
		if (reason == NULL)
			printf("%s: Removed quarantine of \"%s\"\n", id, old_reason);
		else if (old_reason[0] != '\0')
			printf("%s: Quarantine changed from \"%s\" to \"%s\"\n", id, old_reason,
			    reason);
		else
			printf("%s: Quarantined with \"%s\"\n", id, reason);
		if (result == QUARANTINE_INCOMPLETE)
			printf("Skipping ./%s: Incomplete file: ./%cf%s\n", id, changing->kind, id);
		break;
	case QUARANTINE_SAME:
		if (reason != NULL)
			printf("%s: Already quarantined with \"%s\"\n", id, reason);
		break;
	case QUARANTINE_LOCKED:
		printf("%s: locked\nSkipping ./%s\n", id, id);
		break;
	case QUARANTINE_SKIPPED:
		printf("Skipping ./%s\n", id);
		break;
	case QUARANTINE_ERROR:
		printf("Skipping ./%s: %s\n", id, strerror(errno));
		break;
	}
}

static void
change_list(struct changing *changing, struct queue *queue, const struct queue_list *list)
{
	const char *reason = changing->context->arguments->queue.quarantine_reason;
	struct str old_reason = {0};

	if (changing->is_verbose)
		printf(list->count > 0 ? "Processing %s:\n" : "%s: no matches\n", queue->path);
	for (size_t i = 0; i < list->count; i++) {
		const char *id = list->items[i].id;
		enum quarantine_result result =
		    queue_quarantine(queue, changing->kind, id, reason, &old_reason);

		if (result == QUARANTINE_CHANGED)
			changing->changes++;
		if (changing->is_verbose)
			say(changing, id, str_text(&old_reason), result);
		else if (result == QUARANTINE_LOCKED)
			printf("Skipping ./%s\n", id);
	}
	str_free(&old_reason);
}

/* One directory; an exit status. */
static int
change_queue(struct changing *changing, const char *path)
{
	const struct options *options = &changing->context->config->options;
	bool is_client = changing->context->is_submission;
	mode_t mode = options->queue_file_mode != 0 ? options->queue_file_mode
		      : is_client		    ? 0660
						    : 0600;
	struct queue *queue =
	    queue_open(path, mode, is_client, options->super_safe != SUPER_SAFE_FALSE);
	struct queue_list list;
	int status = EX_OK;

	if (queue == NULL) {
		main_report_error(
		    changing->context, "can not chdir(%s/): %s", path, strerror(errno));
		return EX_CONFIG;
	}
	if (queue_list_read(queue, changing->kind, changing->filters, NULL, NULL, &list) == 0) {
		change_list(changing, queue, &list);
	} else {
		main_report_error(
		    changing->context, "can not opendir(%s): %s", path, strerror(errno));
		status = EX_CONFIG;
	}
	queue_list_free(&list);
	queue_close(queue);
	return status;
}

int
main_quarantine(struct main_context *context)
{
	const struct queue_arguments *arguments = &context->arguments->queue;
	struct changing changing = {
	    .context = context,
	    .filters = main_queue_filters(context->arguments),
	    .kind = arguments->kind == 'Q' ? 'h' : 'q',
	    .is_verbose = context->arguments->is_verbose || context->config->options.verbose,
	};
	struct identity identity;
	char **paths;
	int status = EX_OK;

	if (arguments->kind == 'L') {
		puts("Can not use -Q with -qL");
		return EX_USAGE;
	}
	if (!context->is_trusted_caller) {
		puts("Permission denied (real uid not trusted)");
		return EX_USAGE;
	}
	identity_find(context->config, context->config->options.queue_directory, &identity);
	if (!identity_become(&identity)) {
		main_report_error(
		    context, "cannot become the owner of the queue: %s", strerror(errno));
		return EX_OSERR;
	}
	paths = main_queue_directories(context);
	if (paths == NULL)
		return EX_CONFIG;
	for (size_t i = 0; paths[i] != NULL && status == EX_OK; i++)
		status = change_queue(&changing, paths[i]);
	if (changing.is_verbose && status == EX_OK) {
		if (changing.changes > 0)
			printf(
			    "%lu change%s\n", changing.changes, changing.changes == 1 ? "" : "s");
		else
			puts("No changes");
	}
	return fflush(stdout) == 0 ? status : EX_IOERR;
}
