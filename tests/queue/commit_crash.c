/*
 * commit_crash: what crash.test kills at every system call.
 *
 *   commit_crash run DIRECTORY     commits three messages, rewrites the first, rewrites and removes the second;
 *                                  says on standard output what is acknowledged: "commit ID NUMBER", "remove ID"
 *                                  before and "removed ID" after; "refused NUMBER ERROR" when a step failed
 *   commit_crash adopt DIRECTORY   gives root's messages to the user nobody
 *   commit_crash check DIRECTORY   takes every message and prints "ID NUMBER whole" or "ID NUMBER damaged"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/queue.h"

enum { MESSAGES = 3, LINES = 400, NOBODY = 65534 };

static void
say(const char *format, const char *id, int number)
{
	char line[128];
	int length = snprintf(line, sizeof line, format, id, number);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(3);
}

static void
body_line(char line[64], int message, int number)
{
	snprintf(line, 64, "line %d of message %d\n", number, message);
}

/* Written in two parts with ordinary write(2), as submission does. */
static bool
write_body(int fd, int message)
{
	struct str text = {0};
	size_t done = 0;
	bool good = true;

	for (int i = 0; i < LINES; i++) {
		char line[64];

		body_line(line, message, i);
		str_add_text(&text, line);
	}
	while (good && done < text.length) {
		size_t part = text.length - done < 8192 ? text.length - done : 8192;
		ssize_t count = write(fd, text.data + done, part);

		good = count > 0 || (count < 0 && errno == EINTR);
		done += count > 0 ? (size_t)count : 0;
	}
	str_free(&text);
	return good;
}

static struct envelope *
commit(struct queue *queue, int number)
{
	struct envelope *envelope = envelope_create();
	int fd;

	snprintf(envelope->id, sizeof envelope->id, "6AKAnw%02d000049", number);
	envelope->created = 1795171798;
	envelope->sender = arena_printf(envelope->arena, "sender%d", number);
	envelope_add_recipient(envelope, "bob@example.org", RECIPIENT_PRIMARY);
	header_append(&envelope->headers, envelope->arena, "Subject", " x");
	fd = queue_body_create(queue, envelope->id);
	if (fd >= 0 && !write_body(fd, number)) {
		int saved = errno;

		queue_discard(queue, envelope->id);
		close(fd);
		fd = -1;
		errno = saved;
	}
	if (fd < 0 || queue_commit(queue, envelope, fd, true) < 0) {
		say("refused %s %d\n", envelope->id, errno);
		envelope_destroy(envelope);
		return NULL;
	}
	say("commit %s %d\n", envelope->id, number);
	return envelope;
}

static int
run(struct queue *queue)
{
	for (int number = 0; number < MESSAGES; number++) {
		struct envelope *envelope = commit(queue, number);

		if (envelope == NULL)
			continue;
		envelope->status = "Deferred: later";
		if (number < 2 && queue_rewrite(queue, envelope) < 0)
			say("refused %s %d\n", envelope->id, errno);
		if (number == 1) {
			say("remove %s\n", envelope->id, number);
			if (queue_remove(queue, envelope) == 0)
				say("removed %s\n", envelope->id, number);
		}
		envelope_destroy(envelope);
	}
	return 0;
}

static bool
body_is_whole(int fd, int message)
{
	char expected[64], got[64];

	for (int i = 0; i < LINES; i++) {
		ssize_t length;

		body_line(expected, message, i);
		length = (ssize_t)strlen(expected);
		if (read(fd, got, (size_t)length) != length ||
		    memcmp(got, expected, (size_t)length) != 0)
			return false;
	}
	return read(fd, got, 1) == 0;
}

static int
check_queue(struct queue *queue)
{
	struct queue_entry *entries;
	size_t count;

	if (queue_scan(queue, 'q', &entries, &count) < 0)
		return 1;
	for (size_t i = 0; i < count; i++) {
		struct envelope *envelope;

		if (queue_take(queue, entries[i].id, &envelope) != QUEUE_TAKEN) {
			printf("%s lost\n", entries[i].id);
			continue;
		}
		printf("%s %s\n", envelope->id,
		    envelope->recipients != NULL && body_is_whole(envelope->body_fd,
							atoi(envelope->sender + strlen("sender")))
			? "whole"
			: "damaged");
		envelope_destroy(envelope);
	}
	free(entries);
	return 0;
}

int
main(int argc, char **argv)
{
	struct queue *queue = argc == 3 ? queue_open(argv[2], 0600, false, true) : NULL;
	int status;

	if (queue == NULL) {
		say("refused %s %d\n", "-", errno);
		return 2;
	}
	if (strcmp(argv[1], "adopt") == 0)
		status = queue_adopt(queue, NOBODY, NOBODY) < 0;
	else
		status = strcmp(argv[1], "run") == 0 ? run(queue) : check_queue(queue);
	queue_close(queue);
	return status;
}
