#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/text.h"
#include "master_private.h"
#include "net/address.h"
#include "proc/subsystem.h"
#include "queue/queue.h"
#include "run/identity.h"
#include "run/job_log.h"
#include "smtp/local.h"

/*
 * What lssrc -l -s sendmail tells.  It happens in a child of master, which may read whole queue
 * directories while mail goes on.
 */

struct status {
	const struct master *master;
	const struct config *config;
	struct subsystem_report *report;
};

static void
say_who(const struct status *status)
{
	const struct master *master = status->master;
	char now[DATE_CTIME_SIZE];

	subsystem_say(
	    status->report, "version", "Pillarbox %s, as sendmail %s", VERSION, CONFIG_V8_VERSION);
	subsystem_say(status->report, "running since", "%s, as %s",
	    date_ctime(master->started_at, now), master->settings->command_line);
	if (master->extra_level != NULL && *master->extra_level != 0)
		subsystem_say(status->report, "log level", "%d, and %d more by traceson",
		    status->config->options.log_level, *master->extra_level);
	else
		subsystem_say(status->report, "log level", "%d", status->config->options.log_level);
}

static void
say_config(const struct status *status)
{
	const struct generation *current = status->master->current;
	char written[DATE_CTIME_SIZE], read_at[DATE_CTIME_SIZE];
	struct stat file;

	subsystem_say(status->report, "configuration", "%s", status->config->file);
	date_ctime(current->read_at, read_at);
	if (stat(status->config->file, &file) < 0)
		subsystem_say(status->report, "", "read %s; now: %s", read_at, strerror(errno));
	else
		subsystem_say(status->report, "", "written %s, read %s%s",
		    date_ctime(file.st_mtime, written), read_at,
		    file.st_mtime > current->read_at ? "; changed since, refresh is due" : "");
}

static void
say_listeners(const struct status *status)
{
	const struct daemon *daemon = &status->master->current->daemon;

	for (int i = 0; i < daemon->listen_count; i++) {
		const struct daemon_port *port = daemon->ports[i];
		struct sockaddr_storage address;
		socklen_t length = sizeof address;
		char text[ADDRESS_TEXT_SIZE];

		memset(&address, 0, sizeof address);
		if (getsockname(daemon->listen_fds[i], (struct sockaddr *)&address, &length) < 0)
			continue;
		address_text((struct sockaddr *)&address, false, text);
		subsystem_say(status->report, i == 0 ? "listener" : "", "%s: %s port %u",
		    port->name != NULL ? port->name : "Daemon0", text,
		    address_port((struct sockaddr *)&address));
	}
	if (status->master->ports_are_missing)
		subsystem_say(status->report, "", "some ports could not be opened; see the log");
	if (daemon->local_fd >= 0)
		subsystem_say(status->report, "local socket", "%s", local_socket_path());
}

static void
say_work(const struct status *status)
{
	const struct master *master = status->master;
	const struct generation *current = master->current;
	struct tally sum = master->past;
	int busy = 0;

	page_tally(current->page, current->slot_count, &sum);
	for (int i = 0; i < current->daemon.smtpd_count; i++) {
		const struct slot *slot =
		    &current->page->slots[current->daemon.smtpd_first_slot + i];

		busy += slot->pid != 0 && slot->state == SLOT_BUSY;
	}
	for (const struct generation *old = master->old; old != NULL; old = old->next) {
		if (old->page != NULL)
			page_tally(old->page, old->slot_count, &sum);
	}
	subsystem_say(status->report, "connections", "%d now, %lu accepted, %lu refused", busy,
	    sum.accepted, sum.refused);
	subsystem_say(status->report, "recipients", "%lu sent, %lu deferred, %lu failed", sum.sent,
	    sum.deferred, sum.failed);
}

/* ---- the queue ---- */

struct queue_summary {
	size_t waiting, quarantined, lost;
	char oldest[ENVELOPE_ID_SIZE]; /* ids begin with their time, in the order of ASCII; "" */
};

static size_t
count_kind(struct queue *queue, char kind, char oldest[ENVELOPE_ID_SIZE])
{
	struct queue_entry *entries;
	size_t count;

	if (queue_scan(queue, kind, &entries, &count) < 0)
		return 0;
	for (size_t i = 0; i < count && oldest != NULL; i++) {
		if (oldest[0] == '\0' || strcmp(entries[i].id, oldest) < 0)
			text_copy(oldest, ENVELOPE_ID_SIZE, entries[i].id);
	}
	free(entries);
	return count;
}

static void
say_oldest(const struct status *status, struct queue *queue, const char *id)
{
	struct envelope *envelope = NULL;
	char created[DATE_CTIME_SIZE];
	struct str age = {0};

	if (queue_peek(queue, 'q', id, &envelope) != QUEUE_TAKEN)
		return; /* it was delivered meanwhile */
	job_log_interval(&age, (long)(clock_now() - envelope->created));
	subsystem_say(status->report, "", "oldest %s, of %s (%s)", id,
	    date_ctime(envelope->created, created), str_text(&age));
	str_free(&age);
	envelope_destroy(envelope);
}

static void
say_queue(const struct status *status, const char *name, const char *path)
{
	struct queue *queue = queue_open(path, 0600, false, false);

	if (queue == NULL) {
		subsystem_say(status->report, name, "%s: %s", path, strerror(errno));
		return;
	}
	for (struct queue *one = queue; one != NULL; one = one->next) {
		struct queue_summary summary = {0};
		struct queue *rest = one->next;

		one->next = NULL; /* this directory alone */
		queue_accept_owner(one, status->config->options.trusted_uid);
		summary.waiting = count_kind(one, 'q', summary.oldest);
		summary.quarantined = count_kind(one, 'h', NULL);
		summary.lost = count_kind(one, 'Q', NULL);
		subsystem_say(status->report, name,
		    "%s: %zu waiting, %zu quarantined, %zu set aside", one->path, summary.waiting,
		    summary.quarantined, summary.lost);
		if (summary.oldest[0] != '\0')
			say_oldest(status, one, summary.oldest);
		one->next = rest;
	}
	queue_close(queue);
}

static void
say_queues(const struct status *status)
{
	const struct generation *current = status->master->current;
	int64_t next = current->page->next_run_ms, now = clock_monotonic_ms();
	struct str text = {0};

	say_queue(status, "queue", status->config->options.queue_directory);
	for (const struct queue_group_conf *group = status->config->queue_groups; group != NULL;
	     group = group->next) {
		if (group->path != NULL)
			say_queue(status, group->name, group->path);
	}
	if (current->daemon.has_interval) {
		str_add_text(&text, "in ");
		job_log_interval(&text, next > now ? (long)((next - now) / 1000) : 0);
		str_add_text(&text, ", every ");
		job_log_interval(&text, current->daemon.interval_seconds);
	} else {
		str_add_text(&text, "none (no -q): sendmail -q starts one");
	}
	subsystem_say(status->report, "next run", "%s", str_text(&text));
	str_free(&text);
}

/* ---- the smart host ---- */

static const struct last_session *
later(const struct last_session *found, const struct generation *generation)
{
	for (int i = 0; generation->page != NULL && i < generation->slot_count; i++) {
		const struct last_session *one = &generation->page->slots[i].session;

		if (one->when != 0 && (found == NULL || one->when > found->when))
			found = one;
	}
	return found;
}

void
master_remember(struct master *master, const struct generation *generation)
{
	const struct last_session *last = later(NULL, generation);

	if (generation->page != NULL)
		page_tally(generation->page, generation->slot_count, &master->past);
	if (last != NULL && last->when >= master->last_session.when)
		master->last_session = *last;
}

static void
say_smart_host(const struct status *status)
{
	const char *name = config_macro(status->config, status->config->macros, "S");
	const struct last_session *last = later(NULL, status->master->current);
	char when[DATE_CTIME_SIZE];

	for (const struct generation *old = status->master->old; old != NULL; old = old->next)
		last = later(last, old);
	if (last == NULL && status->master->last_session.when != 0)
		last = &status->master->last_session;
	subsystem_say(status->report, "smart host", "%s",
	    name != NULL && *name != '\0' ? name : "none ($S is empty)");
	if (last == NULL) {
		subsystem_say(status->report, "last delivery", "none since the start");
		return;
	}
	subsystem_say(status->report, "last delivery", "%s, to %.*s",
	    date_ctime((time_t)last->when, when), (int)sizeof last->relay - 1, last->relay);
	subsystem_say(status->report, "TLS", "%.*s", (int)sizeof last->tls - 1, last->tls);
	subsystem_say(status->report, "AUTH", "%.*s", (int)sizeof last->auth - 1, last->auth);
	subsystem_say(status->report, "result", "%.*s", (int)sizeof last->result - 1, last->result);
}

static void
say_signals(const struct status *status)
{
	subsystem_say(status->report, "SIGHUP", "reads the configuration anew, as refresh does");
	subsystem_say(status->report, "SIGTERM", "ends the daemon, as stopsrc does");
	subsystem_say(status->report, "SIGUSR1", "writes what each process does to the log");
}

void
master_describe(void *context, struct subsystem_report *report)
{
	struct master *master = context;
	struct status status = {
	    .master = master, .config = master->current->daemon.config, .report = report};

	say_who(&status);
	say_config(&status);
	say_listeners(&status);
	/* whoever waits for this report must not keep a port open after a stop */
	daemon_close_listeners(&master->current->daemon);
	for (struct generation *old = master->old; old != NULL; old = old->next)
		daemon_close_listeners(&old->daemon);
	say_work(&status);
	subsystem_say_more_follows(report);
	say_queues(&status);
	say_smart_host(&status);
	say_signals(&status);
}
