#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "deliver/spawn.h"
#include "os/os.h"
#include "proc/kick.h"
#include "run/lanes.h"
#include "run/roles.h"
#include "run/run.h"
#include "run/sessions.h"

enum {
	JOB_SECONDS = 6 * 3600, /* beyond this a job hangs, and master ends it */
	USES_MAXIMUM = 2000,	/* then a fresh process takes over */
	IDLE_SECONDS = 60,	/* a worker that nobody needs leaves */
	FLUSH_MS = 5,	/* so long delivered messages wait for more to share a directory sync */
	REST_MS = 2000, /* idle for so long, it gives back what it does not use */
};

struct job_worker {
	struct worker *worker;
	struct daemon *daemon;
	struct run_context run;
	long interval_number, batches;
	long nice; /* of the group that it is bound to; nobody gets less nice again */
	int64_t idle_since_ms;
	bool is_resting;
};

static void
tell(struct job_worker *self, enum kick_kind kind, const char *id, const struct job_report *report,
    const char *lane)
{
	struct kick kick = {
	    .kind = (unsigned char)kind,
	    .slot = (short)self->worker->number,
	    .generation = self->worker->generation,
	};

	text_copy(kick.id, sizeof kick.id, id);
	text_copy(kick.lane, sizeof kick.lane, lane);
	if (report != NULL) {
		kick.outcome = (unsigned char)report->outcome;
		kick.priority = report->priority;
		kick.wait_seconds = report->wait_seconds;
	}
	if (!kick_write(self->daemon->runner_pipe[1], &kick))
		self->worker->page->missed_kicks = 1;
}

static void
lane_closed(void *context, const char *lane)
{
	tell(context, KICK_CLOSED, "", NULL, lane);
}

static void
lane_opened(void *context, const char *lane)
{
	tell(context, KICK_OPENED, "", NULL, lane);
}

static void
settled(void *context, const char *id, const struct job_report *report)
{
	tell(context, KICK_DONE, id, report, report->lane);
}

static void
queued(void *context, const char *id)
{
	tell(context, KICK_NEW, id, NULL, "");
}

static void
do_job(struct job_worker *self, const struct kick *kick)
{
	struct job_report report;
	char what[96];

	if (kick->priority != self->interval_number) {
		/* a new interval: every host deserves an attempt */
		self->interval_number = kick->priority;
		lanes_reopen(self->run.lanes);
	}
	snprintf(what, sizeof what, "%s %.60s", kick->id, kick->lane);
	slot_set_state(self->worker->slot, SLOT_BUSY, deadline_in(JOB_SECONDS), what);
	os_title(what);
	self->run.is_first_attempt = (kick->outcome & KICK_WORK_NEW) != 0;
	self->run.forgets_back_off = (kick->outcome & KICK_WORK_DUE) != 0;
	self->run.is_if_untried = (kick->outcome & KICK_WORK_UNTRIED) != 0;
	if (kick->wait_seconds > self->nice) {
		errno = 0;
		if (nice((int)(kick->wait_seconds - self->nice)) == -1 && errno != 0)
			log_at(8, LOG_WARNING, "cannot be nice (%ld): %s", kick->wait_seconds,
			    strerror(errno));
		self->nice = kick->wait_seconds;
	}
	self->worker->slot->uses++;
	if (job_run(&self->run, kick->id, &report))
		settled(self, kick->id, &report);
}

static void
be_idle(struct job_worker *self)
{
	slot_set_state(self->worker->slot, SLOT_IDLE, DEADLINE_NEVER, "idle");
	os_title("job worker: idle");
	self->idle_since_ms = clock_monotonic_ms();
	self->is_resting = false;
	tell(self, KICK_READY, "", &(struct job_report){.priority = self->batches}, "");
}

static void
read_work(struct job_worker *self)
{
	struct kick kick;
	bool was_called = false;

	/* the rest of a batch waits in the queue for the next daemon */
	while (!worker_was_told() &&
	       kick_read(self->daemon->worker_pipes[self->worker->number][0], &kick) > 0) {
		if (kick.slot < 0) { /* a new runner asks who is there */
			was_called = true;
			continue;
		}
		if (kick.generation != self->worker->generation)
			continue; /* for the one who was in this place before */
		if (kick.kind == KICK_WORK) {
			do_job(self, &kick);
		} else if (kick.kind == KICK_END) {
			self->batches++;
			was_called = true;
			job_finish(&self->run);
		}
	}
	if (was_called)
		be_idle(self);
}

/* Waits for work; delivered messages that are still in the queue's hands go when there is none. */
static bool
wait_for_work(struct job_worker *self, struct pollfd wait[2])
{
	int64_t next = sessions_expire(self->run.sessions);
	int64_t now = clock_monotonic_ms(), rest = self->idle_since_ms + REST_MS,
		patience = now + (int64_t)IDLE_SECONDS * 1000;

	if (queue_has_pending(self->run.queue)) {
		if (poll(wait, 2, FLUSH_MS) > 0)
			return wait[1].revents != 0;
		queue_flush(self->run.queue);
	}
	if (!self->is_resting && now >= rest) {
		os_trim_memory();
		self->is_resting = true;
	}
	if (!self->is_resting && rest < patience)
		patience = rest;
	return poll(wait, 2, deadline_poll_ms(next < patience ? next : patience)) > 0 &&
	       wait[1].revents != 0;
}

static bool
begin(struct job_worker *self)
{
	struct daemon *daemon = self->daemon;
	const struct options *options = &daemon->config->options;

	daemon_close_listeners(daemon);
	daemon_keep_channels(daemon, self->worker,
	    (int[]){daemon->kick_pipe[1], daemon->runner_pipe[1],
		daemon->worker_pipes[self->worker->number][0], daemon->spawn_socket[0],
		daemon->job_lookups[0]},
	    5);
	if (!identity_become(&daemon->identity)) {
		log_at(0, LOG_CRIT, "job worker: cannot become user %ld: %s",
		    (long)daemon->identity.uid, strerror(errno));
		return false;
	}
	daemon_sandbox(daemon);
	kick_open(daemon->kick_pipe[1]);
	if (daemon->identity.is_change)
		map_set_twin(daemon->job_lookups[0]);
	self->run = (struct run_context){
	    .config = daemon->config,
	    .queue = identity_open_queue(daemon->config, daemon->is_client_queue),
	    .spawner = spawner_create_remote(daemon->spawn_socket[0]),
	    .sessions = sessions_create(
		options->connection_cache_size, options->connection_cache_timeout_seconds),
	    .lanes = lanes_create(),
	    .tls = daemon->client_tls,
	    .has_sender_flag = true,
	    .skip_closed_lanes = true,
	    .lane_closed = lane_closed,
	    .lane_opened = lane_opened,
	    .settled = settled,
	    .queued = queued,
	    .reported = queued,
	    .callback_context = self,
	    .slot = self->worker->slot,
	};
	if (self->run.queue == NULL)
		log_at(0, LOG_CRIT, "job worker: cannot enter %s: %s", options->queue_directory,
		    strerror(errno));
	else
		self->run.queue->batch_removals = true;
	return self->run.queue != NULL;
}

static void
end(struct job_worker *self)
{
	job_finish(&self->run);
	sessions_destroy(self->run.sessions);
	lanes_destroy(self->run.lanes);
	spawner_destroy(self->run.spawner);
	queue_close(self->run.queue);
}

static bool
is_superfluous(const struct job_worker *self)
{
	int64_t idle_ms = clock_monotonic_ms() - self->idle_since_ms;

	return self->worker->slot->uses >= USES_MAXIMUM ||
	       ((self->worker->number > 0 || self->daemon->is_on_demand) &&
		   idle_ms >= (int64_t)IDLE_SECONDS * 1000);
}

int
job_worker_main(struct worker *worker, void *context)
{
	static struct job_worker self;
	struct pollfd wait[2] = {{.fd = worker->life_fd, .events = POLLIN}};

	self = (struct job_worker){.worker = worker, .daemon = context};
	wait[1] =
	    (struct pollfd){.fd = self.daemon->worker_pipes[worker->number][0], .events = POLLIN};
	if (!begin(&self))
		return 1;
	be_idle(&self);
	while (!worker_should_leave(worker) && !is_superfluous(&self)) {
		if (wait_for_work(&self, wait))
			read_work(&self);
	}
	end(&self);
	return 0;
}
