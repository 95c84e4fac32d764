#include "client/connect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "client/session.h"
#include "queue/statistics.h"

enum { CONNECT_SECONDS = 300 }; /* Timeout.connect of 0: what systems do by themselves */

const struct daemon_port *
connect_find_port(const struct client *c, int family)
{
	for (const struct daemon_port *port = c->config->options.client_ports; port != NULL;
	     port = port->next) {
		const char *name = port->family != NULL ? port->family : "inet";

		if (family == (text_equal_nocase(name, "inet6") ? AF_INET6 : AF_INET))
			return port;
	}
	return NULL;
}

static void
set_local(const struct daemon_port *port, struct address_options *options, struct arena *arena)
{
	struct net_address *list;
	size_t count;

	if (port == NULL)
		return;
	options->send_buffer = port->send_buffer;
	options->receive_buffer = port->receive_buffer;
	if (port->address != NULL && *port->address != '\0' &&
	    !address_parse(port->address, &options->local) &&
	    address_resolve(port->address, AF_UNSPEC, arena, &list, &count) == ADDRESS_FOUND)
		options->local = list[0];
	if (port->port != NULL && options->local.length > 0)
		address_set_port(&options->local, address_port_named(port->port));
}

void
connect_end_failed(struct client *c, int error)
{
	enum outcome_event event = error == ETIMEDOUT ? EVENT_TIMED_OUT : EVENT_REFUSED;
	struct verdict verdict;

	c->connect_error = error;
	switch (error) {
	case ECONNREFUSED:
		verdict = outcome_of_event(
		    c->arena, STAGE_CONNECT, event, "Connection refused by %s", c->host);
		break;
	case ETIMEDOUT:
		verdict = outcome_of_event(
		    c->arena, STAGE_CONNECT, event, "Connection timed out with %s", c->host);
		break;
	case ECONNRESET:
		verdict = outcome_of_event(
		    c->arena, STAGE_CONNECT, event, "Connection reset by %s", c->host);
		break;
	default:
		verdict = outcome_of_event(c->arena, STAGE_CONNECT, event, "%s", strerror(error));
	}
	client_end(c, verdict, NULL);
}

static int64_t
connect_deadline(const struct client *c, int64_t all_deadline)
{
	const struct timeouts *timeouts = &c->config->options.timeouts;
	long seconds = c->is_first_attempt ? timeouts->initial_connect : timeouts->connect;
	int64_t deadline = deadline_in(seconds > 0 ? seconds : CONNECT_SECONDS);

	return deadline < all_deadline ? deadline : all_deadline;
}

/*
 * DialDelay, for mailers with flag Z: a line that is dialled on demand is up a few seconds after
 * the first attempt to connect, which fails.  Keeps errno.
 */
static bool
wait_for_dialling(const struct client *c, int error, int64_t all_deadline)
{
	long seconds = c->config->options.dial_delay_seconds;
	int64_t until = deadline_in(seconds);

	if (c->has_dialled || seconds <= 0 || !mailer_has(c->mailer, 'Z') ||
	    (error != ETIMEDOUT && error != ENETUNREACH && error != EHOSTUNREACH &&
		error != ENETDOWN))
		return false;
	poll(NULL, 0, deadline_poll_ms(until < all_deadline ? until : all_deadline));
	errno = error;
	return !deadline_passed(all_deadline);
}

/* ClientPortOptions has an address that is none of this host's: ours to mend. */
static void
note_bad_address(struct client *c, const struct net_address *local)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(
	    (const struct sockaddr *)&local->storage, c->config->options.use_compressed_ipv6, text);
	c->trouble = arena_printf(c->arena, "makeconnection: cannot bind socket [%s]: %s", text,
	    strerror(c->connect_error));
	log_at(1, LOG_CRIT, "%s: SYSERR(root): %s", c->log_id != NULL ? c->log_id : "NOQUEUE",
	    c->trouble);
	text_copy(c->verdict.dsn, sizeof c->verdict.dsn, "4.0.0");
}

bool
connect_open(struct client *c, const struct net_address *address, const struct daemon_port *port,
    int64_t all_deadline)
{
	struct address_options options = {0};
	int fd;

	set_local(port, &options, c->arena);
	fd = address_connect(address, &options, connect_deadline(c, all_deadline));
	if (fd < 0 && wait_for_dialling(c, errno, all_deadline))
		fd = address_connect(address, &options, connect_deadline(c, all_deadline));
	c->has_dialled = true;
	if (fd < 0) {
		connect_end_failed(c, errno);
		if (options.local.length > 0 && c->connect_error == EADDRNOTAVAIL)
			note_bad_address(c, &options.local);
		return false;
	}
	c->conn = conn_create(fd, fd);
	statistics_count_connection_to();
	return true;
}
