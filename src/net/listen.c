#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "os/os.h"

static int
fail(int fd, struct arena *arena, const char **error, const char *what)
{
	int saved = errno;

	*error = arena_printf(arena, "%s: %s", what, strerror(saved));
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

static void
set_flags(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static bool
find_address(const struct listen_request *request, struct net_address *address, struct arena *arena,
    const char **error)
{
	struct net_address *list;
	size_t count;

	if (request->address == NULL || request->address[0] == '\0' ||
	    strcmp(request->address, "*") == 0)
		return address_parse(request->family == AF_INET6 ? "::" : "0.0.0.0", address);
	if (address_parse(request->address, address))
		return true;
	if (address_resolve(request->address, request->family, arena, &list, &count) !=
	    ADDRESS_FOUND) {
		*error = arena_printf(arena, "host \"%s\" unknown", request->address);
		return false;
	}
	*address = list[0];
	return true;
}

bool
listen_address(const struct listen_request *request, struct net_address *address,
    struct arena *arena, const char **error)
{
	const char *port_name = request->port != NULL ? request->port : "25";
	unsigned port = address_port_named(port_name);

	if (port == 0 && strcmp(port_name, "0") != 0) {
		*error = arena_printf(arena, "service \"%s\" unknown", port_name);
		return false;
	}
	if (!find_address(request, address, arena, error))
		return false;
	address_set_port(address, port);
	return true;
}

bool
listen_same_address(const struct net_address *one, const struct net_address *other)
{
	char buffers[2][ADDRESS_TEXT_SIZE];
	const struct sockaddr *a = (const struct sockaddr *)&one->storage,
			      *b = (const struct sockaddr *)&other->storage;

	return a->sa_family == b->sa_family && address_port(a) == address_port(b) &&
	       strcmp(address_text(a, false, buffers[0]), address_text(b, false, buffers[1])) == 0;
}

void
listen_any_address(struct net_address *address)
{
	unsigned port = address_port((const struct sockaddr *)&address->storage);

	address_parse(address->storage.ss_family == AF_INET6 ? "::" : "0.0.0.0", address);
	address_set_port(address, port);
}

int
listen_open(const struct listen_request *request, struct arena *arena, const char **error)
{
	struct net_address address;
	int fd, on = 1;

	if (!listen_address(request, &address, arena, error)) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(address.storage.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		return fail(-1, arena, error, "cannot create socket");
	set_flags(fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	/* IPv4 has its own line in the cf; both on one port must not get into each other's way */
	if (address.storage.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (request->shares_port)
		os_share_port(fd, true);
	address_set_buffers(fd, request->send_buffer, request->receive_buffer);
	if (bind(fd, (const struct sockaddr *)&address.storage, address.length) < 0)
		return fail(fd, arena, error, "cannot bind");
	if (listen(fd, request->backlog > 0 ? request->backlog : SOMAXCONN) < 0)
		return fail(fd, arena, error, "cannot listen");
	return fd;
}

/* Does somebody answer on this local socket? */
static bool
is_alive(const struct sockaddr_un *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool alive;

	if (fd < 0)
		return true;
	set_flags(fd);
	alive = connect(fd, (const struct sockaddr *)name, sizeof *name) == 0 || errno == EAGAIN ||
		errno == EINPROGRESS;
	close(fd);
	return alive;
}

int
listen_open_local(const char *path, mode_t mode, struct arena *arena, const char **error)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct stat status;
	int fd;

	if (!text_copy(name.sun_path, sizeof name.sun_path, path)) {
		errno = ENAMETOOLONG;
		return fail(-1, arena, error, path);
	}
	if (lstat(path, &status) == 0) {
		if (!S_ISSOCK(status.st_mode) || is_alive(&name)) {
			errno = EADDRINUSE;
			return fail(-1, arena, error, path);
		}
		unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return fail(-1, arena, error, "cannot create socket");
	set_flags(fd);
	if (bind(fd, (const struct sockaddr *)&name, sizeof name) < 0 || chmod(path, mode) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return fail(fd, arena, error, path);
	return fd;
}

int
listen_accept(int fd, struct net_address *peer)
{
	int accepted, on = 1;

	peer->length = sizeof peer->storage;
	memset(&peer->storage, 0, sizeof peer->storage);
	do
		accepted = accept(fd, (struct sockaddr *)&peer->storage, &peer->length);
	while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (accepted < 0)
		return -1;
	fcntl(accepted, F_SETFD, FD_CLOEXEC);
	setsockopt(accepted, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	return accepted;
}
