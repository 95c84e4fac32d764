/*
 * mail.local: puts a message into the mailboxes of users, for systems that have no program of their
 * own for it.  Usage: mail.local [-f SENDER] [-d] [-m DIRECTORY] USER...
 *
 * It is run as root, or by a user for himself.  Exit status by sysexits: a mailbox that cannot be
 * written for now is EX_TEMPFAIL, so that the message waits.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/io.h"
#include "base/str.h"
#include "base/text.h"
#include "os/os.h"

enum { LOCK_SECONDS = 60, STALE_LOCK_SECONDS = 300 };

struct message {
	const char *sender;
	int fd; /* nameless file with the message as it goes into a mailbox */
};

static int
complain(int status, const char *what, const char *reason)
{
	fprintf(stderr, "mail.local: %s: %s\n", what, reason);
	return status;
}

/* The message with a From_ line in front, body lines "From " quoted and an empty line at its end. */
static bool
message_read(struct message *message)
{
	char name[] = "/tmp/mail.local.XXXXXX", when[DATE_CTIME_SIZE], *line = NULL;
	struct str out = {0};
	size_t size = 0;
	ssize_t length;
	bool fine, ended = true;

	message->fd = mkstemp(name);
	if (message->fd < 0)
		return false;
	unlink(name);
	str_printf(&out, "From %s %s\n", message->sender, date_ctime(clock_now(), when));
	while ((length = getline(&line, &size, stdin)) > 0) {
		if (length >= 5 && memcmp(line, "From ", 5) == 0)
			str_add_char(&out, '>');
		str_add(&out, line, (size_t)length);
		ended = line[length - 1] == '\n';
		if (out.length > 65536) {
			if (!io_write(message->fd, out.data, out.length))
				break;
			str_clear(&out);
		}
	}
	str_add_text(&out, ended ? "\n" : "\n\n");
	fine = length <= 0 && !ferror(stdin) && io_write(message->fd, out.data, out.length);
	free(line);
	str_free(&out);
	return fine;
}

/* The lock file that mail readers know, beside the lock on the mailbox itself. */
static bool
lock_file_take(const char *path, bool *taken)
{
	int64_t deadline = deadline_in(LOCK_SECONDS);
	struct stat status;

	*taken = false;
	while (!deadline_passed(deadline)) {
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0600);

		if (fd >= 0) {
			close(fd);
			*taken = true;
			return true;
		}
		if (errno != EEXIST)
			return errno == EACCES ||
			       errno ==
				   EPERM; /* a directory we may not write: the mailbox's own lock must do */
		if (stat(path, &status) == 0 && clock_now() - status.st_mtime > STALE_LOCK_SECONDS)
			unlink(path);
		else
			nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
	}
	errno = EWOULDBLOCK;
	return false;
}

static int
mailbox_open(const char *path, const struct passwd *user)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;

	if (fd < 0 && errno == ENOENT) {
		struct group *group = getgrnam("mail");

		fd = open(
		    path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 && geteuid() == 0 &&
		    fchown(fd, user->pw_uid, group != NULL ? group->gr_gid : user->pw_gid) < 0) {
			close(fd);
			return -1;
		}
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1 ||
	    status.st_uid != user->pw_uid) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

/* All of the message is in the mailbox and on disk, or nothing of it is there. */
static bool
append(int mailbox, int message)
{
	struct stat before;
	char buffer[8192];
	ssize_t got;
	int reason;

	if (os_lock(mailbox, OS_LOCK_EXCLUSIVE, true) < 0 || fstat(mailbox, &before) < 0 ||
	    lseek(message, 0, SEEK_SET) < 0)
		return false;
	while ((got = read(message, buffer, sizeof buffer)) > 0) {
		if (!io_write(mailbox, buffer, (size_t)got))
			break;
	}
	if (got == 0 && fsync(mailbox) == 0)
		return true;
	reason = errno;
	if (ftruncate(mailbox, before.st_size) < 0)
		complain(EX_IOERR, "ftruncate", strerror(errno));
	errno = reason;
	return false;
}

static int
deliver(const char *directory, const char *name, const struct message *message)
{
	struct passwd *user = strchr(name, '/') == NULL ? getpwnam(name) : NULL;
	struct str path = {0}, lock = {0};
	int status = EX_OK, mailbox;
	bool has_lock_file;

	if (user == NULL)
		return complain(EX_NOUSER, name, "User unknown");
	str_printf(&path, "%s/%s", directory, name);
	str_printf(&lock, "%s.lock", path.data);
	if (!lock_file_take(lock.data, &has_lock_file)) {
		status = complain(EX_TEMPFAIL, lock.data, strerror(errno));
	} else {
		mailbox = mailbox_open(path.data, user);
		if (mailbox < 0)
			status =
			    complain(errno == EPERM || errno == ELOOP ? EX_CANTCREAT : EX_TEMPFAIL,
				path.data, strerror(errno));
		else if (!append(mailbox, message->fd))
			status = complain(EX_TEMPFAIL, path.data, strerror(errno));
		if (mailbox >= 0)
			close(mailbox);
		if (has_lock_file)
			unlink(lock.data);
	}
	str_free(&path);
	str_free(&lock);
	return status;
}

static const char *
mail_directory(void)
{
	struct stat status;

	return stat("/var/mail", &status) == 0 && S_ISDIR(status.st_mode) ? "/var/mail"
									  : "/var/spool/mail";
}

int
main(int argc, char **argv)
{
	static const char usage[] = "mail.local [-f sender] [-d] [-m directory] user ...";
	struct message message = {.sender = "MAILER-DAEMON", .fd = -1};
	const char *directory = mail_directory();
	int letter, status = EX_OK;

	while ((letter = getopt(argc, argv, "df:r:m:")) != -1) {
		switch (letter) {
		case 'd':
			break;
		case 'f':
		case 'r':
			message.sender = optarg;
			break;
		case 'm':
			directory = optarg;
			break;
		default:
			return complain(EX_USAGE, "usage", usage);
		}
	}
	if (optind == argc)
		return complain(EX_USAGE, "usage", usage);
	if (*text_skip_space(message.sender) == '\0' || strcmp(message.sender, "<>") == 0)
		message.sender = "MAILER-DAEMON";
	umask(077);
	if (!message_read(&message))
		return complain(EX_TEMPFAIL, "reading the message", strerror(errno));
	/* of several users the failure that can be mended counts, so that nobody is forgotten */
	for (int i = optind; i < argc; i++) {
		int one = deliver(directory, argv[i], &message);

		if (one == EX_TEMPFAIL || (one != EX_OK && status == EX_OK))
			status = one;
	}
	return status;
}
