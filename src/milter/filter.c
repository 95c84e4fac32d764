#include "filter.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/address.h"

enum { BUSY_WAIT_MS = 50 };

enum milter_answer
filter_policy(const struct filter *filter)
{
	static const struct {
		char letter;
		enum milter_answer answer;
	} rows[] = {{'R', MILTER_REFUSED}, {'T', MILTER_PUT_OFF}, {'4', MILTER_CLOSES}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (flag_set_has(&filter->conf->flags, rows[i].letter))
			return rows[i].answer;
	}
	return MILTER_GOES_ON;
}

void
filter_fail(struct milters *all, struct filter *filter)
{
	conn_close(filter->conn);
	filter->conn = NULL;
	filter->state = FILTER_FAILED;
	milter_log(all, 1, LOG_INFO, "Milter (%s): to error state", filter->conf->name);
}

void
filter_quit(struct milters *all, struct filter *filter)
{
	milter_log(all, 19, LOG_INFO, "Milter (%s): quit filter", filter->conf->name);
	if (filter->conn != NULL) {
		struct str out = {0};

		milter_add_head(&out, MILTER_QUIT, 0);
		conn_write(filter->conn, out.data, out.length);
		conn_set_deadline(filter->conn, deadline_in(filter->conf->send_seconds));
		conn_flush(filter->conn);
		str_free(&out);
	}
	conn_close(filter->conn);
	filter->conn = NULL;
	filter->state = FILTER_LEFT;
	str_free(&filter->packet);
}

bool
filter_send(
    struct milters *all, struct filter *filter, char letter, const void *data, size_t length)
{
	struct str head = {0};

	milter_add_head(&head, letter, length);
	conn_set_deadline(filter->conn, deadline_in(filter->conf->send_seconds));
	conn_write(filter->conn, head.data, head.length);
	conn_write(filter->conn, data, length);
	conn_flush(filter->conn);
	str_free(&head);
	if (!conn_failed(filter->conn))
		return true;
	milter_log(all, 1, LOG_ERR, "Milter (%s): write(%c) failed: %s", filter->conf->name, letter,
	    conn_reason(filter->conn));
	filter_fail(all, filter);
	return false;
}

/* Exactly so many bytes; how many there were. */
static size_t
read_bytes(struct filter *filter, char *bytes, size_t size)
{
	size_t length = 0;

	while (length < size) {
		size_t got = conn_read(filter->conn, bytes + length, size - length);

		if (got == 0)
			break;
		length += got;
	}
	return length;
}

static bool
fail_reading(struct milters *all, struct filter *filter, const char *what, const char *when,
    size_t got, size_t expected, const char *where)
{
	if (conn_state(filter->conn) == CONN_TIMED_OUT)
		milter_log(all, 1, LOG_ERR, "Milter (%s): timeout %s data read, where=%s",
		    filter->conf->name, when, where);
	else
		milter_log(all, 1, LOG_ERR,
		    "milter_sys_read(%s): %s read returned %zu, expecting %zu", filter->conf->name,
		    what, got, expected);
	filter_fail(all, filter);
	return false;
}

bool
filter_receive(
    struct milters *all, struct filter *filter, struct milter_packet *packet, const char *where)
{
	char head[5];
	size_t got, length;

	conn_set_deadline(filter->conn, deadline_in(filter->conf->read_seconds));
	got = read_bytes(filter, head, sizeof head);
	if (got < sizeof head)
		return fail_reading(all, filter, "cmd", "before", got, sizeof head, where);
	length = milter_read_number(head);
	if (length == 0 || length > MILTER_PACKET_MAXIMUM) {
		milter_log(all, 1, LOG_ERR,
		    "milter_sys_read(%s): data size %zu is not between 1 and %d, where=%s",
		    filter->conf->name, length, MILTER_PACKET_MAXIMUM, where);
		filter_fail(all, filter);
		return false;
	}
	str_clear(&filter->packet);
	str_reserve(&filter->packet, length + 1);
	got = read_bytes(filter, filter->packet.data, length - 1);
	if (got < length - 1)
		return fail_reading(all, filter, "data", "during", got, length - 1, where);
	filter->packet.length = got;
	filter->packet.data[got] = '\0';
	*packet = (struct milter_packet){
	    .letter = head[4], .at = filter->packet.data, .left = filter->packet.length};
	return true;
}

/* A listener whose queue is full says so at once where it is local. */
static int
connect_patiently(const struct net_address *address, int64_t deadline)
{
	static const struct address_options nothing_special;
	int fd;

	while ((fd = address_connect(address, &nothing_special, deadline)) < 0 && errno == EAGAIN &&
	       !deadline_passed(deadline))
		poll(NULL, 0, BUSY_WAIT_MS);
	return fd;
}

static int
connect_local(const char *path, int64_t deadline)
{
	struct net_address address = {.length = sizeof(struct sockaddr_un)};
	struct sockaddr_un name = {.sun_family = AF_UNIX};

	if (!text_copy(name.sun_path, sizeof name.sun_path, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(&address.storage, &name, sizeof name);
	return connect_patiently(&address, deadline);
}

static int
connect_internet(
    struct milters *all, int family, const char *port, const char *host, int64_t deadline)
{
	struct net_address *list;
	size_t count, i;
	int fd = -1;

	if (address_resolve(host, family, all->scratch, &list, &count) != ADDRESS_FOUND) {
		errno = EHOSTUNREACH;
		return -1;
	}
	for (i = 0; i < count && fd < 0; i++) {
		address_set_port(&list[i], address_port_named(port));
		fd = connect_patiently(&list[i], deadline);
	}
	return fd;
}

static bool
connect_filter(struct milters *all, struct filter *filter)
{
	int64_t deadline = deadline_in(filter->conf->connect_seconds);
	const char *name = filter->conf->name, *port, *place;
	int family, fd, error;
	const char *path = config_filter_path(filter->conf, all->scratch, &family, &port, &place);

	if (path != NULL)
		place = path;
	fd = path != NULL ? connect_local(path, deadline)
			  : connect_internet(all, family, port, place, deadline);
	if (fd >= 0) {
		filter->conn = conn_create(fd, fd);
		return true;
	}
	error = errno;
	if (error == ENOENT)
		milter_log(all, 1, LOG_ERR, "Milter (%s): local socket name %s unsafe: %s", name,
		    place, strerror(error));
	else if (error == EACCES || error == EPERM)
		milter_log(all, 1, LOG_ERR,
		    "Milter (%s): open %s failed: %s: the socket must admit uid %ld, which takes "
		    "mail",
		    name, place, strerror(error), (long)geteuid());
	else
		milter_log(all, 1, LOG_INFO, "Milter (%s): open %s failed: %s by %s", name, place,
		    strerror(error), place);
	if (error != ENOENT)
		milter_log(all, 1, LOG_ERR, "Milter (%s): error connecting to filter: %s by %s",
		    name, strerror(error), place);
	filter_fail(all, filter);
	return false;
}

/* What it chose to be told, stage by stage. */
static void
read_macro_lists(struct milters *all, struct filter *filter, struct milter_packet *packet)
{
	uint32_t stage;
	const char *list;

	while (milter_take_number(packet, &stage) && milter_take_text(packet, &list)) {
		if (stage >= FILTER_STAGES)
			continue;
		filter->has_macros[stage] = true;
		filter->macros[stage] = *list != '\0' ? arena_strdup(all->arena, list) : NULL;
	}
}

static bool
read_agreement(struct milters *all, struct filter *filter, struct milter_packet *packet)
{
	const char *name = filter->conf->name;

	if (packet->letter != MILTER_NEGOTIATE) {
		milter_log(all, 1, LOG_ERR, "Milter (%s): negotiate: returned %c instead of %c",
		    name, packet->letter, MILTER_NEGOTIATE);
		return false;
	}
	if (!milter_take_number(packet, &filter->version) ||
	    !milter_take_number(packet, &filter->actions) ||
	    !milter_take_number(packet, &filter->protocol)) {
		milter_log(
		    all, 1, LOG_ERR, "Milter (%s): negotiate: did not return enough info", name);
		return false;
	}
	if (filter->version < MILTER_VERSION_OLDEST) {
		milter_log(all, 1, LOG_ERR,
		    "Milter (%s): negotiate: version %lu != MTA milter version %d", name,
		    (unsigned long)filter->version, MILTER_VERSION);
		return false;
	}
	if ((filter->actions & ~(uint32_t)MILTER_ACTIONS) != 0) {
		milter_log(all, 1, LOG_ERR,
		    "Milter (%s): negotiate: filter abilities 0x%lx != MTA milter abilities 0x%x",
		    name, (unsigned long)filter->actions, (unsigned)MILTER_ACTIONS);
		return false;
	}
	if ((filter->protocol & ~(uint32_t)MILTER_PROTOCOL) != 0) {
		milter_log(all, 1, LOG_ERR,
		    "Milter (%s): negotiate: protocol abilities 0x%lx != MTA milter abilities 0x%x",
		    name, (unsigned long)filter->protocol, (unsigned)MILTER_PROTOCOL);
		return false;
	}
	read_macro_lists(all, filter, packet);
	return true;
}

bool
filter_open(struct milters *all, struct filter *filter)
{
	struct milter_packet packet;
	struct str offer = {0};
	bool is_there;

	if (!connect_filter(all, filter))
		return false;
	milter_add_number(&offer, MILTER_VERSION);
	milter_add_number(&offer, MILTER_ACTIONS);
	milter_add_number(&offer, MILTER_PROTOCOL);
	is_there = filter_send(all, filter, MILTER_NEGOTIATE, offer.data, offer.length) &&
		   filter_receive(all, filter, &packet, "negotiate");
	str_free(&offer);
	if (is_there && read_agreement(all, filter, &packet)) {
		milter_log(all, 10, LOG_INFO, "Milter (%s): init success to negotiate",
		    filter->conf->name);
		return true;
	}
	if (is_there)
		filter_fail(all, filter);
	milter_log(all, 1, LOG_ERR, "Milter (%s): init failed to open", filter->conf->name);
	return false;
}

void
filter_tell_macros(
    struct milters *all, struct filter *filter, enum filter_stage stage, char command)
{
	const char *at = filter->has_macros[stage] ? filter->macros[stage]
						   : all->config->options.milter_macros[stage];
	struct str data = {0};

	if (at == NULL)
		return;
	str_add_char(&data, command);
	while (*(at += strspn(at, ", \t")) != '\0') {
		size_t length = strcspn(at, ", \t");
		bool is_long = length > 2 && at[0] == '{' && at[length - 1] == '}';
		const char *name = arena_memdup(all->scratch, at, length);
		const char *bare = is_long ? arena_memdup(all->scratch, at + 1, length - 2) : name;
		const char *value = all->host.macro(all->host.context, bare);

		at += length;
		if (value == NULL)
			continue;
		milter_add_text(&data, name);
		milter_add_text(&data, value);
	}
	filter_send(all, filter, MILTER_MACROS, data.data, data.length);
	str_free(&data);
}
