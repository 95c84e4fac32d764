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

static int
copy_body(int fd, const struct dead_letter *letter)
{
	char buffer[8192];
	off_t at = 0;

	if (letter->body_fd < 0)
		return io_write(fd, letter->body, letter->body_length) ? 0 : -1;
	for (;;) {
		ssize_t got = pread(letter->body_fd, buffer, sizeof buffer, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || !io_write(fd, buffer, (size_t)got))
			return -1;
		if (got == 0)
			return 0;
		at += got;
	}
}

static void
write_head(const struct dead_letter *letter, struct str *out)
{
	char date[DATE_CTIME_SIZE];

	str_printf(out, "From %s %s\n",
	    letter->sender[0] != '\0' ? letter->sender : "MAILER-DAEMON",
	    date_ctime(letter->created, date));
	str_add(out, letter->header, letter->header_length);
	str_add_char(out, '\n');
}

/* In a process of its own, which is nobody but the caller. */
static int
append(
    const struct dead_letter *letter, const char *login, const char *path, const struct str *head)
{
	struct stat status;
	int fd;

	if ((geteuid() == 0 && letter->uid != 0 && initgroups(login, letter->gid) < 0) ||
	    setregid(letter->gid, letter->gid) < 0 || setreuid(letter->uid, letter->uid) < 0)
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
	if (!io_write(fd, head->data, head->length) || copy_body(fd, letter) < 0 ||
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
dead_letter_save(const struct dead_letter *letter, struct arena *arena)
{
	struct passwd *entry = getpwuid(letter->uid);
	struct str head = {0};
	const char *path, *login;
	int status = 0, error = EIO;
	pid_t child;

	if (entry == NULL || entry->pw_dir == NULL || entry->pw_dir[0] != '/') {
		fprintf(stderr, "%ld... Cannot save rejected email anywhere\n", (long)letter->uid);
		return false;
	}
	login = arena_strdup(arena, entry->pw_name);
	path = arena_printf(
	    arena, "%s/dead.letter", strcmp(entry->pw_dir, "/") == 0 ? "" : entry->pw_dir);
	write_head(letter, &head);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(append(letter, login, path, &head) & 0xff);
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

bool
dead_letter_is_own(uid_t uid, const char *sender)
{
	const struct passwd *entry = getpwuid(uid);

	return entry != NULL && sender != NULL && strcmp(sender, entry->pw_name) == 0;
}
