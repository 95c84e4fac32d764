#include "submit/dead_letter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/date.h"
#include "base/io.h"
#include "base/str.h"
#include "os/os.h"
#include "route/compose.h"

static int
copy_body(int fd, const struct collect *collect)
{
	char buffer[8192];
	off_t at = 0;

	if (collect->file < 0)
		return io_write(fd, str_text(&collect->body), collect->body.length) ? 0 : -1;
	while (at < collect->body_size) {
		ssize_t got = pread(collect->file, buffer, sizeof buffer, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || !io_write(fd, buffer, (size_t)got))
			return -1;
		at += got;
	}
	return 0;
}

static void
write_head(struct submission *submission, struct str *out)
{
	struct config *config = submission->config;
	const struct mailer *mailer =
	    config->local_mailer != NULL ? config->local_mailer : config->file_mailer;
	char date[DATE_CTIME_SIZE];

	str_printf(out, "From %s %s\n",
	    submission->sender.address[0] != '\0' ? submission->sender.address : "MAILER-DAEMON",
	    date_ctime(submission->envelope->created, date));
	if (mailer != NULL) {
		struct composed composed;

		compose_message(&submission->rule, submission->envelope, mailer, &composed);
		str_add(out, composed.header, composed.header_length);
	}
	str_add_char(out, '\n');
}

/* In a process of its own, which is nobody but the caller. */
static int
append(const struct submission *submission, const char *path, const struct str *head,
    const struct collect *collect)
{
	struct stat status;
	int fd;

	if ((geteuid() == 0 && submission->caller_uid != 0 &&
		initgroups(submission->caller_name, submission->caller_gid) < 0) ||
	    setregid(submission->caller_gid, submission->caller_gid) < 0 ||
	    setreuid(submission->caller_uid, submission->caller_uid) < 0)
		return errno;
	umask(077);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return errno;
	if (fstat(fd, &status) < 0)
		return errno;
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
		return EACCES;
	os_lock(fd, OS_LOCK_EXCLUSIVE, true);
	if (!io_write(fd, head->data, head->length) || copy_body(fd, collect) < 0 ||
	    !io_write(fd, "\n", 1) || fsync(fd) < 0) {
		int saved = errno;

		/* what was there stays, half a message does not */
		if (ftruncate(fd, status.st_size) < 0)
			return saved;
		return saved;
	}
	return close(fd) < 0 ? errno : 0;
}

bool
dead_letter_save(struct submission *submission, const struct collect *collect)
{
	struct arena *arena = submission->envelope->arena;
	struct passwd *entry = getpwuid(submission->caller_uid);
	struct str head = {0};
	const char *path;
	int status = 0, error = EIO;
	pid_t child;

	if (entry == NULL || entry->pw_dir == NULL || entry->pw_dir[0] != '/') {
		fprintf(
		    stderr, "%s... Cannot save rejected email anywhere\n", submission->caller_name);
		return false;
	}
	path = arena_printf(
	    arena, "%s/dead.letter", strcmp(entry->pw_dir, "/") == 0 ? "" : entry->pw_dir);
	write_head(submission, &head);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(append(submission, path, &head, collect) & 0xff);
	str_free(&head);
	if (child > 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status))
			error = WEXITSTATUS(status);
	}
	if (error == 0)
		fprintf(stderr, "%s... Saved message in %s\n", path, path);
	else
		fprintf(stderr, "%s... Cannot save rejected email anywhere: %s\n", path,
		    strerror(error));
	return error == 0;
}
