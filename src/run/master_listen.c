#include "config.h"

#include <errno.h>
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

/* Without a DaemonPortOptions line: the port of SMTP, on all IPv4 addresses. */
static const struct daemon_port default_port = {.name = "MTA", .modifiers = ""};

static int
open_port(const struct daemon_port *port, bool shares_port, struct arena *arena, const char **error)
{
	struct listen_request request = {
	    .family = port->family != NULL && text_equal_nocase(port->family, "inet6") ? AF_INET6
										       : AF_INET,
	    .address = port->address,
	    .port = port->port,
	    .backlog = port->listen_backlog,
	    .send_buffer = port->send_buffer,
	    .receive_buffer = port->receive_buffer,
	    .shares_port = shares_port,
	};

	return listen_open(&request, arena, error);
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

/* The socket of the configuration before, when it is the one that this port would open. */
static int
inherit(struct daemon *old, const struct daemon_port *port)
{
	for (int i = 0; old != NULL && i < old->listen_count; i++) {
		if (old->listen_fds[i] >= 0 && same_port(old->ports[i], port))
			return os_duplicate(old->listen_fds[i], 3);
	}
	return -1;
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
static int
open_beside(struct daemon *daemon, struct daemon *old, const struct daemon_port *port,
    struct arena *arena, const char **error)
{
	const char *unused;
	int fd = open_port(port, false, arena, error);

	if (fd >= 0 || old == NULL || errno != EADDRINUSE)
		return fd;
	share_ports(old, true);
	fd = open_port(port, true, arena, &unused);
	share_ports(old, false);
	share_ports(daemon, false);
	if (fd >= 0)
		os_share_port(fd, false);
	return fd;
}

int
master_open_ports(struct daemon *daemon, struct daemon *old, bool is_loud, struct str *reason)
{
	int missing = 0;

	for (const struct daemon_port *port = first_port(daemon);
	     port != NULL && daemon->listen_count < LISTENERS_MAXIMUM; port = port->next) {
		struct arena *arena;
		const char *error = "";
		int fd;

		if (is_listening(daemon, port))
			continue;
		arena = arena_create();
		fd = inherit(old, port);
		if (fd < 0)
			fd = open_beside(daemon, old, port, arena, &error);
		if (fd >= 0) {
			daemon->ports[daemon->listen_count] = port;
			daemon->listen_fds[daemon->listen_count++] = fd;
		} else {
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
