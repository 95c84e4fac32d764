#include "config.h"

#include "proc/passing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

union control {
	struct cmsghdr header; /* for its alignment */
	char bytes[CMSG_SPACE(PASSING_MAXIMUM * sizeof(int))];
};

bool
passing_send(int socket, char kind, const int *fds, int count)
{
	union control control = {0};
	struct iovec byte = {.iov_base = &kind, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
	struct cmsghdr *header;
	ssize_t sent;

	check(count > 0 && count <= PASSING_MAXIMUM);
	message.msg_control = control.bytes;
	message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
	do
		sent = sendmsg(socket, &message, 0);
	while (sent < 0 && errno == EINTR);
	return sent == 1;
}

/* Everything that came is either handed out or closed: a hostile sender must not fill our table. */
static int
take(struct msghdr *message, int *fds, int maximum)
{
	int taken = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		size_t bytes;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		bytes = header->cmsg_len - CMSG_LEN(0);
		for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + at, sizeof fd);
			if (taken >= maximum) {
				close(fd);
				continue;
			}
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			fds[taken++] = fd;
		}
	}
	return taken;
}

int
passing_receive(int socket, int *fds, int count)
{
	union control control = {0};
	char kind = 0;
	struct iovec byte = {.iov_base = &kind, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1};
	ssize_t got;
	int taken;

	check(count > 0 && count <= PASSING_MAXIMUM);
	message.msg_control = control.bytes;
	message.msg_controllen = sizeof control.bytes;
	do
		got = recvmsg(socket, &message, 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got == 0 ? 0 : -1;
	taken = take(&message, fds, count);
	/* kind 0 is no kind: it would look like the end of the socket */
	if (taken == count && (message.msg_flags & MSG_CTRUNC) == 0 && kind != 0)
		return (unsigned char)kind;
	for (int i = 0; i < taken; i++)
		close(fds[i]);
	errno = EBADMSG;
	return -1;
}
