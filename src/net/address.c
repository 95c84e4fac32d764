#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "os/os.h"

static void
set_ipv4(struct net_address *address, const struct in_addr *number)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = *number};

	memset(address, 0, sizeof *address);
	memcpy(&address->storage, &in, sizeof in);
	address->length = sizeof in;
}

static void
set_ipv6(struct net_address *address, const struct in6_addr *number)
{
	struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_addr = *number};

	memset(address, 0, sizeof *address);
	memcpy(&address->storage, &in, sizeof in);
	address->length = sizeof in;
}

bool
address_parse(const char *text, struct net_address *address)
{
	char number[ADDRESS_TEXT_SIZE];
	size_t length = strlen(text);
	struct in_addr ipv4;
	struct in6_addr ipv6;

	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= sizeof number)
		return false;
	memcpy(number, text, length);
	number[length] = '\0';
	if (inet_pton(AF_INET, number, &ipv4) == 1) {
		set_ipv4(address, &ipv4);
		return true;
	}
	if (inet_pton(AF_INET6, number + (text_starts_nocase(number, "IPv6:") ? 5 : 0), &ipv6) ==
	    1) {
		set_ipv6(address, &ipv6);
		return true;
	}
	return false;
}

static const char *
ipv6_text(const struct in6_addr *number, bool compressed, char buffer[ADDRESS_TEXT_SIZE])
{
	const unsigned char *bytes = number->s6_addr;
	char text[INET6_ADDRSTRLEN];
	size_t used;

	if (IN6_IS_ADDR_V4MAPPED(number)) {
		inet_ntop(AF_INET, bytes + 12, buffer, ADDRESS_TEXT_SIZE);
		return buffer;
	}
	if (compressed) {
		inet_ntop(AF_INET6, number, text, sizeof text);
		snprintf(buffer, ADDRESS_TEXT_SIZE, "IPv6:%s", text);
		return buffer;
	}
	used = (size_t)snprintf(buffer, ADDRESS_TEXT_SIZE, "IPv6");
	for (int i = 0; i < 16; i += 2)
		used += (size_t)snprintf(buffer + used, ADDRESS_TEXT_SIZE - used, ":%x",
		    (unsigned)(bytes[i] << 8 | bytes[i + 1]));
	return buffer;
}

const char *
address_text(const struct sockaddr *address, bool compressed, char buffer[ADDRESS_TEXT_SIZE])
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&ipv4, address, sizeof ipv4);
		inet_ntop(AF_INET, &ipv4.sin_addr, buffer, ADDRESS_TEXT_SIZE);
		return buffer;
	case AF_INET6:
		memcpy(&ipv6, address, sizeof ipv6);
		return ipv6_text(&ipv6.sin6_addr, compressed, buffer);
	default:
		text_copy(buffer, ADDRESS_TEXT_SIZE, "localhost");
		return buffer;
	}
}

unsigned
address_port(const struct sockaddr *address)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&ipv4, address, sizeof ipv4);
		return ntohs(ipv4.sin_port);
	case AF_INET6:
		memcpy(&ipv6, address, sizeof ipv6);
		return ntohs(ipv6.sin6_port);
	default:
		return 0;
	}
}

void
address_set_port(struct net_address *address, unsigned port)
{
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (address->storage.ss_family == AF_INET) {
		memcpy(&ipv4, &address->storage, sizeof ipv4);
		ipv4.sin_port = htons((uint16_t)port);
		memcpy(&address->storage, &ipv4, sizeof ipv4);
	} else if (address->storage.ss_family == AF_INET6) {
		memcpy(&ipv6, &address->storage, sizeof ipv6);
		ipv6.sin6_port = htons((uint16_t)port);
		memcpy(&address->storage, &ipv6, sizeof ipv6);
	}
}

unsigned
address_port_named(const char *text)
{
	/* mail's own names, for systems (containers) without /etc/services */
	static const struct {
		const char *name;
		unsigned port;
	} usual[] = {
	    {"smtp", 25}, {"mail", 25}, {"submission", 587}, {"submissions", 465}, {"smtps", 465}};
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	unsigned port;
	long number;

	if (text_to_number(text, 1, 65535, &number))
		return (unsigned)number;
	if (text_is_digit((unsigned char)*text))
		return 0;
	if (getaddrinfo(NULL, text, &hints, &found) != 0) {
		for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
			if (text_equal_nocase(usual[i].name, text))
				return usual[i].port;
		}
		return 0;
	}
	port = address_port(found->ai_addr);
	freeaddrinfo(found);
	return port;
}

enum address_status
address_resolve(
    const char *name, int family, struct arena *arena, struct net_address **list, size_t *count)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found = NULL;
	size_t room = 0;
	int error;

	*list = NULL;
	*count = 0;
	error = getaddrinfo(name, NULL, &hints, &found);
	if (error == EAI_NONAME)
		return ADDRESS_NO_NAME;
	if (os_has_no_address(error))
		return ADDRESS_NO_DATA;
	if (error != 0)
		return ADDRESS_TRY_AGAIN;
	for (struct addrinfo *one = found; one != NULL; one = one->ai_next)
		room++;
	*list = ARENA_ARRAY(arena, struct net_address, room);
	for (struct addrinfo *one = found; one != NULL; one = one->ai_next) {
		struct net_address *address = &(*list)[*count];

		if (one->ai_addrlen > sizeof address->storage)
			continue;
		memcpy(&address->storage, one->ai_addr, one->ai_addrlen);
		address->length = one->ai_addrlen;
		++*count;
	}
	freeaddrinfo(found);
	return *count > 0 ? ADDRESS_FOUND : ADDRESS_NO_NAME;
}

/* 0, or the errno of a connection that was started and did not succeed before the deadline. */
static int
wait_connected(int fd, int64_t deadline)
{
	struct pollfd polls = {.fd = fd, .events = POLLOUT};
	int error = 0, ready;
	socklen_t length = sizeof error;

	do
		ready = poll(&polls, 1, deadline_poll_ms(deadline));
	while (ready < 0 && errno == EINTR && !deadline_passed(deadline));
	if (ready <= 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return errno;
	return error;
}

static int
fail(int fd, int error)
{
	close(fd);
	errno = error;
	return -1;
}

void
address_set_buffers(int fd, int send_bytes, int receive_bytes)
{
	if (send_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
	if (receive_bytes > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
}

int
address_connect(
    const struct net_address *address, const struct address_options *options, int64_t deadline)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM, 0), error;

	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	address_set_buffers(fd, options->send_buffer, options->receive_buffer);
	if (options->local.length > 0 &&
	    options->local.storage.ss_family == address->storage.ss_family &&
	    bind(fd, (const struct sockaddr *)&options->local.storage, options->local.length) < 0)
		return fail(fd, errno);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return fail(fd, errno);
	if (connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0)
		return fd;
	if (errno != EINPROGRESS && errno != EINTR)
		return fail(fd, errno);
	error = wait_connected(fd, deadline);
	return error != 0 ? fail(fd, error) : fd;
}
