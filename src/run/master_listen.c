#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "master_private.h"
#include "net/listen.h"
#include "os/os.h"
#include "server/server.h"
#include "smtp/local.h"

enum { FINISH_MS = 1000, FINISH_STEP_MS = 20 };

/* Without a DaemonPortOptions line: the port of SMTP, on all IPv4 addresses. */
static const struct daemon_port default_port = {.name = "MTA", .modifiers = ""};

static struct listen_request
request_of(const struct daemon_port *port)
{
	return (struct listen_request){
	    .family = port->family != NULL && text_equal_nocase(port->family, "inet6") ? AF_INET6
										       : AF_INET,
	    .address = port->address,
	    .port = port->port,
	    .backlog = port->listen_backlog,
	    .send_buffer = port->send_buffer,
	    .receive_buffer = port->receive_buffer,
	};
}

static bool
is_listening(const struct daemon *daemon, const struct daemon_port *port)
{
	for (int i = 0; i < daemon->listen_count; i++) {
		if (daemon->ports[i] == port)
			return true;
	}
	return false;
}

static bool
same_text(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

static bool
same_port(const struct daemon_port *one, const struct daemon_port *other)
{
	return same_text(one->address, other->address) && same_text(one->port, other->port) &&
	       same_text(one->family, other->family) &&
	       one->listen_backlog == other->listen_backlog;
}

static const struct daemon_port *
first_port(const struct daemon *daemon)
{
	const struct daemon_port *port = daemon->config->options.daemon_ports;

	return port != NULL ? port : &default_port;
}

static void
add_socket(struct daemon *daemon, const struct daemon_port *port, int fd)
{
	if (daemon->listen_count == LISTENERS_MAXIMUM) {
		close(fd);
		return;
	}
	daemon->ports[daemon->listen_count] = port;
	daemon->listen_fds[daemon->listen_count++] = fd;
}

/* The sockets of the configuration before for this port, whose lines say the same. */
static bool
inherit_by_name(struct daemon *daemon, const struct daemon *old, const struct daemon_port *port)
{
	bool has_one = false;

	for (int i = 0; i < old->listen_count; i++) {
		int fd = old->listen_fds[i] >= 0 && same_port(old->ports[i], port)
			     ? os_duplicate(old->listen_fds[i], 3)
			     : -1;

		if (fd < 0)
			continue;
		add_socket(daemon, port, fd);
		has_one = true;
	}
	return has_one;
}

/* Its own address of a socket; true when it covers `other`, or, when `exactly`, is the same. */
static bool
socket_covers(int fd, const struct net_address *other, bool exactly)
{
	struct net_address own = {.length = sizeof own.storage}, wild = *other;

	if (getsockname(fd, (struct sockaddr *)&own.storage, &own.length) < 0)
		return false;
	if (listen_same_address(&own, other))
		return true;
	listen_any_address(&wild);
	return !exactly && listen_same_address(&own, &wild);
}

/* The socket of the configuration before that has this address, whatever its line said. */
static bool
inherit_by_address(struct daemon *daemon, const struct daemon *old, const struct daemon_port *port,
    const struct net_address *address)
{
	for (int i = 0; i < old->listen_count; i++) {
		int fd = old->listen_fds[i];

		if (fd < 0 || !socket_covers(fd, address, true))
			continue;
		fd = os_duplicate(fd, 3);
		if (fd < 0)
			return false;
		listen(fd, port->listen_backlog > 0 ? port->listen_backlog : SOMAXCONN);
		add_socket(daemon, port, fd);
		return true;
	}
	return false;
}

/*
 * All addresses instead of one: what comes by the one goes on to come by its socket, since the system
 * would cut off whoever waits at a socket that is closed.
 */
static void
inherit_covered(
    struct daemon *daemon, const struct daemon *old, const struct daemon_port *port, int new_socket)
{
	for (int i = 0; i < old->listen_count; i++) {
		struct net_address address = {.length = sizeof address.storage};
		int fd = old->listen_fds[i];

		if (fd < 0 ||
		    getsockname(fd, (struct sockaddr *)&address.storage, &address.length) < 0 ||
		    !socket_covers(new_socket, &address, false))
			continue;
		fd = os_duplicate(fd, 3);
		if (fd >= 0)
			add_socket(daemon, port, fd);
	}
}

/* The configuration before wanted this port too, and could not have it. */
static bool
was_missing(const struct daemon *old, const struct daemon_port *port)
{
	if (old->config == NULL)
		return true; /* the one of the program before: its word counts, not ours */
	for (const struct daemon_port *one = first_port(old); one != NULL; one = one->next) {
		if (same_port(one, port) && !is_listening(old, one))
			return true;
	}
	return false;
}

static void
share_ports(struct daemon *daemon, bool on)
{
	for (int i = 0; i < daemon->listen_count; i++)
		os_share_port(daemon->listen_fds[i], on);
}

/*
 * Another address of a port that we hold already, 127.0.0.1 instead of all: both sockets are open for a
 * moment, so that no connection is refused.
 */
static bool
open_beside(struct daemon *daemon, struct daemon *old, const struct daemon_port *port,
    struct listen_request *request, struct arena *arena)
{
	const char *unused;
	int fd;

	share_ports(old, true);
	request->shares_port = true;
	fd = listen_open(request, arena, &unused);
	share_ports(old, false);
	if (fd < 0)
		return false;
	os_share_port(fd, false);
	add_socket(daemon, port, fd);
	inherit_covered(daemon, old, port, fd);
	return true;
}

static bool
open_port(struct daemon *daemon, struct daemon *old, const struct daemon_port *port,
    struct arena *arena, const char **error)
{
	struct listen_request request = request_of(port);
	struct net_address address;
	int fd;

	if (old != NULL && inherit_by_name(daemon, old, port))
		return true;
	if (old != NULL && listen_address(&request, &address, arena, error) &&
	    inherit_by_address(daemon, old, port, &address))
		return true;
	fd = listen_open(&request, arena, error);
	if (fd >= 0) {
		add_socket(daemon, port, fd);
		return true;
	}
	return old != NULL && errno == EADDRINUSE &&
	       open_beside(daemon, old, port, &request, arena);
}

/* Whoever waits at a socket that will be closed is served before. */
void
master_finish_ports(const struct daemon *old, const struct daemon *daemon)
{
	for (int i = 0; i < old->listen_count; i++) {
		struct pollfd wait = {.fd = old->listen_fds[i], .events = POLLIN};
		struct net_address address = {.length = sizeof address.storage};
		bool goes_on = false;
		int patience = FINISH_MS / FINISH_STEP_MS;

		if (wait.fd < 0 ||
		    getsockname(wait.fd, (struct sockaddr *)&address.storage, &address.length) < 0)
			continue;
		for (int k = 0; k < daemon->listen_count; k++)
			goes_on = goes_on || socket_covers(daemon->listen_fds[k], &address, true);
		/* what was on its way when the new socket was opened is here after the first pause */
		while (!goes_on && patience-- > 0) {
			poll(NULL, 0, FINISH_STEP_MS);
			if (poll(&wait, 1, 0) == 0)
				break;
		}
	}
}

int
master_open_ports(struct daemon *daemon, struct daemon *old, bool is_loud, struct str *reason)
{
	int missing = 0;

	for (const struct daemon_port *port = first_port(daemon);
	     port != NULL && daemon->listen_count < LISTENERS_MAXIMUM; port = port->next) {
		struct arena *arena;
		const char *error = "";

		if (is_listening(daemon, port))
			continue;
		arena = arena_create();
		if (!open_port(daemon, old, port, arena, &error)) {
			const char *name = port->name != NULL ? port->name : "Daemon0";

			missing++;
			if (reason != NULL && (old == NULL || !was_missing(old, port)))
				str_printf(reason, "daemon %s: %s\n", name, error);
			if (is_loud) {
				log_at(0, LOG_CRIT,
				    "NOQUEUE: SYSERR(root): opendaemonsocket: daemon %s: %s", name,
				    error);
				log_at(
				    0, LOG_ALERT, "daemon %s: problem creating SMTP socket", name);
			}
		}
		arena_destroy(arena);
	}
	return missing;
}

void
master_open_local(struct daemon *daemon, const struct daemon *old)
{
	const char *path = local_socket_path();

	if (old != NULL && old->local_fd >= 0) {
		daemon->local_fd = os_duplicate(old->local_fd, 3);
		return;
	}
	daemon->local_fd = server_listen_local(path);
	if (daemon->local_fd < 0) /* commands use the client queue then */
		log_at(0, LOG_ERR, "local socket %s: %s", path, strerror(errno));
}

void
daemon_close_listeners(struct daemon *daemon)
{
	for (int i = 0; i < daemon->listen_count; i++) {
		if (daemon->listen_fds[i] >= 0)
			close(daemon->listen_fds[i]);
		daemon->listen_fds[i] = -1;
	}
	if (daemon->local_fd >= 0)
		close(daemon->local_fd);
	daemon->local_fd = -1;
}
