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
#include "base/log.h"
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

/* A mailer that is being talked to: what it has yet to read, and what came of it. */
struct talk {
	struct spawn_child *child;
	struct str bytes; /* for its input, */
	size_t sent;	  /* and how many of them it has */
	struct str *output;
	int64_t deadline;
	int status;
	enum {
		TALK_GOES_ON,
		TALK_ENDED,
		TALK_LOST
	} state; /* lost: time is up, or nobody will tell */
};

/* Writes what the pipe takes; closes it when the mailer does not want more. */
static void
write_input(struct talk *talk)
{
	while (talk->sent < talk->bytes.length) {
		ssize_t done = write(talk->child->input_fd, talk->bytes.data + talk->sent,
		    talk->bytes.length - talk->sent);

		if (done >= 0) {
			talk->sent += (size_t)done;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) { /* EPIPE: its exit status says what that means */
			close(talk->child->input_fd);
			talk->child->input_fd = -1;
			return;
		}
	}
	str_clear(&talk->bytes);
	talk->sent = 0;
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

/* One round of waiting for whatever the mailer does next. */
static void
listen_once(struct talk *talk)
{
	struct spawn_child *child = talk->child;
	bool has_more = talk->bytes.length > 0 && child->input_fd >= 0;
	struct pollfd wait[3] = {
	    {.fd = has_more ? child->input_fd : -1, .events = POLLOUT},
	    {.fd = child->output_fd, .events = POLLIN},
	    {.fd = child->status_fd, .events = POLLIN},
	};

	if (deadline_passed(talk->deadline))
		talk->state = TALK_LOST;
	if (talk->state == TALK_LOST || poll(wait, 3, deadline_poll_ms(talk->deadline)) < 0)
		return;
	if (has_more && wait[0].revents != 0)
		write_input(talk);
	if (child->output_fd >= 0 && wait[1].revents != 0)
		read_output(&child->output_fd, talk->output);
	else if (wait[2].revents != 0) /* only when its output was taken */
		talk->state = read(child->status_fd, &talk->status, sizeof talk->status) ==
				      (ssize_t)sizeof talk->status
				  ? TALK_ENDED
				  : TALK_LOST;
}

/* More for its input; waits when much is outstanding.  What nobody reads any more is dropped. */
static void
give(void *context, const char *bytes, size_t length)
{
	struct talk *talk = context;

	if (talk->state != TALK_GOES_ON || talk->child->input_fd < 0)
		return;
	str_add(&talk->bytes, bytes, length);
	while (talk->bytes.length >= CHUNK && talk->state == TALK_GOES_ON &&
	       talk->child->input_fd >= 0)
		listen_once(talk);
}

/* The message, as its mailer wants it; false when our file failed. */
static bool
give_message(struct talk *talk, const struct local_message *message)
{
	const struct mailer *mailer = message->render.mailer;
	struct lines lines = render_lines(mailer);
	bool escapes_from = lines.from;
	const char *reason = "";

	lines.write = give;
	lines.context = talk;
	lines.keeps_cr = true;
	lines.from = false;
	if (message->unix_from != NULL && !mailer_has(mailer, 'n')) {
		lines_write(&lines, message->unix_from, strlen(message->unix_from));
		lines_write(&lines, "\n", 1);
	}
	lines.from = escapes_from;
	if (!render_message(&message->render, render_choose_coding(&message->render, true), &lines,
		NULL, NULL, &reason))
		return false;
	/* V8: a blank line behind it; always in files, where the next message follows */
	if (text_equal_nocase(mailer->path, "[FILE]") ||
	    (mailer_has(mailer, 'b') && !lines.ended_late))
		lines_write(&lines, "\n", 1);
	return true;
}

/* Feeds and listens until the status is there.  False: our file failed. */
static bool
converse(struct talk *talk, const struct local_message *message)
{
	fcntl(talk->child->input_fd, F_SETFL, O_NONBLOCK);
	if (!give_message(talk, message))
		return false;
	while (talk->bytes.length > 0 && talk->child->input_fd >= 0 && talk->state == TALK_GOES_ON)
		listen_once(talk);
	if (talk->child->input_fd >= 0)
		close(talk->child->input_fd);
	talk->child->input_fd = -1;
	while (talk->state == TALK_GOES_ON)
		listen_once(talk);
	return true;
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
	const struct mailer *mailer = message->render.mailer;
	struct spawn_child child;
	struct talk talk = {.child = &child, .output = output};
	bool is_given;

	if (!is_readable(message->render.envelope->body_fd))
		return verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
		    "cannot read the message body: %s", strerror(errno));
	if (!spawn_start(spawner, request, &child))
		return verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
		    "%s mailer could not be started: %s", mailer->name, strerror(errno));
	talk.deadline = deadline_in(message->limit_seconds);
	is_given = converse(&talk, message);
	if (talk.state != TALK_ENDED && child.pid > 0)
		child.pid = 0; /* it may never end: not waited for */
	finish(&child);
	str_free(&talk.bytes);
	if (!is_given)
		return verdict_make(
		    arena, 451, "4.3.0", EX_TEMPFAIL, "cannot read the message body");
	if (talk.state != TALK_ENDED)
		return verdict_make(arena, 451, "4.0.0", EX_TEMPFAIL, "%s mailer (%s) did not end",
		    mailer->name, mailer->path);
	if (WIFSIGNALED(talk.status))
		log_at(0, LOG_CRIT, "%s: SYSERR(root): mailer %s died with signal %d", request->id,
		    mailer->name, WTERMSIG(talk.status));
	return local_verdict(mailer, talk.status, arena);
}
