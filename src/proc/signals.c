#include "config.h"

#include "proc/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int wake[2] = {-1, -1};
static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
enum { CAUGHT = sizeof caught / sizeof caught[0] };
static volatile sig_atomic_t came[CAUGHT];

static void
note(int signal_number)
{
	int saved = errno;

	for (int i = 0; i < CAUGHT; i++) {
		if (caught[i] == signal_number)
			came[i] = 1;
	}
	if (wake[1] >= 0 && write(wake[1], "", 1) < 0)
		errno = saved; /* a full pipe wakes as well */
	errno = saved;
}

static void
set(int signal_number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	/* no SA_RESTART: a blocked accept or wait must come back to see the flag */
	sigaction(signal_number, &action, NULL);
}

static void
unblock_all(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool
signals_open(void)
{
	if (wake[0] < 0) {
		if (pipe(wake) < 0)
			return false;
		for (int i = 0; i < 2; i++) {
			fcntl(wake[i], F_SETFL, O_NONBLOCK);
			fcntl(wake[i], F_SETFD, FD_CLOEXEC);
		}
	}
	for (int i = 0; i < CAUGHT; i++) {
		came[i] = 0;
		set(caught[i], note);
	}
	set(SIGPIPE, SIG_IGN);
	set(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk: the write says so */
	set(SIGALRM, SIG_IGN); /* nobody of ours sets an alarm before signals_restore() */
	unblock_all();
	return true;
}

int
signals_descriptors(int fds[2])
{
	if (wake[0] < 0)
		return 0;
	fds[0] = wake[0];
	fds[1] = wake[1];
	return 2;
}

int
signals_fd(void)
{
	return wake[0];
}

void
signals_drain(void)
{
	char bytes[64];

	while (wake[0] >= 0 && read(wake[0], bytes, sizeof bytes) > 0)
		continue;
}

bool
signals_came(int signal_number)
{
	for (int i = 0; i < CAUGHT; i++) {
		if (caught[i] == signal_number && came[i])
			return true;
	}
	return false;
}

bool
signals_take(int signal_number)
{
	for (int i = 0; i < CAUGHT; i++) {
		if (caught[i] == signal_number && came[i]) {
			came[i] = 0;
			return true;
		}
	}
	return false;
}

void
signals_open_in_child(void)
{
	for (int i = 0; i < 2; i++) {
		if (wake[i] >= 0)
			close(wake[i]);
		wake[i] = -1;
	}
	signals_open();
	set(SIGHUP, SIG_IGN);
	set(SIGUSR1, SIG_IGN);
	set(SIGCHLD, SIG_DFL);
}

void
signals_restore(void)
{
	for (int i = 0; i < CAUGHT; i++)
		set(caught[i], SIG_DFL);
	set(SIGPIPE, SIG_DFL);
	set(SIGXFSZ, SIG_DFL);
	set(SIGALRM, SIG_DFL);
	unblock_all();
}
