#include "config.h"

#include "deliver/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { OUTPUT_MAXIMUM = 64 * 1024, CHUNK = 16 * 1024 };

struct verdict
local_verdict(const struct mailer *mailer, int wait_status, struct arena *arena)
{
	int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EX_TEMPFAIL;

	if (status == EX_TEMPFAIL)
		return verdict_make(arena, 451, "4.0.0", EX_TEMPFAIL,
		    "%s mailer (%s) exited with EX_TEMPFAIL", mailer->name, mailer->path);
	if (verdict_knows_exit(status))
		return verdict_make(arena, verdict_code_from_exit(status),
		    verdict_dsn_from_exit(status), status, "%s",
		    status == EX_OK ? "" : verdict_text_from_exit(status));
	/* V8: its own exit status is that of an unavailable service then */
	return verdict_make(arena, 554, "5.3.0", EX_UNAVAILABLE, "unknown mailer error %d", status);
}

const char *
local_exit_text(const struct verdict *verdict, struct arena *arena)
{
	static const char unknown[] = "unknown mailer error ";

	if (strncmp(verdict->text, unknown, sizeof unknown - 1) == 0)
		return verdict->text + sizeof unknown - 1;
	/* what never ran, or never ended, has no status */
	if (strcmp(verdict->dsn, "4.3.0") == 0)
		return NULL;
	return arena_printf(arena, "%d", verdict->exit_status);
}

/* Turns the message into the bytes that the mailer reads, a piece at a time. */
struct feed {
	const struct local_message *message;
	struct str bytes;
	size_t sent;
	off_t body_at;
	bool is_at_line_start, body_ended, failed;
};

static void
put_eol(struct feed *feed)
{
	str_add_text(
	    &feed->bytes, feed->message->mailer->eol != NULL ? feed->message->mailer->eol : "\n");
}

static void
put_line_byte(struct feed *feed, const char *bytes, size_t left)
{
	const struct mailer *mailer = feed->message->mailer;

	if (feed->is_at_line_start) {
		if (mailer_has(mailer, 'E') && left >= 5 && strncmp(bytes, "From ", 5) == 0)
			str_add_char(&feed->bytes, '>');
		if (mailer_has(mailer, 'X') && *bytes == '.')
			str_add_char(&feed->bytes, '.');
	}
	feed->is_at_line_start = *bytes == '\n';
	if (*bytes == '\n')
		put_eol(feed);
	else
		str_add_char(
		    &feed->bytes, mailer_has(mailer, '7') ? (char)(*bytes & 0x7f) : *bytes);
}

static void
feed_begin(struct feed *feed)
{
	const struct local_message *message = feed->message;

	if (message->unix_from != NULL && !mailer_has(message->mailer, 'n')) {
		str_add_text(&feed->bytes, message->unix_from);
		put_eol(feed);
	}
	feed->is_at_line_start = true;
	for (size_t i = 0; i < message->header_length; i++) {
		if (message->header[i] == '\n')
			put_eol(feed);
		else
			str_add_char(&feed->bytes, message->header[i]);
	}
	put_eol(feed);
	feed->body_ended = message->body_fd < 0;
}

static void
feed_end(struct feed *feed)
{
	feed->body_ended = true;
	if (!feed->is_at_line_start)
		put_eol(feed);
	/* V8: a blank line behind it; always in files, where the next message follows */
	if (mailer_has(feed->message->mailer, 'b') ||
	    text_equal_nocase(feed->message->mailer->path, "[FILE]"))
		put_eol(feed);
}

/* More bytes into an empty buffer; false when there are none left. */
static bool
feed_more(struct feed *feed)
{
	char bytes[CHUNK + 5];
	size_t usable;
	ssize_t got;

	str_clear(&feed->bytes);
	feed->sent = 0;
	if (feed->body_ended)
		return false;
	do
		got = pread(feed->message->body_fd, bytes, sizeof bytes, feed->body_at);
	while (got < 0 && errno == EINTR);
	if (got < 0) {
		feed->failed = true;
		return false;
	}
	/* five bytes stay behind, to recognise "From " whole */
	usable = got > CHUNK ? CHUNK : (size_t)got;
	for (size_t i = 0; i < usable; i++)
		put_line_byte(feed, bytes + i, (size_t)got - i);
	feed->body_at += (off_t)usable;
	if (got <= CHUNK)
		feed_end(feed);
	return feed->bytes.length > 0;
}

/* Writes what the pipe takes; closes it at the end, or when the mailer does not want more. */
static void
feed_write(struct feed *feed, int *fd)
{
	if (feed->sent == feed->bytes.length && !feed_more(feed)) {
		close(*fd);
		*fd = -1;
		return;
	}
	while (feed->sent < feed->bytes.length) {
		ssize_t done =
		    write(*fd, feed->bytes.data + feed->sent, feed->bytes.length - feed->sent);

		if (done >= 0) {
			feed->sent += (size_t)done;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) { /* EPIPE: its exit status says what that means */
			close(*fd);
			*fd = -1;
			return;
		}
	}
}

static void
read_output(int *fd, struct str *output)
{
	char bytes[4096];
	ssize_t got = read(*fd, bytes, sizeof bytes);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	if (output->length + (size_t)got <= OUTPUT_MAXIMUM)
		str_add(output, bytes, (size_t)got);
}

/* Feeds and listens until the status is there.  False: time is up, or nobody will tell. */
static bool
converse(
    struct spawn_child *child, struct feed *feed, struct str *output, int64_t deadline, int *status)
{
	fcntl(child->input_fd, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd wait[3] = {
		    {.fd = child->input_fd, .events = POLLOUT},
		    {.fd = child->output_fd, .events = POLLIN},
		    {.fd = child->status_fd, .events = POLLIN},
		};

		if (deadline_passed(deadline))
			return false;
		if (poll(wait, 3, deadline_poll_ms(deadline)) < 0)
			continue;
		if (child->input_fd >= 0 && wait[0].revents != 0)
			feed_write(feed, &child->input_fd);
		if (feed->failed)
			return false;
		if (child->output_fd >= 0 && wait[1].revents != 0)
			read_output(&child->output_fd, output);
		else if (wait[2].revents != 0) /* only when its output was taken */
			return read(child->status_fd, status, sizeof *status) ==
			       (ssize_t)sizeof *status;
	}
}

static void
finish(struct spawn_child *child)
{
	if (child->input_fd >= 0)
		close(child->input_fd);
	if (child->output_fd >= 0)
		close(child->output_fd);
	close(child->status_fd);
	while (child->pid > 0 && waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* A disk that cannot be read is found before the mailer has half a message. */
static bool
is_readable(int fd)
{
	char bytes[CHUNK];
	off_t at = 0;

	for (;;) {
		ssize_t got = fd < 0 ? 0 : pread(fd, bytes, sizeof bytes, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		at += got;
	}
}

struct verdict
local_deliver(struct spawner *spawner, const struct spawn_request *request,
    const struct local_message *message, struct str *output, struct arena *arena)
{
	struct feed feed = {.message = message};
	struct spawn_child child;
	int status = 0;
	bool ended;

	if (!is_readable(message->body_fd))
		return verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
		    "cannot read the message body: %s", strerror(errno));
	if (!spawn_start(spawner, request, &child))
		return verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
		    "%s mailer could not be started: %s", message->mailer->name, strerror(errno));
	feed_begin(&feed);
	ended = converse(&child, &feed, output, deadline_in(message->limit_seconds), &status);
	if (!ended && child.pid > 0)
		child.pid = 0; /* it may never end: not waited for */
	finish(&child);
	str_free(&feed.bytes);
	if (feed.failed)
		return verdict_make(
		    arena, 451, "4.3.0", EX_TEMPFAIL, "cannot read the message body");
	if (!ended)
		return verdict_make(arena, 451, "4.0.0", EX_TEMPFAIL, "%s mailer (%s) did not end",
		    message->mailer->name, message->mailer->path);
	return local_verdict(message->mailer, status, arena);
}
