#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "net/listen.h"
#include "os/os.h"
#include "proc/kick.h"
#include "proc/rates.h"
#include "proc/signals.h"
#include "run/roles.h"
#include "server/server.h"

enum {
	SESSION_SECONDS = 24 * 3600, /* a session that lasts longer hangs, and master ends it */
	USES_MAXIMUM = 1000,	     /* then a fresh process takes over */
	LOAD_WAIT_SECONDS = 5,
	LOAD_GOOD_MS = 1000,  /* how long a look at the load average is good for */
	REFUSE_LOOK_MS = 500, /* how soon it notices that a session has ended */
};

struct smtpd {
	struct worker *worker;
	struct daemon *daemon;
	struct server_context server;
	struct pollfd wait[LISTENERS_MAXIMUM + 1]; /* [0] is the pipe to master */
	const struct daemon_port *ports[LISTENERS_MAXIMUM + 1];
	int count;
	int wait_handle;
	bool is_local;
	int load;
	int64_t load_until_ms;
	bool is_resting; /* it has given back what it does not use while it waits */
};

static void
committed(void *context, const char *id, char delivery_mode)
{
	(void)context;
	if (delivery_mode != 'q' && delivery_mode != 'd')
		kick_send(id, "");
}

static void
run_queue(void *context, const char *host)
{
	(void)context;
	(void)host; /* a message of that host is as due as all others then */
	kick_run_now();
}

static void
turned_away(void *context)
{
	struct smtpd *self = context;

	self->worker->slot->tally.refused++;
}

static void
count_client(void *context, const void *address, size_t length, struct server_counts *counts)
{
	struct smtpd *self = context;
	const struct daemon *daemon = self->daemon;
	uint64_t client = rates_key(daemon->rates, address, length);

	rates_count(daemon->rates, client, &counts->client_rate, &counts->total_rate);
	self->worker->slot->client = client;
	counts->client_connections = 0;
	for (int i = 0; i < daemon->smtpd_count; i++) {
		const struct slot *slot = &self->worker->page->slots[daemon->smtpd_first_slot + i];

		counts->client_connections +=
		    slot->pid != 0 && slot->state == SLOT_BUSY && slot->client == client;
	}
}

static bool
is_ending(void *context)
{
	(void)context;
	return worker_was_told();
}

static bool
begin(struct smtpd *self)
{
	struct daemon *daemon = self->daemon;
	const struct options *options = &daemon->config->options;

	self->wait[0] = (struct pollfd){.fd = self->worker->life_fd, .events = POLLIN};
	self->count = 1;
	for (int i = 0; i < daemon->listen_count && !self->is_local; i++) {
		self->ports[self->count] = daemon->ports[i];
		self->wait[self->count++] =
		    (struct pollfd){.fd = daemon->listen_fds[i], .events = POLLIN};
	}
	if (self->is_local)
		self->wait[self->count++] =
		    (struct pollfd){.fd = daemon->local_fd, .events = POLLIN};
	/* never those by which credentials are asked for, or mailers run */
	daemon_keep_channels(
	    daemon, self->worker, (int[]){daemon->kick_pipe[1], daemon->smtpd_lookups[0]}, 2);
	if (!identity_become(&daemon->identity)) {
		log_at(0, LOG_CRIT, "smtpd: cannot become user %ld: %s", (long)daemon->identity.uid,
		    strerror(errno));
		return false;
	}
	daemon_sandbox(daemon);
	kick_open(daemon->kick_pipe[1]);
	if (daemon->identity.is_change)
		map_set_twin(daemon->smtpd_lookups[0]);
	self->server = (struct server_context){
	    .config = daemon->config,
	    .queue = identity_open_queue(daemon->config, daemon->is_client_queue),
	    .committed = committed,
	    .run_queue = run_queue,
	    .is_ending = is_ending,
	    .turned_away = turned_away,
	    .context = self,
	    .count = self->is_local ? NULL : count_client,
	    .wake_fd = signals_fd(),
	    .tls = daemon->server_tls,
	    .traffic_fd = -1,
	};
	if (self->server.queue == NULL)
		log_at(0, LOG_CRIT, "smtpd: cannot enter %s: %s", options->queue_directory,
		    strerror(errno));
	return self->server.queue != NULL;
}

/* Sockets that this role does not serve are closed; those it does serve go the moment that master goes. */
static void
guard_sockets(struct smtpd *self)
{
	const struct daemon *daemon = self->daemon;
	int fds[LISTENERS_MAXIMUM + 1];

	for (int i = 1; i < self->count; i++)
		fds[i - 1] = self->wait[i].fd;
	worker_guard_sockets(self->worker, fds, self->count - 1);
	for (int i = 0; i < daemon->listen_count && self->is_local; i++)
		close(daemon->listen_fds[i]);
	if (!self->is_local && daemon->local_fd >= 0)
		close(daemon->local_fd);
}

static void
be_idle(struct smtpd *self)
{
	slot_set_state(self->worker->slot, SLOT_IDLE, DEADLINE_NEVER, "idle");
	os_title(
	    self->is_local ? "local submission: accepting connections" : "accepting connections");
}

/* A look at the load average is good for a second. */
static int
look_at_load(struct smtpd *self)
{
	int64_t now = clock_monotonic_ms();

	if (now >= self->load_until_ms) {
		self->load = os_load_average();
		self->load_until_ms = now + LOAD_GOOD_MS;
	}
	return self->load;
}

/* ConnectionRateThrottle: whoever is too many in this second waits in the listen queue. */
static bool
wait_for_turn(struct smtpd *self, int listener)
{
	int most = self->daemon->config->options.connection_rate_throttle, wait_ms;
	const struct daemon_port *port = self->ports[listener];

	while (most > 0 && !self->is_local &&
	       (wait_ms = rates_admit(self->daemon->rates, listener, most)) > 0) {
		log_at(9, LOG_INFO, "deferring connections on daemon %s: %d per second",
		    port != NULL && port->name != NULL ? port->name : "MTA", most);
		if (poll(self->wait, 1, wait_ms) > 0)
			return false;
	}
	return true;
}

/* The port's DeliveryMode; with the load over its QueueLA mail is only queued. */
static char
delivery_mode(struct smtpd *self, const struct daemon_port *port)
{
	if (port == NULL)
		return 0;
	if (port->queue_load > 0 && look_at_load(self) >= port->queue_load)
		return 'q';
	return port->delivery_mode;
}

static void
serve(struct smtpd *self, int listener)
{
	struct net_address peer;
	int fd = listen_accept(self->wait[listener].fd, &peer);
	struct server_link link = {
	    .kind = self->is_local ? SERVER_LOCAL : SERVER_TCP,
	    .input_fd = fd,
	    .output_fd = fd,
	    .port = self->ports[listener],
	};

	if (fd < 0)
		return; /* another worker was faster */
	self->worker->slot->client = 0;
	slot_set_state(self->worker->slot, SLOT_BUSY, deadline_in(SESSION_SECONDS), "session");
	worker_poke_if_scarce(self->worker);
	if (!self->is_local)
		self->worker->slot->tally.accepted++;
	self->is_resting = false;
	self->server.delivery_mode = delivery_mode(self, link.port);
	server_session(&self->server, &link);
	self->worker->slot->uses++;
	be_idle(self);
}

/* RefuseLA: while the system is that busy, connections wait in the listen queue. */
static bool
is_refusing(struct smtpd *self, int listener)
{
	const struct daemon_port *port = self->ports[listener];
	int limit = port != NULL && port->refuse_load > 0
			? port->refuse_load
			: self->daemon->config->options.refuse_load;

	return !self->is_local && limit > 0 && look_at_load(self) >= limit;
}

/* Waits for a connection, at listeners that refuse none; the listener, or 0. */
static int
next_listener(struct smtpd *self)
{
	struct pollfd wait[LISTENERS_MAXIMUM + 1];
	bool refuses = false;

	memcpy(wait, self->wait, sizeof wait);
	for (int i = 1; i < self->count; i++) {
		if (is_refusing(self, i)) {
			wait[i].fd = -1;
			refuses = true;
		}
	}
	if (refuses) {
		if (poll(wait, (nfds_t)self->count, LOAD_WAIT_SECONDS * 1000) <= 0)
			return 0;
		for (int i = 0; i < self->count; i++)
			self->wait[i].revents = wait[i].revents;
	} else {
		int ready = os_wait(self->wait_handle, self->wait, self->count);

		if (ready == 0 && !self->is_resting) {
			os_trim_memory();
			self->is_resting = true;
		}
		if (ready <= 0)
			return 0;
	}
	for (int i = 1; i < self->count && self->wait[0].revents == 0; i++) {
		if (self->wait[i].revents != 0)
			return i;
	}
	return 0;
}

static int
serve_all(struct worker *worker, struct daemon *daemon, bool is_local)
{
	static struct smtpd self;

	self = (struct smtpd){.worker = worker, .daemon = daemon, .is_local = is_local};
	if (!begin(&self))
		return 1;
	guard_sockets(&self);
	self.wait_handle = os_wait_open(self.wait, self.count);
	be_idle(&self);
	while (worker->slot->uses < USES_MAXIMUM && !worker_should_leave(worker)) {
		/* one, then a look at the pipe to master again */
		int listener = next_listener(&self);

		if (listener > 0 && wait_for_turn(&self, listener))
			serve(&self, listener);
	}
	queue_close(self.server.queue);
	return 0;
}

int
smtpd_main(struct worker *worker, void *context)
{
	return serve_all(worker, context, false);
}

int
smtpd_local_main(struct worker *worker, void *context)
{
	return serve_all(worker, context, true);
}

/* ---- the one who says 421 ---- */

static bool
all_are_busy(const struct worker *worker, const struct daemon *daemon)
{
	for (int i = 0; i < daemon->smtpd_count; i++) {
		const struct slot *slot = &worker->page->slots[daemon->smtpd_first_slot + i];

		if (slot->pid == 0 || slot->state != SLOT_BUSY)
			return false;
	}
	return true;
}

static void
refuse_one(const struct worker *worker, const struct daemon *daemon, int listener)
{
	struct net_address peer;
	int fd = listen_accept(listener, &peer);
	const char *name = config_macro(daemon->config, daemon->config->macros, "j");

	if (fd < 0)
		return;
	worker->slot->tally.refused++;
	/* a fresh socket takes a line without waiting; whoever does not read it loses nothing */
	if (io_printf(fd, "421 4.3.2 %s Too many connections, try again later\r\n",
		name != NULL ? name : ""))
		log_at(
		    5, LOG_NOTICE, "too many connections (%d): one refused", daemon->smtpd_count);
	close(fd);
}

int
refuse_main(struct worker *worker, void *context)
{
	static struct smtpd self;

	self = (struct smtpd){.worker = worker, .daemon = context};
	if (!begin(&self))
		return 1;
	guard_sockets(&self);
	os_title("refusing connections");
	slot_set_state(worker->slot, SLOT_IDLE, DEADLINE_NEVER, "refusing");
	while (!worker_should_leave(worker) && all_are_busy(worker, self.daemon)) {
		if (poll(self.wait, (nfds_t)self.count, REFUSE_LOOK_MS) <= 0)
			continue;
		for (int i = 1; i < self.count; i++) {
			if (self.wait[i].revents != 0 && all_are_busy(worker, self.daemon))
				refuse_one(worker, self.daemon, self.wait[i].fd);
		}
	}
	queue_close(self.server.queue);
	return 0;
}
