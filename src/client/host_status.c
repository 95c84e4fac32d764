#include "config.h"

#include "client/host_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "mail/verdict.h"
#include "os/os.h"

enum { VERSION_WRITTEN = 0, FILE_MAXIMUM = 4096 };

struct host_status {
	int fd;
	struct host_state state;
};

const char *
host_status_directory(const struct config *config, struct arena *arena, int *error)
{
	const char *name = config->options.host_status_directory, *queue;
	struct stat status;

	*error = 0;
	if (name == NULL || *name == '\0')
		return NULL;
	queue = config->options.queue_directory;
	if (*name != '/' && queue != NULL)
		name = arena_printf(arena, "%.*s/%s", (int)(strcspn(queue, "*?[")), queue, name);
	if (stat(name, &status) < 0)
		*error = errno;
	else if (!S_ISDIR(status.st_mode))
		*error = ENOTDIR;
	else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		*error = EACCES; /* strangers could keep mail from its way */
	errno = *error;
	return *error == 0 ? name : NULL;
}

bool
host_status_path(const char *host, struct str *path)
{
	size_t length = strlen(host), end;

	if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	if (length > 0 && host[length - 1] == '.')
		length--;
	if (length == 0 || length > 255 || memchr(host, '/', length) != NULL)
		return false;
	for (end = length;;) {
		size_t start = end;

		while (start > 0 && host[start - 1] != '.')
			start--;
		if (start == end)
			return false;
		for (size_t i = start; i < end; i++)
			str_add_char(path, (char)text_lower((unsigned char)host[i]));
		if (start == 0)
			return true;
		str_add_text(path, "./");
		end = start - 1;
	}
}

/* One line; false: it is none. */
static bool
read_line(const char *line, struct host_state *state)
{
	const char *value = line + 1;

	switch (*line) {
	case 'E':
		state->error = atoi(value);
		break;
	case 'H':
		state->name_error = atoi(value);
		break;
	case 'S':
		state->exit_status = atoi(value);
		break;
	case 'D':
		text_copy(state->dsn, sizeof state->dsn, value);
		break;
	case 'R':
		text_copy(state->reply, sizeof state->reply, value);
		break;
	case 'U':
		state->updated = (time_t)strtoll(value, NULL, 10);
		break;
	default:
		return false;
	}
	return true;
}

const char *
host_status_read(const char *text, struct host_state *state, struct arena *arena)
{
	*state = (struct host_state){0};
	for (int number = 1; *text != '\0'; number++) {
		size_t length = strcspn(text, "\n");
		const char *line = arena_memdup(arena, text, length);

		text += length + (text[length] != '\0');
		if (*line == '.')
			return NULL;
		if (*line == 'V') {
			if (atoi(line + 1) > VERSION_WRITTEN)
				return arena_printf(arena,
				    "line %d: Unknown host status version %s: %d max", number,
				    line + 1, VERSION_WRITTEN);
		} else if (!read_line(line, state)) {
			return arena_printf(
			    arena, "line %d: Unknown host status line \"%s\"", number, line);
		}
	}
	return NULL;
}

void
host_status_write(const struct host_state *state, struct str *out)
{
	str_printf(out, "V%d\nE%d\nH%d\nS%d\n", VERSION_WRITTEN, state->error, state->name_error,
	    state->exit_status);
	if (state->dsn[0] != '\0')
		str_printf(out, "D%s\n", state->dsn);
	if (state->reply[0] != '\0')
		str_printf(out, "R%s\n", state->reply);
	str_printf(out, "U%lld\n.\n", (long long)state->updated);
}

void
host_status_words(const struct host_state *state, struct str *out)
{
	const char *words = verdict_text_from_exit(state->exit_status);

	if (state->reply[0] != '\0')
		str_add_text(out, state->reply);
	else if (state->exit_status == EX_OK)
		str_add_text(out, "OK");
	else if (state->exit_status == EX_TEMPFAIL && state->error != 0)
		str_printf(out, "Deferred: %s", strerror(state->error));
	else if (state->exit_status == EX_TEMPFAIL)
		str_printf(out, "%s Deferred", state->dsn[0] != '\0' ? state->dsn : "4.0.0");
	else
		str_printf(out, "%s %s", state->dsn[0] != '\0' ? state->dsn : "5.0.0",
		    words != NULL ? words : "unknown status");
}

/* The folders on the way to the file; the first one exists. */
static bool
make_folders(char *path, size_t prefix)
{
	for (char *at = path + prefix; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return false;
		*at = '/';
	}
	return true;
}

/* The file of a host, made when it is missing; -1 with errno. */
static int
open_file(const char *directory, const char *host)
{
	struct str path = {0};
	int fd = -1;

	str_printf(&path, "%s/", directory);
	errno = EINVAL;
	if (host_status_path(host, &path) && make_folders(path.data, strlen(directory) + 1)) {
		fd = open(path.data, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
		if (fd < 0)
			log_at(1, LOG_CRIT,
			    "NOQUEUE: SYSERR(root): cannot create host status file %s: %s",
			    path.data, strerror(errno));
	}
	str_free(&path);
	return fd;
}

static void
read_state(int fd, const char *host, struct host_state *state)
{
	char text[FILE_MAXIMUM + 1];
	ssize_t length = pread(fd, text, FILE_MAXIMUM, 0);
	struct arena *arena = arena_create();
	const char *complaint;

	text[length > 0 ? length : 0] = '\0';
	complaint = host_status_read(text, state, arena);
	if (complaint != NULL) {
		log_at(1, LOG_CRIT, "host status of %s: %s", host, complaint);
		*state = (struct host_state){0};
	}
	arena_destroy(arena);
}

static bool
is_down(const struct config *config, const struct host_state *state)
{
	/* a failure for good is none: what a host that refused everything yesterday says today is its own affair */
	return state->exit_status == EX_TEMPFAIL && state->updated != 0 &&
	       state->updated <= clock_now() &&
	       clock_age(state->updated) <= config->options.timeouts.host_status;
}

enum host_status_answer
host_status_begin(const struct config *config, const char *host, struct host_status **status,
    struct host_state *state)
{
	struct arena *arena = arena_create();
	enum host_status_answer answer = HOST_TRY;
	int error, fd = -1;
	const char *directory = host_status_directory(config, arena, &error);

	*status = NULL;
	*state = (struct host_state){0};
	if (directory != NULL)
		fd = open_file(directory, host);
	arena_destroy(arena);
	if (fd < 0)
		return HOST_TRY;
	if (config->options.single_thread_delivery && os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0 &&
	    errno == EWOULDBLOCK) {
		answer = HOST_IS_BUSY;
	} else {
		read_state(fd, host, state);
		if (is_down(config, state))
			answer = HOST_IS_DOWN;
	}
	if (answer != HOST_TRY) {
		close(fd);
		return answer;
	}
	*status = check_malloc(sizeof **status);
	**status = (struct host_status){.fd = fd};
	return HOST_TRY;
}

void
host_status_note(
    struct host_status *status, int exit_status, int error, const char *dsn, const char *reply)
{
	struct host_state *state;

	if (status == NULL)
		return;
	state = &status->state;
	*state = (struct host_state){.exit_status = exit_status, .error = error};
	text_copy(state->dsn, sizeof state->dsn, dsn);
	/* a reply is cut rather than left out */
	snprintf(state->reply, sizeof state->reply, "%s", reply != NULL ? reply : "");
	state->reply[strcspn(state->reply, "\n")] = '\0';
}

void
host_status_end(struct host_status *status)
{
	struct str text = {0};

	if (status == NULL)
		return;
	status->state.updated = clock_now();
	host_status_write(&status->state, &text);
	/* hoststat may read at this moment: it takes no lock, and shows half a file at worst */
	if (ftruncate(status->fd, 0) < 0 || lseek(status->fd, 0, SEEK_SET) < 0 ||
	    !io_write(status->fd, text.data, text.length))
		log_at(1, LOG_ERR, "cannot write a host status: %s", strerror(errno));
	str_free(&text);
	close(status->fd);
	free(status);
}
