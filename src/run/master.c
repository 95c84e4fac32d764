#include "config.h"

#include "run/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "master_private.h"
#include "os/os.h"
#include "proc/kick.h"
#include "proc/notify.h"
#include "proc/pidfile.h"
#include "proc/signals.h"
#include "proc/subsystem.h"
#include "queue/queue.h"
#include "run/job_log.h"

enum {
	PORT_TRIES = 10, /* V8: a port may still be held by the daemon before */
	PORT_WAIT_SECONDS = 5,
	PORT_AGAIN_SECONDS = 30,
	FAREWELL_SECONDS = 10, /* how long master waits for its workers when it stops */
	GENTLE_SECONDS = 15,   /* the same for stopsrc: SRC waits 20 seconds */
	AT_ONCE_SECONDS = 2,   /* and for stopsrc -f */
	QUEUES_SECONDS = 600,  /* without -q */
};

void
master_announce(const struct master *master)
{
	const struct config *config = master->current->daemon.config;
	const char *version = config_macro(config, config->macros, "v");
	struct str what = {0};

	if (master->settings->serves_smtp)
		str_add_text(&what, "SMTP");
	if (master->settings->has_interval) {
		str_add_text(&what, what.length > 0 ? "+queueing@" : "queueing@");
		job_log_interval(&what, master->settings->interval_seconds);
	}
	log_at(5, LOG_INFO, "starting daemon (%s): %s", version != NULL ? version : "",
	    str_text(&what));
	str_free(&what);
}

void
master_write_pid(const struct master *master)
{
	const struct config *config = master->current->daemon.config;
	struct arena *arena = arena_create();
	const char *path = config->options.pid_file;

	if (path != NULL && *path != '\0') {
		path = config_expand(config, config->macros, path, arena);
		if (!pidfile_write(path, master->settings->command_line))
			log_at(0, LOG_ERR, "unable to write pid to %s: %s", path, strerror(errno));
	}
	arena_destroy(arena);
}

/* V8's words for what ps shows. */
static void
show_title(const struct master *master)
{
	const char *path = master->current->daemon.config->options.queue_directory;
	struct str title = {0};

	if (master->settings->serves_smtp) {
		os_title("accepting connections");
		return;
	}
	str_add_text(&title, "Queue runner@");
	job_log_interval(&title, master->settings->interval_seconds);
	str_printf(&title, " for %s", path != NULL ? path : "");
	os_title(str_text(&title));
	str_free(&title);
}

/* ---- ports ---- */

static bool
wait_or_stop(int seconds)
{
	struct pollfd wait = {.fd = signals_fd(), .events = POLLIN};
	int64_t until = deadline_in(seconds);

	while (!deadline_passed(until)) {
		if (poll(&wait, 1, deadline_poll_ms(until)) > 0)
			signals_drain();
		if (signals_take(SIGTERM) || signals_take(SIGINT))
			return false;
	}
	return true;
}

/* At the start the daemon before may still hold its ports; without any there is no daemon. */
static bool
open_first_ports(struct master *master)
{
	struct daemon *daemon = &master->current->daemon;

	for (int i = 0; i < PORT_TRIES; i++) {
		int missing = master_open_ports(daemon, NULL, i == 0, NULL);

		master->ports_are_missing = missing > 0;
		if (missing == 0 || (daemon->listen_count > 0 && i > 0))
			break;
		if (!wait_or_stop(PORT_WAIT_SECONDS))
			return false;
	}
	if (daemon->listen_count == 0)
		return false;
	master_open_local(daemon, NULL);
	return true;
}

/* ---- the client queue ---- */

void
master_start_client_queue(struct master *master)
{
	const char *program = master->settings->client_queue_program;
	char *const argv[] = {"sendmail", "-L", "sm-msp-queue", "-Ac", "-qf", NULL};

	if (program == NULL || master->client_queue_pid > 0)
		return;
	master->client_queue_pid = fork();
	if (master->client_queue_pid != 0)
		return;
	pool_close_in_child();
	signals_restore();
	os_close_from(3);
	execv(program, argv);
	log_at(0, LOG_ERR, "cannot run %s: %s", program, strerror(errno));
	_exit(EX_OSERR);
}

/* What real sendmail queued as root becomes the mail user's, who could not touch it otherwise. */
static void
start_adoption(struct master *master)
{
	const struct daemon *daemon = &master->current->daemon;
	struct queue *queue;

	if (!daemon->identity.is_change || master->adoption_pid > 0)
		return;
	master->adoption_pid = fork();
	if (master->adoption_pid != 0)
		return;
	pool_close_in_child();
	signals_restore();
	daemon_close_listeners(&master->current->daemon);
	queue = identity_open_queue(daemon->config, daemon->is_client_queue);
	kick_open(daemon->kick_pipe[1]);
	if (queue != NULL && queue_adopt(queue, daemon->identity.uid, daemon->identity.gid) > 0)
		kick_run_now();
	_exit(EX_OK);
}

/* What master does for the queues at the start and at each interval. */
static int64_t
tend_queues(struct master *master)
{
	long seconds =
	    master->settings->has_interval ? master->settings->interval_seconds : QUEUES_SECONDS;

	if (deadline_passed(master->next_queues_ms)) {
		master->next_queues_ms = deadline_in(seconds);
		master_start_client_queue(master);
		start_adoption(master);
	}
	return master->next_queues_ms;
}

/* ---- generations ---- */

bool
master_start_current(struct master *master)
{
	log_set_level(master->current->daemon.config->options.log_level);
	if (generation_start(master->current, master->settings, master->poke[1]))
		return true;
	log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(root): cannot start the daemon's processes: %s",
	    strerror(errno));
	return false;
}

static void
reload_by_signal(struct master *master)
{
	struct str reason = {0};

	log_at(5, LOG_INFO, "restarting %s due to signal", master->settings->program);
	master_reload(master, &reason);
	str_free(&reason);
}

/* Ports that could not be had: new processes once they can. */
static int64_t
tend_ports(struct master *master)
{
	struct daemon *daemon = &master->current->daemon;
	int before = daemon->listen_count;
	struct str reason = {0};

	if (!master->ports_are_missing)
		return DEADLINE_NEVER;
	if (!deadline_passed(master->next_ports_ms) && master->next_ports_ms != 0)
		return master->next_ports_ms;
	master->next_ports_ms = deadline_in(PORT_AGAIN_SECONDS);
	master->ports_are_missing = master_open_ports(daemon, NULL, false, NULL) > 0;
	if (daemon->listen_count > before)
		master_reload(master, &reason);
	str_free(&reason);
	return master->next_ports_ms;
}

static void
reap(struct master *master)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool known = subsystem_reap(pid) || takeover_reap(master->orphans, pid);

		if (master->current != NULL && !known)
			known = generation_reap(master->current, pid, status);
		for (struct generation *old = master->old; old != NULL && !known; old = old->next)
			known = generation_reap(old, pid, status);
		if (pid == master->client_queue_pid)
			master->client_queue_pid = 0;
		if (pid == master->adoption_pid)
			master->adoption_pid = 0;
		if (pid == master->check_pid) {
			master->check_status = status;
			master->check_pid = 0;
		}
		/* any other is one that we got as the first process of a container */
	}
}

void
master_drain(struct master *master)
{
	char bytes[256];

	signals_drain();
	while (read(master->poke[0], bytes, sizeof bytes) > 0)
		continue;
	if (signals_take(SIGCHLD))
		reap(master);
}

static bool
has_old_runner(const struct master *master)
{
	for (const struct generation *old = master->old; old != NULL; old = old->next) {
		if (generation_has_runner(old))
			return true;
	}
	return takeover_has_runner(master->orphans);
}

static int64_t
earlier(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

int64_t
master_tend(struct master *master)
{
	struct generation **link = &master->old;
	int64_t next = generation_tend(master->current, !has_old_runner(master));

	while (*link != NULL) {
		struct generation *old = *link;

		next = earlier(next, generation_tend(old, true));
		if (generation_count(old) == 0) {
			*link = old->next;
			master_remember(master, old);
			generation_destroy(old);
		} else {
			link = &old->next;
		}
	}
	next = earlier(next, takeover_tend(master->orphans));
	if (master->orphans != NULL && takeover_count(master->orphans) == 0) {
		takeover_destroy(master->orphans);
		master->orphans = NULL;
	}
	return earlier(next, tend_queues(master));
}

/* SIGUSR1: who does what, for the administrator. */
static void
dump_state(const struct master *master)
{
	const struct generation *current = master->current;
	const char *name =
	    config_macro(current->daemon.config, current->daemon.config->macros, "j");

	log_at(0, LOG_DEBUG, "NOQUEUE: --- dumping state on user signal: $j = %s ---",
	    name != NULL ? name : "");
	log_at(0, LOG_DEBUG, "NOQUEUE: CurChildren = %d", generation_count(current));
	for (int i = 0; i < current->slot_count; i++) {
		const struct slot *slot = &current->page->slots[i];

		if (slot->pid != 0)
			log_at(0, LOG_DEBUG, "NOQUEUE: %ld: %.*s, %u done, for %lld s",
			    (long)slot->pid, (int)sizeof slot->what, slot->what, slot->uses,
			    (long long)(clock_monotonic_ms() - slot->state_since_ms) / 1000);
	}
	log_at(0, LOG_DEBUG, "NOQUEUE: --- end of state dump ---");
}

static void
signal_all(struct master *master, int signal_number, bool sessions_only)
{
	for (struct generation *old = master->old; old != NULL; old = old->next)
		generation_signal(old, signal_number, sessions_only);
	takeover_signal(master->orphans, signal_number);
}

/* True when the last of them has gone in time. */
static bool
wait_for_workers(struct master *master, int64_t until)
{
	struct pollfd wait = {.fd = signals_fd(), .events = POLLIN};

	for (;;) {
		int count = takeover_count(master->orphans);

		for (struct generation *old = master->old; old != NULL; old = old->next) {
			generation_tend(old, true);
			count += generation_count(old);
		}
		if (count == 0 || deadline_passed(until))
			return count == 0;
		poll(&wait, 1, 1000);
		master_drain(master);
	}
}

static void
farewell(struct master *master)
{
	long seconds = master->stop == MASTER_STOPS_AT_ONCE  ? AT_ONCE_SECONDS
		       : master->stop == MASTER_STOPS_GENTLY ? GENTLE_SECONDS
							     : FAREWELL_SECONDS;

	notify_send("STOPPING=1");
	pidfile_remove();
	master_close_control(master);
	generation_leave(master->current);
	master->current->next = master->old;
	master->old = master->current;
	master->current = NULL;
	/* sessions end at their next command, job workers with the message in hand */
	signal_all(master, SIGTERM, false);
	if (wait_for_workers(master, deadline_in(seconds)))
		return;
	/* who stays delivers on by himself; he holds no port, and knows that master has gone */
	if (master->stop == MASTER_STOPS_GENTLY)
		signal_all(master, SIGKILL, true);
	else if (master->stop == MASTER_STOPS_AT_ONCE)
		signal_all(master, SIGKILL, false);
}

static void
serve(struct master *master)
{
	while (master->stop == MASTER_GOES_ON) {
		struct pollfd wait[] = {{.fd = signals_fd(), .events = POLLIN},
		    {.fd = master->poke[0], .events = POLLIN},
		    {.fd = subsystem_fd(), .events = POLLIN},
		    {.fd = master->control_fd, .events = POLLIN}};
		int64_t next = master_tend(master);

		poll(wait, sizeof wait / sizeof wait[0],
		    deadline_poll_ms(earlier(next, tend_ports(master))));
		master_drain(master);
		if (signals_take(SIGTERM) || signals_take(SIGINT))
			master->stop = MASTER_STOPS;
		else if (signals_take(SIGHUP))
			reload_by_signal(master);
		else if (wait[2].revents != 0)
			master_serve_subsystem(master);
		else if (wait[3].revents != 0)
			master_serve_control(master);
		if (signals_take(SIGUSR1))
			dump_state(master);
	}
}

/* The sockets that the program before left, or new ones. */
static bool
open_sockets(struct master *master)
{
	struct daemon *daemon = &master->current->daemon, *before;

	if (!master->settings->serves_smtp)
		return true;
	if (master->orphans == NULL)
		return open_first_ports(master);
	before = takeover_sockets(master->orphans);
	master->ports_are_missing = master_open_ports(daemon, before, true, NULL) > 0;
	master_open_local(daemon, before);
	daemon_close_listeners(before);
	return true;
}

int
master_run(const struct master_settings *settings)
{
	struct master master = {.settings = settings, .kick_pipe = {-1, -1}, .control_fd = -1};

	clock_watch();
	master.orphans = takeover_receive(&master);
	if (!signals_open() || !io_make_pipe(master.poke) ||
	    (master.kick_pipe[0] < 0 && !io_make_pipe(master.kick_pipe))) {
		log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(root): %s", strerror(errno));
		return EX_OSERR;
	}
	if (stat(settings->executable, &master.binary) < 0)
		memset(&master.binary, 0, sizeof master.binary);
	master.started_at = clock_now();
	master.extra_level = page_number_create();
	log_watch_extra(master.extra_level);
	master.current = generation_create(&master, settings->config);
	master_write_pid(&master);
	master_announce(&master);
	if (!open_sockets(&master) || !master_start_current(&master)) {
		pidfile_remove();
		return EX_OSERR;
	}
	master.next_queues_ms = clock_monotonic_ms();
	show_title(&master);
	master_open_control(&master);
	notify_send("READY=1");
	reap(&master); /* what ended while nobody looked */
	serve(&master);
	farewell(&master);
	return EX_OK;
}
