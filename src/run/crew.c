#include "config.h"

#include "run/crew.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "client/client.h"
#include "run/lanes.h"
#include "run/made.h"
#include "run/sessions.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

enum {
	FIRST_MEMBERS = 4,
	MEMBERS_MAXIMUM = 64,
	LOOK_MS = 50,	/* how often it is asked whether more are worth while */
	FLUSH_MS = 500, /* delivered messages wait so long for others to share a directory sync */
	/*
	 * V8 writes into each control file why it waits.  When a host is dead and the run is long, that
	 * many get their reason; the others wait as they are, and the log has their number.
	 */
	LONG_RUN = 2000,
	REASONS = 200,
};

/* What the processes share. */
struct board {
	atomic_size_t next; /* of the list */
	atomic_size_t deferred, skipped;
	atomic_int opened; /* sessions: something gets through */
	_Atomic int64_t cpu_us[MEMBERS_MAXIMUM];
};

struct crew {
	struct run_context *run;
	const struct queue_list *list;
	struct board *board;
	struct made made;		     /* by the job under way */
	pid_t pids[MEMBERS_MAXIMUM], parent; /* 0: it has ended */
	int count, living, most, status;
};

/* ---- a member ---- */

static void
note_opened(void *context, const char *lane)
{
	struct crew *crew = context;

	(void)lane;
	atomic_fetch_add(&crew->board->opened, 1);
}

static void
settled(void *context, const char *id, const struct job_report *report)
{
	struct crew *crew = context;

	(void)id;
	if (report->outcome == KICK_OUTCOME_WAITS)
		atomic_fetch_add(&crew->board->deferred, 1);
}

static void
queued(void *context, const char *id)
{
	struct crew *crew = context;

	made_remember(&crew->made, id);
}

static bool
may_skip(const struct crew *crew)
{
	return crew->list->count >= LONG_RUN && !crew->run->is_on_demand &&
	       atomic_load(&crew->board->deferred) >= REASONS;
}

static int64_t
used_us(void)
{
	return (int64_t)clock() * 1000000 / CLOCKS_PER_SEC;
}

static void
do_one(struct crew *crew, const char *id)
{
	struct job_report report;

	if (job_run(crew->run, id, &report))
		settled(crew, id, &report);
}

static void
do_item(struct crew *crew, const struct queue_listed *item, struct arena *scratch)
{
	arena_reset(scratch);
	if (may_skip(crew) && job_would_wait(crew->run, item, scratch)) {
		atomic_fetch_add(&crew->board->skipped, 1);
		return;
	}
	arena_reset(scratch);
	crew->made = (struct made){.arena = scratch};
	do_one(crew, item->id);
	for (size_t i = 0; i < crew->made.count; i++)
		do_one(crew, crew->made.ids[i]);
	sessions_expire(crew->run->sessions);
}

static int
member_main(struct crew *crew, int number)
{
	struct run_context *run = crew->run;
	const struct options *options = &run->config->options;
	struct arena *scratch = arena_create();
	int64_t flush_ms = clock_monotonic_ms() + FLUSH_MS;
	size_t at;

	run->lanes = lanes_create();
	run->sessions = sessions_create(
	    options->connection_cache_size, options->connection_cache_timeout_seconds);
	run->lane_opened = note_opened;
	run->settled = settled;
	run->queued = queued;
	run->callback_context = crew;
	run->queue->batch_removals = true;
	while (getppid() == crew->parent &&
	       (at = atomic_fetch_add(&crew->board->next, 1)) < crew->list->count) {
		do_item(crew, &crew->list->items[at], scratch);
		atomic_store(&crew->board->cpu_us[number], used_us());
		if (clock_monotonic_ms() < flush_ms)
			continue;
		queue_flush(run->queue);
		flush_ms = clock_monotonic_ms() + FLUSH_MS;
	}
	job_finish(run);
	queue_flush(run->queue);
	sessions_destroy(run->sessions);
	return run->exit_status;
}

/* ---- the parent ---- */

static bool
add_member(struct crew *crew)
{
	int number = crew->count;
	pid_t child = fork();

	if (child == 0)
		_exit(member_main(crew, number));
	if (child < 0)
		return false;
	crew->pids[crew->count++] = child;
	crew->living++;
	return true;
}

/* Notes the end of those that have ended; waits for them when there is nothing else to do. */
static void
reap(struct crew *crew, bool is_last)
{
	for (int i = 0; i < crew->count; i++) {
		pid_t ended;
		int status;

		if (crew->pids[i] == 0)
			continue;
		do
			ended = waitpid(crew->pids[i], &status, is_last ? 0 : WNOHANG);
		while (ended < 0 && errno == EINTR);
		if (ended == 0)
			continue;
		crew->pids[i] = 0;
		crew->living--;
		if (ended > 0 && WIFEXITED(status)) {
			if (WEXITSTATUS(status) != EX_OK)
				crew->status = WEXITSTATUS(status);
			continue;
		}
		crew->status = EX_SOFTWARE;
		if (ended > 0)
			log_at(1, LOG_ERR, "a process of the queue run died of signal %d",
			    WTERMSIG(status));
	}
}

static int64_t
total_cpu_us(const struct crew *crew)
{
	int64_t total = 0;

	for (int i = 0; i < crew->count; i++)
		total += atomic_load(&crew->board->cpu_us[i]);
	return total;
}

/* Twice as many, when half a processor is more than those there are make use of. */
static void
grow(struct crew *crew, int64_t spent_us)
{
	int more = crew->count;

	if (spent_us > (int64_t)LOOK_MS * 1000 / 2 || atomic_load(&crew->board->opened) == 0)
		return;
	if (more > crew->most - crew->count)
		more = crew->most - crew->count;
	while (more-- > 0 && add_member(crew))
		continue;
	if (more >= 0)
		crew->most = crew->count;
}

static bool
may_grow(const struct crew *crew)
{
	return crew->count < crew->most && crew->living > 0 &&
	       atomic_load(&crew->board->next) < crew->list->count;
}

static void
tend(struct crew *crew)
{
	int64_t before = 0;

	while (may_grow(crew)) {
		int64_t now;

		poll(NULL, 0, LOOK_MS);
		reap(crew, false);
		now = total_cpu_us(crew);
		if (may_grow(crew))
			grow(crew, now - before);
		before = now;
	}
	reap(crew, true);
}

int
crew_run(struct run_context *run, const struct queue_list *list, int most)
{
	struct crew crew = {.run = run, .list = list, .most = most, .parent = getpid()};
	size_t skipped;

	if (crew.most > MEMBERS_MAXIMUM)
		crew.most = MEMBERS_MAXIMUM;
	crew.board = mmap(
	    NULL, sizeof *crew.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew.board == MAP_FAILED)
		return EX_OSERR;
	if (run->tls == NULL) /* one for all */
		run->tls = client_make_tls(run->config);
	while (crew.count < FIRST_MEMBERS && crew.count < crew.most && add_member(&crew))
		continue;
	if (crew.count == 0)
		crew.status = EX_OSERR;
	tend(&crew);
	skipped = atomic_load(&crew.board->skipped);
	if (skipped > 0)
		log_at(5, LOG_NOTICE,
		    "queue run: %zu of %zu messages not tried, their host does not answer", skipped,
		    list->count);
	munmap(crew.board, sizeof *crew.board);
	return crew.status;
}
