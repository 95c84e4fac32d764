/*
 * clockstep: a library for LD_PRELOAD that sets the calendar clock by the seconds that stand in the file
 * CLOCKSTEP_FILE, anew at each look; the monotonic clock is left alone.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Read when the program starts: it may well clean its environment. */
static const char *file;

__attribute__((constructor)) static void
prepare(void)
{
	file = getenv("CLOCKSTEP_FILE");
}

static long
offset(void)
{
	char text[32] = {0};
	int fd = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atol(text);
}

int
clock_gettime(clockid_t id, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, id, now);

	if (result == 0 && id != CLOCK_MONOTONIC)
		now->tv_sec += offset();
	return result;
}

time_t
time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result != NULL)
		*result = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*result = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}
