/* Both sides of the look-up twin. */
#include "map/twin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "map_internal.h"
#include "os/os.h"

enum {
	MAGIC = 0x50425431, /* both ends are of one program; this finds our own mistakes */
	NAME_MAXIMUM = 255,
	KEY_MAXIMUM = 4096,
	VALUE_MAXIMUM = 256 * 1024,
	MESSAGE_MAXIMUM = 1024,
	CHANNELS_MAXIMUM = 16,
	WAIT_SECONDS = 60,
	REFUSALS_TOLD = 20,
};

/* Native byte order: both ends are on one machine. */
struct question {
	uint32_t magic;
	uint32_t name_length, key_length; /* the bytes follow, without NUL */
};

struct answer {
	uint32_t magic;
	int32_t status;
	uint32_t found, value_length, message_length; /* the bytes follow */
};

static void
do_not_block(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int
map_twin_channel(int ends[2])
{
	/* not every system has sequenced packets; datagrams between the two are as reliable, they only never end */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 &&
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(ends[i], F_SETFD, FD_CLOEXEC);
		do_not_block(ends[i]);
	}
	return 0;
}

/* --- who asks */

static int twin_fd = -1;

void
map_set_twin(int socket_fd)
{
	twin_fd = socket_fd;
}

bool
map_twin_is_there(void)
{
	return twin_fd >= 0;
}

/* The question with `reply_fd` attached; false: the twin is not there. */
static bool
send_question(const char *name, const char *key, int reply_fd, int64_t deadline)
{
	struct question question = {.magic = MAGIC,
	    .name_length = (uint32_t)strlen(name),
	    .key_length = (uint32_t)strlen(key)};
	struct iovec parts[3] = {{&question, sizeof question}, {(void *)name, question.name_length},
	    {(void *)key, question.key_length}};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = parts,
	    .msg_iovlen = 3,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	struct cmsghdr *header;

	if (question.name_length > NAME_MAXIMUM || question.key_length > KEY_MAXIMUM)
		return false;
	memset(&control, 0, sizeof control);
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof reply_fd);
	memcpy(CMSG_DATA(header), &reply_fd, sizeof reply_fd);
	for (;;) {
		struct pollfd wait = {.fd = twin_fd, .events = POLLOUT};

		if (sendmsg(twin_fd, &message, MSG_NOSIGNAL) >= 0)
			return true;
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
			return false;
		if (errno != EINTR && poll(&wait, 1, deadline_poll_ms(deadline)) == 0)
			return false;
	}
}

static bool
receive_all(int fd, void *bytes, size_t length, int64_t deadline)
{
	char *at = bytes;

	while (length > 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int ready = poll(&wait, 1, deadline_poll_ms(deadline));
		ssize_t got;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return false;
		got = read(fd, at, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		length -= (size_t)got;
	}
	return true;
}

static bool
receive_answer(int fd, struct map_call *call, const char **value, int *status)
{
	int64_t deadline = deadline_in(WAIT_SECONDS);
	struct answer answer;
	char *text, *message;

	if (!receive_all(fd, &answer, sizeof answer, deadline) || answer.magic != MAGIC ||
	    answer.value_length > VALUE_MAXIMUM || answer.message_length > MESSAGE_MAXIMUM)
		return false;
	text = arena_alloc(call->arena, answer.value_length + 1);
	message = arena_alloc(call->arena, answer.message_length + 1);
	if (!receive_all(fd, text, answer.value_length, deadline) ||
	    !receive_all(fd, message, answer.message_length, deadline))
		return false;
	if (answer.message_length > 0)
		map_say(call, "%s", message);
	*status = answer.status;
	*value = answer.found != 0 ? text : NULL;
	return true;
}

void
map_twin_ask(struct map *map, struct map_call *call)
{
	int ends[2], status = EX_TEMPFAIL;
	const char *value = NULL;
	bool answered = false;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0) {
		bool asked;

		fcntl(ends[0], F_SETFD, FD_CLOEXEC);
		fcntl(ends[1], F_SETFD, FD_CLOEXEC);
		asked = send_question(map->name, call->key, ends[1], deadline_in(WAIT_SECONDS));
		close(ends[1]); /* the twin has its own: when that is closed, nothing more comes */
		answered = asked && receive_answer(ends[0], call, &value, &status);
		close(ends[0]);
	}
	if (!answered)
		map_say(call, "%s map \"%s\": no answer from the look-up twin", map->class->name,
		    map->name);
	if (value != NULL)
		map_give(map, call, value);
	else
		map_miss(call, status);
}

/* --- who answers */

static bool
may_ask(const struct map_twin_policy *policy, const char *name)
{
	for (size_t i = 0; policy->maps != NULL && policy->maps[i] != NULL; i++) {
		if (text_equal_nocase(policy->maps[i], name))
			return true;
	}
	return false;
}

static bool
is_file_class(const struct map *map)
{
	return map->class == &map_class_hash || map->class == &map_class_btree ||
	       map->class == &map_class_implicit || map->class == &map_class_text;
}

/*
 * One write: the asker's buffer takes the answer or the asker goes without.  Who does not read
 * cannot hold the twin up.
 */
static void
send_answer(int fd, const struct map_result *result)
{
	const char *value = result->found ? result->value : "",
		   *message = result->message != NULL ? result->message : "";
	struct answer answer = {.magic = MAGIC,
	    .status = result->status,
	    .found = result->found,
	    .value_length = (uint32_t)strlen(value),
	    .message_length = (uint32_t)strnlen(message, MESSAGE_MAXIMUM)};
	struct iovec parts[3] = {{&answer, sizeof answer}, {(void *)value, answer.value_length},
	    {(void *)message, answer.message_length}};
	struct msghdr whole = {.msg_iov = parts, .msg_iovlen = 3};
	int room = VALUE_MAXIMUM + 65536;

	if (answer.value_length > VALUE_MAXIMUM)
		return;
	do_not_block(fd);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	while (sendmsg(fd, &whole, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static void
answer_question(const struct map_twin_policy *policy, struct map_set *set, const char *name,
    size_t name_length, const char *key, size_t key_length, int reply_fd)
{
	struct arena *arena = arena_create();
	struct map_result result = {.status = EX_TEMPFAIL};
	struct map *map;

	name = arena_memdup(arena, name, name_length);
	key = arena_memdup(arena, key, key_length);
	map = map_find(set, name);
	if (map == NULL || !is_file_class(map) || !may_ask(policy, name)) {
		static unsigned told; /* an asker gone wild does not fill the log */

		if (told++ < REFUSALS_TOLD)
			log_at(0, LOG_ALERT, "look-up twin: refused map %s", name);
		result.status = EX_NOPERM;
	} else {
		map_lookup_raw(map, key, arena, &result);
	}
	send_answer(reply_fd, &result);
	arena_wipe(arena); /* what it held may be a password */
}

/* The descriptor that came along, or -1. */
static int
take_descriptor(struct msghdr *message)
{
	int fd = -1;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
		    header->cmsg_len < CMSG_LEN(sizeof fd) || fd >= 0)
			continue;
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	}
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* NUL bytes would make two names of one. */
static bool
is_plain(const char *bytes, size_t length)
{
	return memchr(bytes, '\0', length) == NULL;
}

/* One message of a channel; false: the channel is closed. */
static bool
serve_one(const struct map_twin_policy *policy, struct map_set *set)
{
	char bytes[sizeof(struct question) + NAME_MAXIMUM + KEY_MAXIMUM];
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {bytes, sizeof bytes};
	struct msghdr message = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.bytes,
	    .msg_controllen = sizeof control.bytes};
	struct question question;
	ssize_t got = recvmsg(policy->fd, &message, 0);
	int reply_fd;

	if (got < 0)
		return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ||
		       errno == ENOBUFS || errno == EMFILE || errno == ETOOMANYREFS;
	reply_fd = take_descriptor(&message);
	if (got == 0 && reply_fd < 0)
		return false;
	if (reply_fd >= 0 && (size_t)got >= sizeof question &&
	    (message.msg_flags & MSG_TRUNC) == 0) {
		const char *name = bytes + sizeof question, *key;

		memcpy(&question, bytes, sizeof question);
		key = name + (question.name_length <= NAME_MAXIMUM ? question.name_length : 0);
		if (question.magic == MAGIC && question.name_length <= NAME_MAXIMUM &&
		    question.key_length <= KEY_MAXIMUM &&
		    (size_t)got == sizeof question + question.name_length + question.key_length &&
		    is_plain(name, question.name_length) && is_plain(key, question.key_length))
			answer_question(policy, set, name, question.name_length, key,
			    question.key_length, reply_fd);
	}
	if (reply_fd >= 0)
		close(reply_fd);
	os_wipe(bytes, sizeof bytes);
	return true;
}

void
map_twin_serve(
    const struct map_twin_policy *channels, size_t count, int stop_fd, struct map_set *set)
{
	struct pollfd waits[CHANNELS_MAXIMUM + 1];
	size_t open_count = count;

	check(count <= CHANNELS_MAXIMUM);
	map_set_twin(-1);
	for (size_t i = 0; i < count; i++) {
		waits[i] = (struct pollfd){.fd = channels[i].fd, .events = POLLIN};
		do_not_block(channels[i].fd);
	}
	waits[count] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
	while (open_count > 0) {
		if (poll(waits, count + 1, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (waits[count].revents != 0)
			break;
		for (size_t i = 0; i < count; i++) {
			if (waits[i].revents == 0)
				continue;
			if ((waits[i].revents & POLLIN) == 0 || !serve_one(&channels[i], set)) {
				waits[i].fd = -1;
				open_count--;
			}
		}
	}
}
