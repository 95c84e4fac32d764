#include "queue/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "os/os.h"

enum { MAGIC = 0x1B1DE };

/* What this process counted since the last statistics_post. */
static struct statistics counted;
static bool has_counted;

void
statistics_count_message(enum statistics_event event, int mailer_number, long bytes)
{
	long kib = bytes <= 0 ? 0 : (bytes - 1) / 1024 + 1;

	if (mailer_number < 0 || mailer_number >= STATISTICS_MAILERS)
		return;
	has_counted = true;
	switch (event) {
	case STATISTICS_FROM:
		counted.messages_from[mailer_number]++;
		counted.kib_from[mailer_number] += kib;
		break;
	case STATISTICS_TO:
		counted.messages_to[mailer_number]++;
		counted.kib_to[mailer_number] += kib;
		break;
	case STATISTICS_REFUSED:
		counted.messages_refused[mailer_number]++;
		break;
	case STATISTICS_DISCARDED:
		counted.messages_discarded[mailer_number]++;
		break;
	case STATISTICS_QUARANTINED:
		counted.messages_quarantined[mailer_number]++;
		break;
	}
}

static void
count(long *counter)
{
	++*counter;
	has_counted = true;
}

void
statistics_count_connection_from(void)
{
	count(&counted.connections_from);
}

void
statistics_count_connection_to(void)
{
	count(&counted.connections_to);
}

void
statistics_count_session_refused(void)
{
	count(&counted.sessions_refused);
}

static void
begin(struct statistics *statistics)
{
	*statistics = (struct statistics){
	    .magic = MAGIC,
	    .version = STATISTICS_VERSION,
	    .since = clock_now(),
	    .size = (int)sizeof *statistics,
	};
}

/* What is in an open file; a struct of another program or version is nobody's to change. */
static enum statistics_state
load(int fd, struct statistics *statistics)
{
	ssize_t length = pread(fd, statistics, sizeof *statistics, 0);

	if (length < 0)
		return STATISTICS_UNREADABLE;
	if (length == 0) {
		begin(statistics);
		return STATISTICS_GOOD;
	}
	if ((size_t)length < offsetof(struct statistics, since) || statistics->magic != MAGIC)
		return STATISTICS_FOREIGN;
	if (statistics->version != STATISTICS_VERSION)
		return STATISTICS_OTHER_VERSION;
	if ((size_t)length != sizeof *statistics || statistics->size != (int)sizeof *statistics)
		return STATISTICS_OTHER_SIZE;
	return STATISTICS_GOOD;
}

static void
add(struct statistics *to)
{
	static const size_t first = offsetof(struct statistics, connections_from);
	long *sum = (long *)(void *)((char *)to + first);
	const long *more = (const long *)(const void *)((const char *)&counted + first);

	for (size_t i = 0; i < (sizeof *to - first) / sizeof *sum; i++)
		sum[i] += more[i];
}

/* Regular files alone: a name in /var may be anybody's trap. */
static int
open_file(const char *file, int flags)
{
	struct stat status;
	int fd = open(file, flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/*
 * Anybody who may read the file may hold its lock, and mail does not wait for that: what finds no lock
 * stays counted until the next time.
 */
static bool
lock(int fd)
{
	static const struct timespec pause = {.tv_nsec = 2000000};

	for (int tries = 0; tries < 5; tries++) {
		if (os_lock(fd, OS_LOCK_EXCLUSIVE, false) == 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* NULL, or why it could not be done. */
static const char *
post(int fd)
{
	struct statistics sum;

	switch (load(fd, &sum)) {
	case STATISTICS_GOOD:
		add(&sum);
		if (pwrite(fd, &sum, sizeof sum, 0) == (ssize_t)sizeof sum)
			return NULL;
		return strerror(errno);
	case STATISTICS_UNREADABLE:
		return strerror(errno);
	case STATISTICS_FOREIGN:
	case STATISTICS_OTHER_VERSION:
	case STATISTICS_OTHER_SIZE:
		break;
	}
	return "not a statistics file of this version";
}

void
statistics_post(const char *file)
{
	const char *reason;
	int fd;

	if (!has_counted)
		return;
	if (file != NULL && *file != '\0') {
		fd = open_file(file, O_RDWR);
		if (fd >= 0 && !lock(fd)) {
			close(fd);
			return;
		}
		reason = fd < 0 ? strerror(errno) : post(fd);
		if (reason != NULL)
			log_at(13, LOG_INFO, "poststats: %s: %s", file, reason);
		if (fd >= 0)
			close(fd);
	}
	memset(&counted, 0, sizeof counted);
	has_counted = false;
}

enum statistics_state
statistics_read(const char *file, struct statistics *statistics)
{
	int fd = open_file(file, O_RDONLY);
	enum statistics_state state;

	if (fd < 0)
		return STATISTICS_UNREADABLE;
	state = load(fd, statistics);
	close(fd);
	return state;
}
