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

enum { TEXT_MAXIMUM = 4 * 1024 * 1024, WAIT_SECONDS = 60 };

/* NULL, or why not; *fd is the open file then. */
static const char *
open_safely(const char *path, enum safefile_kind kind, const struct alias_user *owner,
    const struct config *config, int *fd)
{
	const char *reason = safefile_check_kind(path, kind, &config->options);
	struct stat status;

	*fd = -1;
	if (reason != NULL)
		return reason;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (*fd < 0)
		return strerror(errno);
	if (fstat(*fd, &status) < 0 || !S_ISREG(status.st_mode))
		reason = "Regular files only";
	else if (kind == SAFEFILE_FORWARD && owner != NULL && status.st_uid != owner->uid &&
		 status.st_uid != 0)
		reason = strerror(EACCES);
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

/* In the child: one byte, '+' and the text or '-' and the reason. */
static void
serve_as(const char *path, enum safefile_kind kind, const struct alias_user *owner,
    const struct config *config, int out)
{
	struct str text = {0};
	const char *reason;
	int fd, error;

	if (initgroups(owner->login, owner->gid) < 0 || setgid(owner->gid) < 0 ||
	    setuid(owner->uid) < 0)
		_exit(1);
	reason = open_safely(path, kind, owner, config, &fd);
	if (reason == NULL && (error = read_all(fd, deadline_in(WAIT_SECONDS), &text)) != 0)
		reason = strerror(error);
	if (reason != NULL) {
		io_write(out, "-", 1);
		io_write(out, reason, strlen(reason));
	} else {
		io_write(out, "+", 1);
		io_write(out, str_text(&text), text.length);
	}
	_exit(0);
}

static const char *
read_in_child(const char *path, enum safefile_kind kind, const struct alias_user *owner,
    const struct config *config, struct arena *arena, char **text)
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
		serve_as(path, kind, owner, config, ends[1]);
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
	if (error != 0)
		reason = strerror(error);
	else if (answer.length == 0)
		reason = strerror(EPERM);
	else if (answer.data[0] == '-')
		reason = arena_strdup(arena, answer.data + 1);
	else
		*text = arena_memdup(arena, answer.data + 1, answer.length - 1);
	str_free(&answer);
	return reason;
}

const char *
list_file_read(const char *path, enum safefile_kind kind, const struct alias_user *owner,
    const struct config *config, struct arena *arena, char **text)
{
	struct str content = {0};
	const char *reason;
	int fd, error;

	if (owner != NULL && geteuid() == 0 && owner->uid != 0)
		return read_in_child(path, kind, owner, config, arena, text);
	reason = open_safely(path, kind, owner, config, &fd);
	if (reason == NULL && (error = read_all(fd, deadline_in(WAIT_SECONDS), &content)) != 0)
		reason = strerror(error);
	if (reason == NULL)
		*text = arena_memdup(arena, str_text(&content), content.length);
	if (fd >= 0)
		close(fd);
	str_free(&content);
	return reason;
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
