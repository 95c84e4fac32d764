#include "list_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/str.h"
#include "base/text.h"

enum { TEXT_MAXIMUM = 64 * 1024 * 1024, WAIT_SECONDS = 60 };

/* V8: who could have written it besides its owner. */
static bool
is_unsafe(const char *path, enum safefile_kind kind, const struct stat *status,
    const struct options *options)
{
	bool is_forward = kind == SAFEFILE_FORWARD;
	enum dont_blame group = is_forward ? BLAME_GROUP_WRITABLE_FORWARD_FILE_SAFE
					   : BLAME_GROUP_WRITABLE_INCLUDE_FILE_SAFE;
	enum dont_blame directory = is_forward ? BLAME_FORWARD_FILE_IN_UNSAFE_DIR_PATH_SAFE
					       : BLAME_INCLUDE_FILE_IN_UNSAFE_DIR_PATH_SAFE;

	if ((status->st_mode & S_IWOTH) != 0)
		return true;
	if ((status->st_mode & S_IWGRP) != 0 && !option_blames(options, group))
		return true;
	return !option_blames(options, directory) &&
	       safefile_check(path, SAFEFILE_DIRECTORIES, options) != NULL;
}

/* AIX and others let users give files away where the file system is told so. */
static bool
may_be_gift(int fd, const struct options *options)
{
	return !option_blames(options, BLAME_ASSUME_SAFE_CHOWN) &&
	       fpathconf(fd, _PC_CHOWN_RESTRICTED) <= 0;
}

/* NULL, or why not; *fd is the open file then. */
static const char *
open_safely(const char *path, enum safefile_kind kind, const struct list_reader *reader,
    const struct config *config, int *fd, struct list_file *file)
{
	const char *reason = safefile_check_kind(path, kind, &config->options);
	struct stat status, named;

	*fd = -1;
	if (reason != NULL)
		return reason;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0)
		return strerror(errno);
	if (fstat(*fd, &status) < 0 || !S_ISREG(status.st_mode))
		return "Regular files only";
	if (kind == SAFEFILE_FORWARD && reader != NULL && status.st_uid != reader->uid &&
	    status.st_uid != 0)
		return strerror(EACCES);
	/* it is the file that was looked at: a name that changed meanwhile is looked at once more */
	reason = safefile_check_kind(path, kind, &config->options);
	if (reason == NULL && (stat(path, &named) < 0 || named.st_dev != status.st_dev ||
				  named.st_ino != status.st_ino))
		reason = "File changed while it was opened";
	file->uid = status.st_uid;
	file->is_unsafe = is_unsafe(path, kind, &status, &config->options);
	file->may_be_gift = may_be_gift(*fd, &config->options);
	return reason;
}

/* Until the end, the deadline (ETIMEDOUT) or a failure. 0 or an errno. */
static int
read_all(int fd, int64_t deadline, struct str *text)
{
	char buffer[8192];

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int ready = poll(&wait, 1, deadline_poll_ms(deadline));
		ssize_t got;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return ETIMEDOUT;
		got = read(fd, buffer, sizeof buffer);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (got == 0)
			return 0;
		if (text->length + (size_t)got > TEXT_MAXIMUM)
			return EFBIG;
		str_add(text, buffer, (size_t)got);
	}
}

/* NULL and file->text, or why not. */
static const char *
read_file(const char *path, enum safefile_kind kind, const struct list_reader *reader,
    const struct config *config, struct arena *arena, struct list_file *file)
{
	struct str text = {0};
	int fd, error;
	const char *reason = open_safely(path, kind, reader, config, &fd, file);

	if (reason == NULL && (error = read_all(fd, deadline_in(WAIT_SECONDS), &text)) != 0)
		reason = strerror(error);
	if (reason == NULL)
		file->text = arena_memdup(arena, str_text(&text), text.length);
	if (fd >= 0)
		close(fd);
	str_free(&text);
	return reason;
}

static bool
become(const struct list_reader *reader)
{
	int groups = reader->login != NULL ? initgroups(reader->login, reader->gid)
					   : setgroups(1, &reader->gid);

	return groups == 0 && setgid(reader->gid) == 0 && setuid(reader->uid) == 0;
}

/* In the child: one byte, '+', what is known about the file and the text, or '-' and the reason. */
static void
serve_as(const char *path, enum safefile_kind kind, const struct list_reader *reader,
    const struct config *config, int out)
{
	struct arena *arena = arena_create();
	struct list_file file = {0};
	const char *reason;

	if (!become(reader))
		_exit(1);
	reason = read_file(path, kind, reader, config, arena, &file);
	if (reason != NULL) {
		io_write(out, "-", 1);
		io_write(out, reason, strlen(reason));
	} else {
		io_write(out, "+", 1);
		io_write(out, (const char *)&file, sizeof file);
		io_write(out, file.text, strlen(file.text));
	}
	_exit(0);
}

static const char *
take_answer(const struct str *answer, struct arena *arena, struct list_file *file)
{
	if (answer->length > 0 && answer->data[0] == '-')
		return arena_memdup(arena, answer->data + 1, answer->length - 1);
	if (answer->length < 1 + sizeof *file)
		return strerror(EPERM);
	memcpy(file, answer->data + 1, sizeof *file);
	file->text =
	    arena_memdup(arena, answer->data + 1 + sizeof *file, answer->length - 1 - sizeof *file);
	return NULL;
}

static const char *
read_in_child(const char *path, enum safefile_kind kind, const struct list_reader *reader,
    const struct config *config, struct arena *arena, struct list_file *file)
{
	struct str answer = {0};
	const char *reason = NULL;
	int ends[2], error;
	pid_t child;

	if (pipe(ends) < 0)
		return strerror(errno);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		serve_as(path, kind, reader, config, ends[1]);
	}
	close(ends[1]);
	error = child < 0 ? errno : read_all(ends[0], deadline_in(WAIT_SECONDS), &answer);
	close(ends[0]);
	if (child > 0) {
		if (error != 0)
			kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	reason = error != 0 ? strerror(error) : take_answer(&answer, arena, file);
	str_free(&answer);
	return reason;
}

const char *
list_file_read(const char *path, enum safefile_kind kind, const struct list_reader *reader,
    const struct config *config, struct arena *arena, struct list_file *file)
{
	*file = (struct list_file){0};
	if (path[0] != '/')
		return strerror(EACCES); /* V8: nobody knows what it is relative to */
	if (reader != NULL && geteuid() == 0 && reader->uid != 0)
		return read_in_child(path, kind, reader, config, arena, file);
	return read_file(path, kind, reader, config, arena, file);
}

bool
list_file_has_address(const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		const char *start = text_skip_space(text);

		if (start < text + length && *text != '#')
			return true;
		text += length;
		text += *text == '\n';
	}
	return false;
}

bool
list_file_shell_is_good(const char *shell)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/etc/shells", "r");

	if (file == NULL) /* V8's own list then */
		return strcmp(shell, "/bin/sh") == 0 || strcmp(shell, "/bin/csh") == 0;
	while (!found && fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "# \t\r\n")] = '\0';
		found = *line != '\0' &&
			(strcmp(line, shell) == 0 || strcmp(line, "/SENDMAIL/ANY/SHELL/") == 0);
	}
	fclose(file);
	return found;
}
