#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "os/os.h"
#include "proc/kick.h"
#include "queue/queue.h"
#include "run/groups.h"
#include "run/roles.h"
#include "run/schedule.h"

enum {
	LOAD_SECONDS = 15,	  /* how long a look at the load average is good for */
	PRIORITY_UNKNOWN = 30000, /* of a message that no worker has seen: that of a small one */
	TEND_MS = 30000,
	EMPTY_MS =
	    5000, /* V8: a persistent runner sleeps so long at least when the queue was empty */
	ALL_GROUPS = -1,
	ORPHAN_SECONDS = 120, /* age of files that a killed program left behind */
};

struct runner {
	struct worker *worker;
	struct daemon *daemon;
	struct queue *queue;
	struct schedule *schedule;
	unsigned generations[JOB_WORKERS_MAXIMUM];
	long batches
	    [JOB_WORKERS_MAXIMUM]; /* sent to it; a worker that is ready says how many it had */
	bool is_idle[JOB_WORKERS_MAXIMUM];
	long interval_number; /* workers forget what they know of lanes when it changes */
	/* 0: what is new, and all groups of which nothing special is asked for */
	struct runner_group {
		struct run_group conf;
		long interval_seconds; /* 0: it has no runs */
		int64_t next_ms;
	} groups[SCHEDULE_GROUPS];
	int group_count;
	int *part_groups; /* of each directory of the queue */
	int scan_error;	  /* that was told */
	bool is_loaded;
	int64_t load_until_ms;
};

/* Looks at the directories: what is new in a group is what `how` says, in others due when nobody has tried it: what came without a kick, what went by somebody else's hand. */
static void
compare(struct runner *runner, int group, enum schedule_how how)
{
	struct queue_entry *entries;
	size_t count;

	if (queue_scan(runner->queue, 'q', &entries, &count) < 0) {
		/* said once, however often it is tried */
		if (runner->scan_error != errno)
			log_at(0, LOG_ERR, "cannot read the queue %s: %s", runner->queue->path,
			    strerror(errno));
		runner->scan_error = errno;
		return;
	}
	runner->scan_error = 0;
	schedule_compare_begin(runner->schedule);
	for (size_t i = 0; i < count; i++) {
		int own = runner->part_groups[entries[i].part];
		enum schedule_how own_how =
		    group == ALL_GROUPS || group == own ? how : SCHEDULE_UNTRIED;

		/* J=: which of them are due its own run chooses afterwards */
		if (runner->groups[own].conf.jobs > 0)
			own_how = SCHEDULE_WAITS;
		schedule_compare_seen(runner->schedule, entries[i].id, own, own_how);
	}
	schedule_compare_end(runner->schedule);
	free(entries);
	queue_sweep(runner->queue, ORPHAN_SECONDS);
}

static void
run_all(struct runner *runner)
{
	runner->interval_number++;
	compare(runner, ALL_GROUPS, SCHEDULE_DUE);
	for (int i = 0; i < runner->group_count; i++)
		schedule_make_due(runner->schedule, i, (size_t)runner->groups[i].conf.jobs);
}

static void
run_group(struct runner *runner, int group)
{
	runner->interval_number++;
	compare(runner, group, SCHEDULE_DUE);
	schedule_make_due(runner->schedule, group, (size_t)runner->groups[group].conf.jobs);
}

static bool
is_current(const struct runner *runner, const struct kick *kick)
{
	return kick->slot >= 0 && kick->slot < runner->daemon->worker_count &&
	       kick->generation == runner->generations[kick->slot];
}

static void
take_ready(struct runner *runner, const struct kick *kick)
{
	if (kick->slot < 0 || kick->slot >= runner->daemon->worker_count)
		return;
	/* an older worker's word can come behind the newer one's first */
	if ((int)(kick->generation - runner->generations[kick->slot]) < 0)
		return;
	if (kick->generation != runner->generations[kick->slot])
		schedule_worker_gone(runner->schedule, kick->slot);
	else if (kick->priority != runner->batches[kick->slot])
		return; /* there is a batch under way to it */
	runner->batches[kick->slot] = kick->priority;
	runner->generations[kick->slot] = kick->generation;
	schedule_worker_idle(runner->schedule, kick->slot);
	runner->is_idle[kick->slot] = true;
}

static void
take_kick(struct runner *runner, const struct kick *kick)
{
	switch (kick->kind) {
	case KICK_NEW:
		if (queue_id_is_valid(kick->id))
			schedule_add(runner->schedule, kick->id, kick->lane, kick->priority);
		break;
	case KICK_RUN_NOW:
		run_all(runner);
		break;
	case KICK_READY:
		take_ready(runner, kick);
		break;
	case KICK_DONE:
		if (is_current(runner, kick))
			schedule_done(runner->schedule, kick->slot, kick->id,
			    (enum kick_outcome)kick->outcome, kick->lane, kick->priority,
			    kick->wait_seconds);
		break;
	case KICK_CLOSED:
		if (is_current(runner, kick))
			schedule_close_lane(runner->schedule, kick->lane);
		break;
	case KICK_OPENED:
		if (is_current(runner, kick))
			schedule_open_lane(runner->schedule, kick->lane);
		break;
	case KICK_DIED:
		if (is_current(runner, kick)) {
			runner->is_idle[kick->slot] = false;
			schedule_worker_gone(runner->schedule, kick->slot);
		}
		break;
	default:
		break;
	}
}

/* QueueLA: while the system is busy, messages only wait. */
static bool
is_load_too_high(struct runner *runner)
{
	const struct options *options = &runner->daemon->config->options;
	int load;

	if (options->queue_load <= 0)
		return false;
	if (!deadline_passed(runner->load_until_ms) && runner->load_until_ms != 0)
		return runner->is_loaded;
	load = os_load_average();
	runner->is_loaded =
	    load >= options->queue_load &&
	    PRIORITY_UNKNOWN > options->queue_factor / (load - options->queue_load + 1);
	runner->load_until_ms = deadline_in(LOAD_SECONDS);
	return runner->is_loaded;
}

/* False when the worker's pipe does not take it: it has died, and master will say so. */
static bool
send_batch(struct runner *runner, int number, const struct schedule_job *jobs, size_t count)
{
	struct kick kick = {
	    .kind = KICK_WORK,
	    .slot = (short)number,
	    .generation = runner->generations[number],
	    .priority = runner->interval_number,
	};

	for (size_t i = 0; i < count; i++) {
		text_copy(kick.id, sizeof kick.id, jobs[i].id);
		text_copy(kick.lane, sizeof kick.lane, jobs[i].lane);
		kick.wait_seconds = runner->groups[jobs[i].group].conf.nice;
		kick.outcome = (unsigned char)((jobs[i].is_new ? KICK_WORK_NEW : 0) |
					       (jobs[i].is_known ? KICK_WORK_DUE : 0) |
					       (jobs[i].is_if_untried ? KICK_WORK_UNTRIED : 0));
		if (!kick_write(runner->daemon->worker_pipes[number][1], &kick))
			return false;
	}
	kick.kind = KICK_END;
	runner->batches[number]++;
	return kick_write(runner->daemon->worker_pipes[number][1], &kick);
}

static void
dispatch(struct runner *runner)
{
	struct schedule_job jobs[SCHEDULE_BATCH];

	if (is_load_too_high(runner))
		return;
	for (int i = 0; i < runner->daemon->worker_count; i++) {
		size_t count;

		if (!runner->is_idle[i])
			continue;
		count = schedule_take(runner->schedule, i, jobs);
		if (count == 0)
			continue;
		runner->is_idle[i] = false;
		send_batch(runner, i, jobs, count);
	}
}

static void
ask_for_workers(struct runner *runner)
{
	int wanted = schedule_wanted_workers(runner->schedule);
	int before = runner->worker->page->wanted_workers;

	runner->worker->page->wanted_workers = wanted;
	/* one is always there; that fewer are wanted master finds out in time */
	if (wanted > before && wanted > 1)
		worker_poke(runner->worker);
}

static int64_t
earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

/* When the next run of any group is. */
static int64_t
keep_intervals(struct runner *runner, int64_t now)
{
	int64_t first = DEADLINE_NEVER;

	for (int i = 0; i < runner->group_count; i++) {
		struct runner_group *group = &runner->groups[i];
		bool is_persistent = runner->daemon->is_persistent;

		if (group->interval_seconds == 0)
			continue;
		if (now >= group->next_ms) {
			group->next_ms = now + (int64_t)group->interval_seconds * 1000;
			if (!is_persistent || !schedule_is_busy(runner->schedule))
				run_group(runner, i);
			if (is_persistent && schedule_count(runner->schedule) == 0 &&
			    group->next_ms < now + EMPTY_MS)
				group->next_ms = now + EMPTY_MS;
		}
		first = earlier(first, group->next_ms);
	}
	return first;
}

static int64_t
keep_time(struct runner *runner)
{
	int64_t now = clock_monotonic_ms(), next = schedule_wake(runner->schedule),
		run = keep_intervals(runner, now);

	next = earlier(next, run);
	runner->worker->page->next_run_ms = run != DEADLINE_NEVER ? run : 0;
	if (runner->worker->page->missed_kicks != 0) {
		runner->worker->page->missed_kicks = 0;
		compare(runner, ALL_GROUPS, SCHEDULE_UNTRIED);
	}
	if (is_load_too_high(runner))
		next = earlier(next, runner->load_until_ms);
	return earlier(next, now + TEND_MS);
}

static void
read_kicks(struct runner *runner, int pipe)
{
	struct kick kick;

	/* a bounded number, so that work goes out meanwhile */
	for (int i = 0; i < 1000 && kick_read(pipe, &kick) > 0; i++) {
		/* those who talk to strangers have a word on new messages, and on nothing else */
		if (pipe == runner->daemon->runner_pipe[0] || kick.kind == KICK_NEW ||
		    kick.kind == KICK_RUN_NOW)
			take_kick(runner, &kick);
	}
}

/* Workers that live already when a new runner starts have not told it that they are there. */
static void
call_workers(struct runner *runner)
{
	struct kick kick = {.kind = KICK_END, .slot = -1};

	for (int i = 0; i < runner->daemon->worker_count; i++)
		kick_write(runner->daemon->worker_pipes[i][1], &kick);
}

/*
 * The runner before this one is gone, and with it what it knew.  Its next run stays when it is; until then only what was
 * accepted and not yet tried is due.  Without an interval nothing would ever try the rest.
 */
static void
take_over(struct runner *runner)
{
	const struct daemon *daemon = runner->daemon;
	const struct worker *worker = runner->worker;
	int64_t now = clock_monotonic_ms(),
		next = worker->generation > 1 ? worker->page->next_run_ms : daemon->next_run_ms;

	if (!daemon->has_interval) {
		if (worker->generation > 1 || daemon->is_successor)
			run_all(runner);
	} else if (next > now) {
		for (int i = 0; i < runner->group_count; i++)
			runner->groups[i].next_ms =
			    earlier(next, now + (int64_t)runner->groups[i].interval_seconds * 1000);
		compare(runner, ALL_GROUPS, SCHEDULE_UNTRIED);
	}
}

static int
number_of_group(struct runner *runner, const char *name)
{
	const struct daemon *daemon = runner->daemon;
	struct runner_group *group;
	bool is_named;
	struct run_group conf;

	run_group_find(daemon->config, name, &conf);
	for (int i = 1; i < runner->group_count; i++) {
		const char *other = runner->groups[i].conf.name;

		if (name == other ||
		    (name != NULL && other != NULL && text_equal_nocase(name, other)))
			return i;
	}
	/* -qG: of all others nothing is run */
	if ((run_group_is_plain(&conf) && daemon->run_group == NULL) ||
	    runner->group_count == SCHEDULE_GROUPS)
		return 0;
	is_named = daemon->run_group == NULL ||
		   text_equal_nocase(daemon->run_group, name != NULL ? name : "mqueue");
	group = &runner->groups[runner->group_count];
	group->conf = conf;
	if (conf.runners != 0 && is_named)
		group->interval_seconds = conf.interval_seconds > 0 ? conf.interval_seconds
					  : daemon->has_interval    ? daemon->interval_seconds
								    : 0;
	schedule_limit_group(runner->schedule, runner->group_count, conf.runners, conf.nice > 0);
	return runner->group_count++;
}

/* Which directories are of groups of which something is asked for. */
static void
find_groups(struct runner *runner)
{
	int count = 0;

	for (const struct queue *one = runner->queue; one != NULL; one = one->next)
		count++;
	runner->part_groups = check_malloc((size_t)count * sizeof *runner->part_groups);
	runner->group_count = 1;
	runner->groups[0].conf.runners = -1;
	if (runner->daemon->has_interval && runner->daemon->run_group == NULL)
		runner->groups[0].interval_seconds = runner->daemon->interval_seconds;
	for (int i = 0; i < count; i++)
		runner->part_groups[i] = number_of_group(runner, queue_group_of(runner->queue, i));
}

static void
tell_fault(void *context, const char *problem)
{
	const struct daemon *daemon = context;

	log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(root): %s; messages of that queue group go to %s",
	    problem, daemon->config->options.queue_directory);
}

static void
keep_channels(struct daemon *daemon, const struct worker *worker)
{
	int kept[CHANNELS_MAXIMUM] = {daemon->kick_pipe[0], daemon->runner_pipe[0]};

	for (int i = 0; i < daemon->worker_count; i++)
		kept[i + 2] = daemon->worker_pipes[i][1];
	daemon_keep_channels(daemon, worker, kept, daemon->worker_count + 2);
}

int
runner_main(struct worker *worker, void *context)
{
	static struct runner runner;
	struct daemon *daemon = context;
	const struct options *options = &daemon->config->options;
	struct pollfd wait[3] = {{.fd = worker->life_fd, .events = POLLIN},
	    {.fd = daemon->runner_pipe[0], .events = POLLIN},
	    {.fd = daemon->kick_pipe[0], .events = POLLIN}};

	os_title("runner");
	daemon_close_listeners(daemon);
	keep_channels(daemon, worker);
	runner = (struct runner){.worker = worker, .daemon = daemon};
	if (!identity_become(&daemon->identity)) {
		log_at(0, LOG_CRIT, "runner: cannot become user %ld: %s",
		    (long)daemon->identity.uid, strerror(errno));
		return 1;
	}
	daemon_sandbox(daemon);
	runner.queue = identity_open_queue(daemon->config, daemon->is_client_queue);
	if (runner.queue == NULL) {
		log_at(0, LOG_CRIT, "runner: cannot enter %s: %s", options->queue_directory,
		    strerror(errno));
		return 1;
	}
	runner.schedule = schedule_create(daemon->worker_count);
	if (options->single_thread_delivery)
		schedule_use_one_worker_a_lane(runner.schedule);
	find_groups(&runner);
	if (worker->generation == 1)
		identity_check_groups(daemon->config, tell_fault, daemon);
	call_workers(&runner);
	take_over(&runner);
	while (!worker_should_leave(worker)) {
		int64_t next = keep_time(&runner);

		dispatch(&runner);
		ask_for_workers(&runner);
		slot_set_state(worker->slot, SLOT_IDLE, DEADLINE_NEVER, "waiting");
		if (poll(wait, 3, deadline_poll_ms(next)) <= 0)
			continue;
		for (int i = 1; i < 3; i++) {
			if (wait[i].revents != 0)
				read_kicks(&runner, wait[i].fd);
		}
	}
	schedule_destroy(runner.schedule);
	free(runner.part_groups);
	queue_close(runner.queue);
	return 0;
}
