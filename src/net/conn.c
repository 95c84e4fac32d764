#include "net/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "os/os.h"

enum {
	OUTPUT_SIZE = 16 * 1024, /* also the most that one TLS record holds */
	INPUT_SIZE = 4 * 1024,
	/* While we write, at most this much of the peer's talk is taken in; then it has to wait. */
	INPUT_WHILE_WRITING = 256 * 1024,
};

struct conn {
	int input_fd, output_fd;
	int input_flags, output_flags; /* before we made them non-blocking */
	enum conn_state state;
	int error;
	struct str reason;
	int64_t deadline;
	long progress_seconds;
	char *input;
	size_t start, end, capacity; /* unread input is input[start..end) */
	bool saw_end;		     /* the peer closed; what is buffered still counts */
	char *output;
	size_t sent, filled; /* unsent output is output[sent..filled) */
	struct str long_line;
	struct tls_session *tls;
	const struct conn_methods *tls_methods;
};

static int
prepare_fd(int fd)
{
	int flags = fcntl(fd, F_GETFL), on = 1;

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return flags;
}

struct conn *
conn_create(int input_fd, int output_fd)
{
	struct conn *c = check_malloc(sizeof *c);

	*c =
	    (struct conn){.input_fd = input_fd, .output_fd = output_fd, .deadline = DEADLINE_NEVER};
	c->input = check_malloc(INPUT_SIZE);
	c->capacity = INPUT_SIZE;
	c->output = check_malloc(OUTPUT_SIZE);
	c->input_flags = prepare_fd(input_fd);
	c->output_flags = output_fd != input_fd ? prepare_fd(output_fd) : c->input_flags;
	signal(SIGPIPE, SIG_IGN);
	return c;
}

/* Standard input and output may be shared with a caller that expects them to block. */
static void
close_fd(int fd, int flags)
{
	if (fd > STDERR_FILENO)
		close(fd);
	else if (flags >= 0)
		fcntl(fd, F_SETFL, flags);
}

void
conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->tls != NULL)
		c->tls_methods->close(c->tls);
	close_fd(c->input_fd, c->input_flags);
	if (c->output_fd != c->input_fd)
		close_fd(c->output_fd, c->output_flags);
	os_wipe(c->input, c->capacity);
	os_wipe(c->output, OUTPUT_SIZE);
	free(c->input);
	free(c->output);
	str_free(&c->long_line);
	str_free(&c->reason);
	free(c);
}

void
conn_set_deadline(struct conn *c, int64_t deadline)
{
	c->deadline = deadline;
}

void
conn_set_progress_timeout(struct conn *c, long seconds)
{
	c->progress_seconds = seconds;
	if (seconds > 0)
		c->deadline = deadline_in(seconds);
}

static void
made_progress(struct conn *c)
{
	if (c->progress_seconds > 0)
		c->deadline = deadline_in(c->progress_seconds);
}

static void
fail(struct conn *c, enum conn_state state, int error, const char *text)
{
	if (c->state != CONN_OPEN)
		return;
	c->state = state;
	c->error = error;
	str_clear(&c->reason);
	str_add_text(&c->reason, text);
	c->sent = c->filled = 0;
	os_wipe(c->output, OUTPUT_SIZE);
}

void
conn_fail(struct conn *c, enum conn_state state, const char *format, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	fail(c, state, 0, str_text(&text));
	str_free(&text);
	c->start = c->end = 0;
}

enum conn_state
conn_state(const struct conn *c)
{
	return c->state;
}

bool
conn_failed(const struct conn *c)
{
	return c->state != CONN_OPEN;
}

const char *
conn_reason(const struct conn *c)
{
	return str_text(&c->reason);
}

/* Waits for what is asked, and gives up at the deadline. */
static bool
wait_for(struct conn *c, bool input, bool output)
{
	struct pollfd polls[2] = {{.fd = -1}, {.fd = -1}};
	size_t count = 0;
	int ready;

	if (input)
		polls[count++] = (struct pollfd){.fd = c->input_fd, .events = POLLIN};
	if (output)
		polls[count++] = (struct pollfd){.fd = c->output_fd, .events = POLLOUT};
	for (;;) {
		/* also when there is always something ready: a peer that drips bytes gets no longer */
		if (deadline_passed(c->deadline)) {
			fail(c, CONN_TIMED_OUT, ETIMEDOUT, "timed out");
			return false;
		}
		ready = poll(polls, (nfds_t)count, deadline_poll_ms(c->deadline));
		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR && errno != EAGAIN) {
			fail(c, CONN_BROKEN, errno, strerror(errno));
			return false;
		}
	}
}

bool
conn_wait(struct conn *c, enum conn_want want)
{
	if (c->state != CONN_OPEN)
		return false;
	return wait_for(c, want == CONN_WANT_INPUT, want == CONN_WANT_OUTPUT);
}

static ssize_t
transport_read(struct conn *c, void *bytes, size_t size, enum conn_want *want, const char **reason)
{
	ssize_t taken;

	if (c->tls != NULL)
		return c->tls_methods->read(c->tls, bytes, size, want, reason);
	do
		taken = read(c->input_fd, bytes, size);
	while (taken < 0 && errno == EINTR);
	if (taken > 0)
		return taken;
	if (taken == 0)
		*want = CONN_WANT_NOTHING;
	else
		*want =
		    errno == EAGAIN || errno == EWOULDBLOCK ? CONN_WANT_INPUT : CONN_SYSTEM_ERROR;
	return -1;
}

static ssize_t
transport_write(
    struct conn *c, const void *bytes, size_t size, enum conn_want *want, const char **reason)
{
	ssize_t gone;

	if (c->tls != NULL)
		return c->tls_methods->write(c->tls, bytes, size, want, reason);
	do
		gone = write(c->output_fd, bytes, size);
	while (gone < 0 && errno == EINTR);
	if (gone >= 0)
		return gone;
	*want = errno == EAGAIN || errno == EWOULDBLOCK ? CONN_WANT_OUTPUT : CONN_SYSTEM_ERROR;
	return -1;
}

static void
make_room(struct conn *c)
{
	if (c->start > 0) {
		memmove(c->input, c->input + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	if (c->end == c->capacity) {
		char *larger = check_malloc(c->capacity * 2);

		memcpy(larger, c->input, c->end);
		os_wipe(c->input, c->capacity);
		free(c->input);
		c->input = larger;
		c->capacity *= 2;
	}
}

/* Takes in what is there, without waiting.  True when something came; else *want says what is missing. */
static bool
take_input(struct conn *c, enum conn_want *want)
{
	const char *reason = "";
	ssize_t taken;

	if (c->saw_end) {
		*want = CONN_WANT_NOTHING;
		return false;
	}
	make_room(c);
	taken = transport_read(c, c->input + c->end, c->capacity - c->end, want, &reason);
	if (taken > 0) {
		c->end += (size_t)taken;
		made_progress(c);
		return true;
	}
	if (*want == CONN_WANT_NOTHING) {
		c->saw_end = true;
	} else if (*want == CONN_SYSTEM_ERROR) {
		c->saw_end = true;
		fail(c, CONN_BROKEN, errno, strerror(errno));
	} else if (*want == CONN_PROTOCOL_ERROR) {
		c->saw_end = true;
		fail(c, CONN_GARBLED, 0, reason);
		c->start = c->end = 0;
	}
	return false;
}

/* A peer that refuses our bytes may have said why. */
static void
write_failed(struct conn *c, enum conn_want want, int error, const char *reason)
{
	enum conn_want ignored;

	if (want == CONN_SYSTEM_ERROR) {
		while (c->end - c->start < INPUT_WHILE_WRITING && c->state == CONN_OPEN &&
		       take_input(c, &ignored))
			continue;
		fail(c, CONN_BROKEN, error, strerror(error));
	} else if (want == CONN_WANT_NOTHING) {
		fail(c, CONN_CLOSED_BY_PEER, 0, "connection closed");
	} else {
		fail(c, CONN_GARBLED, 0, reason);
		c->start = c->end = 0;
	}
}

void
conn_flush(struct conn *c)
{
	while (c->state == CONN_OPEN && c->sent < c->filled) {
		enum conn_want want = CONN_WANT_OUTPUT, ignored;
		const char *reason = "";
		bool may_take;
		ssize_t gone;

		gone = transport_write(c, c->output + c->sent, c->filled - c->sent, &want, &reason);
		if (gone > 0) {
			c->sent += (size_t)gone;
			made_progress(c);
			continue;
		}
		if (gone < 0 && want != CONN_WANT_OUTPUT && want != CONN_WANT_INPUT) {
			write_failed(c, want, errno, reason);
			return;
		}
		may_take = !c->saw_end && c->end - c->start < INPUT_WHILE_WRITING;
		if (want == CONN_WANT_INPUT && !may_take) {
			fail(c, CONN_GARBLED, 0, "peer floods");
			return;
		}
		if (!wait_for(c, may_take, want == CONN_WANT_OUTPUT))
			return;
		if (may_take)
			take_input(c, &ignored);
	}
	if (c->filled > 0)
		os_wipe(c->output, c->filled);
	c->sent = c->filled = 0;
}

void
conn_write(struct conn *c, const void *bytes, size_t length)
{
	const char *next = bytes;

	while (length > 0 && c->state == CONN_OPEN) {
		size_t room = OUTPUT_SIZE - c->filled, part = length < room ? length : room;

		memcpy(c->output + c->filled, next, part);
		c->filled += part;
		next += part;
		length -= part;
		if (c->filled == OUTPUT_SIZE)
			conn_flush(c);
	}
}

void
conn_printf(struct conn *c, const char *format, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	conn_write(c, text.data, text.length);
	if (text.data != NULL)
		os_wipe(text.data, text.length);
	str_free(&text);
}

size_t
conn_unsent(const struct conn *c)
{
	return c->filled - c->sent;
}

/* Waits until more input is there; false when none will come. */
static bool
fill(struct conn *c)
{
	enum conn_want want;

	conn_flush(c);
	while (c->state == CONN_OPEN) {
		if (deadline_passed(c->deadline)) {
			fail(c, CONN_TIMED_OUT, ETIMEDOUT, "timed out");
			return false;
		}
		if (take_input(c, &want))
			return true;
		if (want == CONN_WANT_NOTHING)
			fail(c, CONN_CLOSED_BY_PEER, 0, "connection closed");
		else if (c->state == CONN_OPEN)
			wait_for(c, want == CONN_WANT_INPUT, want == CONN_WANT_OUTPUT);
	}
	return false;
}

static bool
may_hand_out(const struct conn *c)
{
	return c->state == CONN_OPEN || c->state == CONN_CLOSED_BY_PEER || c->state == CONN_BROKEN;
}

/* The rest of a line that is too long: its beginning is kept, the rest up to the line end dropped. */
static enum conn_line
skip_long_line(struct conn *c, size_t maximum, char **line, size_t *length)
{
	char *newline;

	str_clear(&c->long_line);
	str_add(&c->long_line, c->input + c->start, maximum);
	for (;;) {
		newline = memchr(c->input + c->start, '\n', c->end - c->start);
		if (newline != NULL)
			break;
		c->start = c->end = 0;
		if (!fill(c))
			return CONN_LINE_FAILED;
	}
	c->start = (size_t)(newline - c->input) + 1;
	*line = c->long_line.data;
	*length = c->long_line.length;
	return CONN_LINE_TOO_LONG;
}

enum conn_line
conn_read_line(struct conn *c, size_t maximum, char **line, size_t *length)
{
	size_t searched = 0;

	*line = NULL;
	*length = 0;
	if (!may_hand_out(c))
		return CONN_LINE_FAILED;
	for (;;) {
		char *begin = c->input + c->start;
		size_t there = c->end - c->start;
		char *newline = memchr(begin + searched, '\n', there - searched);

		if (newline != NULL) {
			size_t found = (size_t)(newline - begin);
			bool has_cr = found > 0 && begin[found - 1] == '\r';

			if (found - has_cr > maximum)
				return skip_long_line(c, maximum, line, length);
			begin[found - has_cr] = '\0';
			c->start += found + 1;
			*line = begin;
			*length = found - has_cr;
			return has_cr ? CONN_LINE : CONN_LINE_BARE_LF;
		}
		/* one more may be the CR of its line end */
		if (there > maximum + 1)
			return skip_long_line(c, maximum, line, length);
		searched = there;
		if (!fill(c))
			return CONN_LINE_FAILED;
	}
}

size_t
conn_read(struct conn *c, void *bytes, size_t size)
{
	size_t part;

	if (!may_hand_out(c) || size == 0)
		return 0;
	if (c->start == c->end && !fill(c))
		return 0;
	part = c->end - c->start < size ? c->end - c->start : size;
	memcpy(bytes, c->input + c->start, part);
	c->start += part;
	return part;
}

size_t
conn_peek(struct conn *c, const char **bytes)
{
	if (!may_hand_out(c) || (c->start == c->end && !fill(c)))
		return 0;
	*bytes = c->input + c->start;
	return c->end - c->start;
}

void
conn_take(struct conn *c, size_t length)
{
	check(length <= c->end - c->start);
	c->start += length;
}

bool
conn_has_input(struct conn *c)
{
	enum conn_want ignored;

	if (c->start == c->end && c->state == CONN_OPEN)
		take_input(c, &ignored);
	return c->end > c->start;
}

bool
conn_is_quiet(struct conn *c)
{
	return !conn_has_input(c) && c->state == CONN_OPEN && !c->saw_end;
}

size_t
conn_buffered(const struct conn *c)
{
	return c->end - c->start;
}

void
conn_discard_input(struct conn *c)
{
	c->start = c->end = 0;
}

void
conn_attach_tls(struct conn *c, struct tls_session *session, const struct conn_methods *methods)
{
	check(c->tls == NULL);
	c->tls = session;
	c->tls_methods = methods;
}

struct tls_session *
conn_tls(struct conn *c)
{
	return c->tls;
}

int
conn_input_fd(const struct conn *c)
{
	return c->input_fd;
}

int
conn_output_fd(const struct conn *c)
{
	return c->output_fd;
}
