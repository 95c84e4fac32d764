#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "client/client.h"
#include "main/main.h"
#include "map/twin.h"
#include "proc/daemonize.h"
#include "queue/list.h"
#include "route/alias.h"
#include "run/back_off.h"
#include "run/crew.h"
#include "run/groups.h"
#include "run/identity.h"
#include "run/lanes.h"
#include "run/made.h"
#include "run/run.h"
#include "run/sessions.h"

enum { CREW = 40 }; /* processes of one run, without MaxQueueChildren */

/* What stays behind as root while this process becomes the mail user; there is one process of this kind. */
static struct lookup_twin {
	int channel;
	pid_t pid;
} lookup_twin = {-1, 0};

/* For authinfo.db and others that only root may read. */
static bool
start_lookup_twin(struct config *config)
{
	struct map_twin_policy policy;
	int ends[2];

	if (map_twin_channel(ends) < 0)
		return false;
	alias_declare(config);
	policy = (struct map_twin_policy){
	    .fd = ends[1], .maps = map_set_names(config->maps, config->arena)};
	lookup_twin.pid = fork();
	if (lookup_twin.pid == 0) {
		close(ends[0]);
		map_twin_serve(&policy, 1, -1, config->maps);
		_exit(EX_OK);
	}
	close(ends[1]);
	if (lookup_twin.pid < 0) {
		close(ends[0]);
		return false;
	}
	lookup_twin.channel = ends[0];
	map_set_twin(ends[0]);
	return true;
}

static void
stop_lookup_twin(void)
{
	if (lookup_twin.channel < 0)
		return;
	map_set_twin(-1);
	close(lookup_twin.channel);
	while (waitpid(lookup_twin.pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static void
tell_fault(void *context, const char *problem)
{
	main_report_error(context, "%s", problem);
}

/*
 * The queue of this command, entered as its owner.  When root is given up for that, a twin stays
 * behind as root to run local mailers.  An exit status, 0 when all is well.
 */
static int
enter_queue(struct main_context *context, struct run_context *run)
{
	const struct options *options = &context->config->options;
	struct identity identity;

	identity_find(context->config, options->queue_directory, &identity);
	if (identity.is_change) /* keys and certificates may be root's alone */
		run->tls = client_make_tls(context->config);
	run->spawner = identity.is_change ? spawner_create_twin(context->config)
					  : spawner_create(context->config);
	if (run->spawner == NULL || (identity.is_change && !start_lookup_twin(context->config)) ||
	    !identity_become(&identity)) {
		main_report_error(
		    context, "cannot become the owner of the queue: %s", strerror(errno));
		return EX_OSERR;
	}
	run->queue = identity_open_queue(context->config, context->is_submission);
	if (run->queue != NULL && context->arguments->queue.group != NULL)
		run->queue = queue_keep_group(run->queue, context->arguments->queue.group);
	if (run->queue != NULL && context->arguments->mode == MODE_QUEUE_RUN)
		identity_check_groups(context->config, tell_fault, context);
	if (run->queue != NULL)
		return 0;
	main_report_error(
	    context, "can not chdir(%s/): %s", options->queue_directory, strerror(errno));
	if (errno == EACCES || errno == EPERM)
		io_printf(STDERR_FILENO,
		    "Program mode requires special privileges, e.g., root or TrustedUser.\n");
	return EX_CONFIG;
}

static int
begin(struct main_context *context, struct run_context *run)
{
	const struct options *options = &context->config->options;

	*run = (struct run_context){
	    .config = context->config,
	    .verbose = context->arguments->is_verbose ? stdout : NULL,
	    .caller_uid = context->caller_uid,
	    .caller_gid = context->caller_gid,
	};
	run->lanes = lanes_create();
	run->sessions = sessions_create(
	    options->connection_cache_size, options->connection_cache_timeout_seconds);
	return enter_queue(context, run);
}

static void
end(struct run_context *run)
{
	sessions_destroy(run->sessions);
	lanes_destroy(run->lanes);
	stop_lookup_twin(); /* it has a copy of the other's socket: it goes first */
	spawner_destroy(run->spawner);
	queue_close(run->queue);
}

static void
run_one(struct run_context *run, const char *id)
{
	struct made made = {.arena = arena_create()};
	struct job_report report;

	run->queued = made_remember;
	run->callback_context = &made;
	job_run(run, id, &report);
	for (size_t i = 0; i < made.count; i++)
		job_run(run, made.ids[i], &report);
	arena_destroy(made.arena);
}

/* How many processes may share the work; 1: whoever watches, or wants one at a time, gets V8's order. */
static int
crew_limit(const struct run_context *run, const struct queue_list *list)
{
	const struct options *options = &run->config->options;
	int most = options->max_queue_children > 0 ? options->max_queue_children : CREW;
	struct run_group group;

	if (run->verbose != NULL || options->single_thread_delivery || list->count < CREW_LEAST)
		return 1;
	run_group_find(run->config, list->items[0].group, &group);
	return group.runners > 0 && group.runners < most ? group.runners : most;
}

/* One group's messages, in their order. */
static int
run_list(struct run_context *run, const struct queue_list *list)
{
	int most = crew_limit(run, list);

	if (most > 1)
		return crew_run(run, list, most);
	for (size_t i = 0; i < list->count; i++) {
		if (run->verbose != NULL) {
			fprintf(run->verbose, "\nRunning %s/%s (sequence %zu of %zu)\n",
			    list->items[i].directory, list->items[i].id, i + 1, list->count);
			fflush(run->verbose);
		}
		run_one(run, list->items[i].id);
		sessions_expire(run->sessions);
	}
	return run->exit_status;
}

/* In a process of its own, as nice as the group is to be: 0 when there can be none. */
static pid_t
fork_list(struct run_context *run, const struct queue_list *list)
{
	struct run_group group;
	pid_t child;

	run_group_find(run->config, list->items[0].group, &group);
	child = fork();
	if (child == 0) {
		errno = 0;
		if (group.nice > 0 && nice(group.nice) == -1 && errno != 0)
			log_at(
			    8, LOG_WARNING, "cannot be nice (%d): %s", group.nice, strerror(errno));
		run->exit_status = run_list(run, list);
		sessions_destroy(run->sessions);
		fflush(stdout);
		_exit(run->exit_status);
	}
	return child > 0 ? child : 0;
}

static void
wait_for_list(struct run_context *run, pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	if (!WIFEXITED(status))
		run->exit_status = EX_SOFTWARE;
	else if (run->exit_status == EX_OK)
		run->exit_status = WEXITSTATUS(status);
}

/* V8: group after group for those who watch, else all at once. */
static int
run_selected(struct run_context *run, const struct queue_list *list)
{
	pid_t *children = check_malloc((list->count + 1) * sizeof *children);
	size_t count = 0;

	for (size_t at = 0, next; at < list->count; at = next) {
		struct queue_list part = {.items = list->items + at};
		struct run_group group;
		pid_t child = 0;

		for (next = at; next < list->count &&
				list->items[next].group_number == part.items[0].group_number;)
			next++;
		part.count = next - at;
		run_group_find(run->config, part.items[0].group, &group);
		if (group.nice > 0 || (run->verbose == NULL && part.count < list->count))
			child = fork_list(run, &part);
		if (child == 0)
			run_list(run, &part);
		else if (run->verbose != NULL)
			wait_for_list(run, child);
		else
			children[count++] = child;
	}
	while (count > 0)
		wait_for_list(run, children[--count]);
	free(children);
	return run->exit_status;
}

/* What the command line asks for, in the queue's own terms. */
static const struct queue_filter *
make_filters(const struct queue_selection *selection, struct arena *arena)
{
	struct queue_filter *first = NULL, **end = &first;

	for (; selection != NULL; selection = selection->next) {
		*end = ARENA_NEW(arena, struct queue_filter);
		(*end)->field = selection->field;
		(*end)->is_negated = selection->is_negated;
		(*end)->text = selection->text;
		end = &(*end)->next;
	}
	return first;
}

static bool
is_quiet(const struct main_context *context)
{
	return !context->arguments->is_verbose && !context->arguments->queue.is_foreground;
}

/* -qG NAME of a group that the cf does not have; the one without Q lines is mqueue. */
static bool
group_is_known(const struct config *config, const char *name)
{
	if (text_equal_nocase(name, "mqueue"))
		return true;
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		if (text_equal_nocase(name, group->name))
			return true;
	}
	return false;
}

/*
 * A run by hand means now, whatever the cf says of MinQueueAge and MaxQueueAge; those of the command
 * line are meant.
 */
static bool
has_own_back_off(const struct main_context *context)
{
	const char *const *setting = context->request.option_settings;

	for (; setting != NULL && *setting != NULL; setting++) {
		if (text_starts_nocase(*setting, "MinQueueAge") ||
		    text_starts_nocase(*setting, "MaxQueueAge"))
			return true;
	}
	return false;
}

/* Those that were tried a moment ago are not part of the run. */
static void
drop_young(struct queue_list *list, const struct options *options)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct queue_listed *one = &list->items[i];

		if (back_off_left(options, one->created, one->last_attempt) == 0)
			list->items[kept++] = *one;
	}
	list->count = kept;
}

static int
by_group(const void *left, const void *right)
{
	const struct queue_listed *one = left, *other = right;

	return one->group_number != other->group_number
		   ? (one->group_number < other->group_number ? -1 : 1)
		   : (one->position < other->position ? -1 : one->position > other->position);
}

/*
 * The groups one behind the other, each sorted, and no more of each than J= or MaxQueueRunSize allow (V8: of more
 * nothing is looked at, so they are not the most urgent ones).  One with R=0 is run when it is named only.
 */
static void
arrange(struct main_context *context, struct queue_list *list)
{
	const struct config *config = context->config;
	size_t kept = 0;

	if (list->count > 1 && config->queue_groups != NULL)
		qsort(list->items, list->count, sizeof *list->items, by_group);
	for (size_t at = 0, next; at < list->count; at = next) {
		struct queue_list part = {.items = list->items + at};
		struct run_group group;

		for (next = at; next < list->count &&
				list->items[next].group_number == part.items[0].group_number;)
			next++;
		part.count = next - at;
		run_group_find(config, part.items[0].group, &group);
		if (group.runners == 0 && context->arguments->queue.group == NULL)
			continue;
		if (group.jobs > 0 && part.count > (size_t)group.jobs) {
			part.count = (size_t)group.jobs;
			log_at(1, LOG_WARNING, "WorkList for %s maxed out at %d",
			    part.items[0].directory, group.jobs);
		}
		queue_list_sort(&part, config->options.queue_sort_order);
		memmove(list->items + kept, part.items, part.count * sizeof *part.items);
		kept += part.count;
	}
	list->count = kept;
}

static int
gather(struct main_context *context, struct run_context *run, struct queue_list *list)
{
	const struct queue_arguments *arguments = &context->arguments->queue;
	struct arena *arena = arena_create();
	int result = queue_list_read(
	    run->queue, run->kind, make_filters(arguments->selections, arena), NULL, NULL, list);

	if (result < 0)
		main_report_error(
		    context, "can not opendir(%s): %s", run->queue->path, strerror(errno));
	if (!run->forgets_back_off)
		drop_young(list, &context->config->options);
	/* who watches sees V8's order; else files are removed in the disk's order, which is half of the work */
	if (run->verbose == NULL)
		queue_list_keep_order(list);
	arrange(context, list);
	arena_destroy(arena);
	return result;
}

static int
run_once(struct main_context *context)
{
	const struct queue_arguments *arguments = &context->arguments->queue;
	struct run_context run;
	struct queue_list list = {0};
	int status = begin(context, &run);

	if (status != 0)
		return status;
	run.has_sender_flag = true;
	run.forgets_back_off = !has_own_back_off(context);
	run.is_on_demand = arguments->selections != NULL;
	run.kind = arguments->kind == 'Q' ? 'h' : arguments->kind == 'L' ? 'Q' : 'q';
	if (gather(context, &run, &list) < 0) {
		status = EX_CONFIG;
	} else if (is_quiet(context) && !daemonize_detach()) {
		main_report_error(context, "cannot fork: %s", strerror(errno));
		status = EX_OSERR;
	} else {
		/* the caller has its answer; whoever waits for the end of our output must not wait for us */
		if (is_quiet(context))
			daemonize_close_terminal();
		status = run_selected(&run, &list);
	}
	queue_list_free(&list);
	end(&run);
	return status;
}

int
main_queue_run(struct main_context *context)
{
	const struct queue_arguments *arguments = &context->arguments->queue;

	if (arguments->group != NULL && !group_is_known(context->config, arguments->group)) {
		printf("Queue group %s unknown\n", arguments->group);
		return EX_OK;
	}
	if (arguments->quarantine_given)
		return main_quarantine(context);
	if (arguments->has_interval)
		return main_daemon(context);
	return run_once(context);
}

int
main_deliver(struct main_context *context)
{
	const struct arguments *arguments = context->arguments;
	const struct options *options = &context->config->options;
	struct run_context run;
	int status = begin(context, &run);

	if (status != 0)
		return status;
	run.is_first_attempt = run.is_submission = true;
	run.has_sender_flag = arguments->sender != NULL;
	run.refusals_only = arguments->refusals_only;
	/* V8: who speaks SMTP, or does not wait, hears of failures by mail */
	if (arguments->mode == MODE_DELIVER_ID &&
	    (options->delivery_mode != 'b' || arguments->is_verbose))
		run.error_mode = options->error_mode;
	for (const char *id = arguments->deliver_id; *id != '\0'; id += *id == ',') {
		size_t length;
		char one[ENVELOPE_ID_SIZE];

		/* a list's owner is its sender, whoever called us */
		run.is_submission = *id != '+';
		id += *id == '+';
		length = strcspn(id, ",");

		snprintf(one, sizeof one, "%.*s", (int)length, id);
		run_one(&run, one);
		id += length;
	}
	end(&run);
	if (run.error_mode == 'e')
		return EX_OK;
	return run.rule_status != 0 ? run.rule_status : run.exit_status;
}
