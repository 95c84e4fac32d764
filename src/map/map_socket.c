/*
 * Class socket: a server that answers netstrings: `NAME KEY` -> "OK VALUE", "NOTFOUND", "TEMP WHY",
 * "TIMEOUT WHY", "PERM WHY" (sendmail's socket maps).
 */
#include "map_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/text.h"

enum { WAIT_SECONDS = 30, ANSWER_MAXIMUM = 100000 };

struct socket_state {
	int fd;
	pid_t owner;
	int wait_seconds;
};

static bool
take_socket_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	struct socket_state *state = map->state;

	(void)errors;
	if (letter != 'd')
		return false;
	if (atoi(value) > 0)
		state->wait_seconds = atoi(value);
	return true;
}

static bool
declare_socket(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct socket_state *state = ARENA_NEW(map->set->arena, struct socket_state);

	state->fd = -1;
	state->wait_seconds = WAIT_SECONDS;
	map->state = state;
	return map_take_file(
	    map, map_read_options(map, arguments, take_socket_option, true, errors), errors);
}

static void
close_socket(struct map *map)
{
	struct socket_state *state = map->state;

	if (state->fd >= 0)
		close(state->fd);
	state->fd = -1;
}

/* Connects within the limit; 0 or an errno. */
static int
connect_within(struct socket_state *state, const struct sockaddr *address, socklen_t length)
{
	int error = 0;
	socklen_t error_length = sizeof error;
	struct pollfd wait = {.events = POLLOUT};

	state->fd = socket(address->sa_family, SOCK_STREAM, 0);
	if (state->fd < 0)
		return errno;
	fcntl(state->fd, F_SETFD, FD_CLOEXEC);
	fcntl(state->fd, F_SETFL, fcntl(state->fd, F_GETFL) | O_NONBLOCK);
	if (connect(state->fd, address, length) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	wait.fd = state->fd;
	if (poll(&wait, 1, state->wait_seconds * 1000) <= 0)
		return ETIMEDOUT;
	if (getsockopt(state->fd, SOL_SOCKET, SO_ERROR, &error, &error_length) < 0)
		return errno;
	return error;
}

static bool
open_local(struct map *map, struct map_call *call, const char *path)
{
	struct socket_state *state = map->state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	int error;

	if (!text_copy(address.sun_path, sizeof address.sun_path, path))
		return map_open_failed(
		    map, call, "socket map \"%s\": local socket name %s too long", map->name, path);
	if (stat(path, &status) < 0)
		return map_open_denied(map, call,
		    "socket map \"%s\": local socket name %s unsafe: %s", map->name, path,
		    strerror(errno));
	error = connect_within(state, (struct sockaddr *)&address, sizeof address);
	if (error == 0)
		return true;
	close_socket(map);
	return map_open_failed(map, call, "%s", "");
}

static bool
open_internet(
    struct map *map, struct map_call *call, int family, const char *port, const char *host)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
	bool connected = false;
	int error = getaddrinfo(host, port, &hints, &list);

	if (error != 0)
		return map_open_failed(map, call, "socket map \"%s\": Unknown host name %s: %s",
		    map->name, host, strerror(error == EAI_AGAIN ? EAGAIN : ENOENT));
	for (const struct addrinfo *one = list; one != NULL && !connected; one = one->ai_next) {
		connected = connect_within(map->state, one->ai_addr, one->ai_addrlen) == 0;
		if (!connected)
			close_socket(map);
	}
	freeaddrinfo(list);
	return connected || map_open_failed(map, call, "%s", "");
}

static bool
open_socket(struct map *map, struct map_call *call)
{
	struct socket_state *state = map->state;
	char *type = arena_strdup(call->arena, map->file), *place = strchr(type, ':'), *host;

	close_socket(map);
	state->owner = getpid();
	if (place != NULL)
		*place++ = '\0';
	if (place == NULL || text_equal_nocase(type, "local") || text_equal_nocase(type, "unix"))
		return open_local(map, call, place == NULL ? type : place);
	if (!text_equal_nocase(type, "inet") && !text_equal_nocase(type, "inet6"))
		return map_open_failed(map, call, "socket map \"%s\": unknown socket type %s: %s",
		    map->name, type, strerror(EPROTONOSUPPORT));
	host = strchr(place, '@');
	if (host == NULL)
		return map_open_failed(map, call,
		    "socket map \"%s\": bad address %s: expected port@host", map->name, place);
	*host++ = '\0';
	return open_internet(
	    map, call, text_equal_nocase(type, "inet6") ? AF_INET6 : AF_INET, place, host);
}

static bool
wait_until_ready(int fd, short events, int64_t deadline)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int ready;

	do
		ready = poll(&wait, 1, deadline_poll_ms(deadline));
	while (ready < 0 && errno == EINTR);
	return ready > 0;
}

static bool
send_all(int fd, const char *bytes, size_t length, int64_t deadline)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		} else if (sent < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
			return false;
		} else if (!wait_until_ready(fd, POLLOUT, deadline)) {
			return false;
		}
	}
	return true;
}

static bool
receive(int fd, char *bytes, size_t length, int64_t deadline)
{
	while (length > 0) {
		ssize_t got = recv(fd, bytes, length, 0);

		if (got > 0) {
			bytes += got;
			length -= (size_t)got;
		} else if (got == 0 ||
			   (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
			return false;
		} else if (!wait_until_ready(fd, POLLIN, deadline)) {
			return false;
		}
	}
	return true;
}

/* One netstring; NULL: none, or too large, or no netstring. */
static char *
receive_netstring(int fd, struct arena *arena, int64_t deadline)
{
	size_t length = 0;
	char byte, *text;

	for (int digits = 0;; digits++) {
		if (!receive(fd, &byte, 1, deadline))
			return NULL;
		if (byte == ':' && digits > 0)
			break;
		if (!text_is_digit((unsigned char)byte) || digits > 6)
			return NULL;
		length = length * 10 + (size_t)(byte - '0');
	}
	if (length > ANSWER_MAXIMUM)
		return NULL;
	text = arena_alloc(arena, length + 1);
	if (!receive(fd, text, length, deadline) || !receive(fd, &byte, 1, deadline) || byte != ',')
		return NULL;
	return text;
}

static void
settle_answer(struct map *map, struct map_call *call, char *answer)
{
	char *word_end = answer + strcspn(answer, " "), *rest = text_skip_space(word_end);
	bool has_rest = *word_end != '\0';

	*word_end = '\0';
	if (strcmp(answer, "OK") == 0)
		map_give(map, call, has_rest ? rest : "");
	else if (strcmp(answer, "NOTFOUND") == 0)
		map_miss(call, MAP_NOT_FOUND);
	else if (strcmp(answer, "TEMP") == 0 || strcmp(answer, "TIMEOUT") == 0)
		map_miss(call, EX_TEMPFAIL);
	else if (strcmp(answer, "PERM") == 0)
		map_miss(call, EX_UNAVAILABLE);
	else
		map_miss(call, EX_PROTOCOL);
}

static void
lookup_socket(struct map *map, struct map_call *call)
{
	struct socket_state *state = map->state;
	struct str question = {0};
	const char *key = map_fold_key(map, call);

	str_printf(&question, "%lu:%s %s,", (unsigned long)(strlen(map->name) + 1 + strlen(key)),
	    map->name, key);
	/* a connection that was closed meanwhile is made once more */
	for (int attempt = 0; attempt < 2; attempt++) {
		int64_t deadline = deadline_in(state->wait_seconds);
		char *answer = NULL;

		if ((state->fd < 0 || state->owner != getpid()) && !open_socket(map, call))
			break;
		if (send_all(state->fd, question.data, question.length, deadline))
			answer = receive_netstring(state->fd, call->arena, deadline);
		if (answer != NULL) {
			str_free(&question);
			settle_answer(map, call, answer);
			return;
		}
		close_socket(map);
		if (deadline_passed(deadline))
			break;
	}
	str_free(&question);
	map_miss(call, EX_TEMPFAIL);
}

const struct map_class map_class_socket = {.name = "socket",
    .declare = declare_socket,
    .open = open_socket,
    .lookup = lookup_socket,
    .close = close_socket};
