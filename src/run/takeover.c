/*
 * A newer program takes master's place by execve: the process stays, and with it its children and
 * what is open.  The pipes of the workers close by themselves, so they leave as after a reload; those
 * of the root twins stay open until nobody is left who could ask them.  What the new program must know
 * comes through a pipe, whose number stands in $PILLARBOX_TAKEOVER, one line each:
 *
 *   L fd family address port backlog    a listening socket; texts have '=' in front, NULL is "-"
 *   U fd                                the local socket
 *   K fd fd                             the pipe of hints
 *   N time                              when the next queue run is due (clock.h: this boot's time)
 *   R pid, W pid deadline               the runner, a worker and when it is overdue
 *   T pid fd                            a twin and our end of its pipe
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "master_private.h"
#include "proc/daemonize.h"
#include "proc/subsystem.h"

enum {
	ORPHANS_MAXIMUM = 4096,
	STATE_MAXIMUM = 60000,	    /* less than a pipe takes */
	ORPHAN_SECONDS = 24 * 3600, /* what a session may last at most */
};

static const char variable[] = DAEMONIZE_TAKEOVER;

struct orphan {
	pid_t pid; /* 0: has ended */
	int life_fd;
	int64_t
	    deadline_ms; /* it leaves after what it does now, and is killed when that takes longer */
	char kind;
};

struct orphans {
	struct arena *arena;
	struct daemon sockets;
	struct orphan *list;
	int count;
	int64_t next_run_ms;
};

/* ---- the old program ---- */

static void
keep_open(int fd, bool on)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

static void
add_process(struct str *state, const struct orphan *process, bool on)
{
	if (process->pid <= 0)
		return;
	if (process->kind == 'T') {
		keep_open(process->life_fd, on);
		str_printf(state, "T\t%ld\t%d\n", (long)process->pid, process->life_fd);
	} else {
		str_printf(state, "%c\t%ld\t%lld\n", process->kind, (long)process->pid,
		    (long long)process->deadline_ms);
	}
}

static void
add_pool(struct str *state, const struct pool *pool, char kind, bool on)
{
	struct orphan one = {.kind = kind};

	for (int i = 0; pool != NULL && (one.pid = pool_pid(pool, i, &one.life_fd)) >= 0; i++) {
		one.deadline_ms = pool_deadline(pool, i);
		add_process(state, &one, on);
	}
}

static void
add_generation(struct str *state, const struct generation *generation, bool on)
{
	add_pool(state, generation->runner, 'R', on);
	add_pool(state, generation->jobs, 'W', on);
	add_pool(state, generation->smtpd, 'W', on);
	add_pool(state, generation->local, 'W', on);
	add_pool(state, generation->refuse, 'W', on);
	add_pool(state, generation->spawn, 'T', on);
	add_pool(state, generation->lookup, 'T', on);
}

static void
add_text(struct str *state, const char *text)
{
	if (text == NULL)
		str_add_text(state, "\t-");
	else
		str_printf(state, "\t=%s", text);
}

static void
add_sockets(struct str *state, const struct daemon *daemon, bool on)
{
	for (int i = 0; i < daemon->listen_count; i++) {
		const struct daemon_port *port = daemon->ports[i];

		keep_open(daemon->listen_fds[i], on);
		str_printf(state, "L\t%d", daemon->listen_fds[i]);
		add_text(state, port->family);
		add_text(state, port->address);
		add_text(state, port->port);
		str_printf(state, "\t%d\n", port->listen_backlog);
	}
	keep_open(daemon->local_fd, on);
	if (daemon->local_fd >= 0)
		str_printf(state, "U\t%d\n", daemon->local_fd);
}

/* What the new program must know; `on` keeps the descriptors open for it. */
static void
describe(const struct master *master, struct str *state, bool on)
{
	str_clear(state);
	add_sockets(state, &master->current->daemon, on);
	for (int i = 0; i < 2; i++)
		keep_open(master->kick_pipe[i], on);
	str_printf(state, "K\t%d\t%d\n", master->kick_pipe[0], master->kick_pipe[1]);
	add_generation(state, master->current, on);
	for (const struct generation *old = master->old; old != NULL; old = old->next)
		add_generation(state, old, on);
	for (int i = 0; master->orphans != NULL && i < master->orphans->count; i++)
		add_process(state, &master->orphans->list[i], on);
	str_printf(state, "N\t%lld\n", (long long)master->current->page->next_run_ms);
}

bool
takeover_is_offered(struct str *output)
{
	static const char word[] = DAEMONIZE_WORD "\n";
	char *text = output->data;

	for (size_t at = 0; at + strlen(word) <= output->length; at++) {
		if ((at > 0 && text[at - 1] != '\n') || memcmp(text + at, word, strlen(word)) != 0)
			continue;
		memmove(text + at, text + at + strlen(word), output->length - at - strlen(word));
		str_truncate(output, output->length - strlen(word));
		return true;
	}
	return false;
}

/* A signal that came now would end the program that has no handlers yet. */
static void
hold_signals(int how)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGUSR1);
	sigaddset(&held, SIGIO);
	sigprocmask(how, &held, NULL);
}

void
takeover_execute(struct master *master)
{
	struct str state = {0};
	char number[16];
	int pair[2], error;

	if (pipe(pair) < 0)
		return;
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	describe(master, &state, true);
	errno = E2BIG;
	if (state.length <= STATE_MAXIMUM && io_write(pair[1], state.data, state.length)) {
		snprintf(number, sizeof number, "%d", pair[0]);
		hold_signals(SIG_BLOCK);
		subsystem_put_back();
		setenv(variable, number, 1);
		execv(master->settings->executable, master->settings->argv);
	}
	error = errno;
	subsystem_open();
	hold_signals(SIG_UNBLOCK);
	unsetenv(variable);
	describe(master, &state, false);
	close(pair[0]);
	close(pair[1]);
	str_free(&state);
	errno = error;
}

/* ---- the new one ---- */

static char *
next_field(char **rest)
{
	char *field = *rest, *tab = field != NULL ? strchr(field, '\t') : NULL;

	*rest = tab != NULL ? tab + 1 : NULL;
	if (tab != NULL)
		*tab = '\0';
	return field;
}

static int
next_number(char **rest)
{
	char *field = next_field(rest);

	return field != NULL ? atoi(field) : -1;
}

static int64_t
next_time(char **rest)
{
	char *field = next_field(rest);

	return field != NULL ? strtoll(field, NULL, 10) : 0;
}

static int
next_descriptor(char **rest)
{
	int fd = next_number(rest);

	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

static const char *
next_text(char **rest)
{
	const char *field = next_field(rest);

	return field == NULL || field[0] != '=' ? NULL : field + 1;
}

static void
take_listener(struct orphans *orphans, char *rest)
{
	struct daemon_port *port = ARENA_NEW(orphans->arena, struct daemon_port);
	struct daemon *sockets = &orphans->sockets;
	int fd = next_descriptor(&rest);

	if (fd < 0 || sockets->listen_count == LISTENERS_MAXIMUM)
		return;
	port->family = next_text(&rest);
	port->address = next_text(&rest);
	port->port = next_text(&rest);
	port->listen_backlog = next_number(&rest);
	sockets->ports[sockets->listen_count] = port;
	sockets->listen_fds[sockets->listen_count++] = fd;
}

static void
take_process(struct orphans *orphans, char kind, char *rest)
{
	struct orphan *orphan = &orphans->list[orphans->count];

	if (orphans->count == ORPHANS_MAXIMUM)
		return;
	*orphan = (struct orphan){.kind = kind, .life_fd = -1, .pid = next_number(&rest)};
	if (kind == 'T')
		orphan->life_fd = next_descriptor(&rest);
	orphan->deadline_ms = kind == 'T' ? DEADLINE_NEVER : next_time(&rest);
	/* it was idle, and may have begun with something since; or it is one of an older program */
	if (orphan->deadline_ms <= 0 || orphan->deadline_ms == DEADLINE_NEVER)
		orphan->deadline_ms = kind == 'T' ? DEADLINE_NEVER : deadline_in(ORPHAN_SECONDS);
	orphans->count += orphan->pid > 0;
}

static void
take_line(struct master *master, struct orphans *orphans, char *line)
{
	char *kind = next_field(&line);

	if (line == NULL)
		return;
	switch (kind[0]) {
	case 'L':
		take_listener(orphans, line);
		break;
	case 'U':
		orphans->sockets.local_fd = next_descriptor(&line);
		break;
	case 'N':
		orphans->next_run_ms = next_time(&line);
		break;
	case 'K':
		master->kick_pipe[0] = next_descriptor(&line);
		master->kick_pipe[1] = next_descriptor(&line);
		break;
	default:
		take_process(orphans, kind[0], line);
		break;
	}
}

struct orphans *
takeover_receive(struct master *master)
{
	const char *number = getenv(variable);
	int fd = number != NULL ? atoi(number) : -1;
	struct orphans *orphans;
	char *text, *line, *rest = NULL;
	size_t length = 0;
	ssize_t got;

	unsetenv(variable);
	if (fd < 3)
		return NULL;
	orphans = check_malloc(sizeof *orphans);
	*orphans = (struct orphans){.arena = arena_create(), .sockets.local_fd = -1};
	orphans->list = ARENA_ARRAY(orphans->arena, struct orphan, ORPHANS_MAXIMUM);
	text = arena_alloc(orphans->arena, STATE_MAXIMUM + 1);
	while (
	    length < STATE_MAXIMUM && (got = read(fd, text + length, STATE_MAXIMUM - length)) > 0)
		length += (size_t)got;
	close(fd);
	text[length] = '\0';
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		take_line(master, orphans, line);
	return orphans;
}

struct daemon *
takeover_sockets(struct orphans *orphans)
{
	return &orphans->sockets;
}

int
takeover_count(const struct orphans *orphans)
{
	int count = 0;

	for (int i = 0; orphans != NULL && i < orphans->count; i++)
		count += orphans->list[i].pid != 0;
	return count;
}

int64_t
takeover_next_run(const struct orphans *orphans)
{
	return orphans != NULL ? orphans->next_run_ms : 0;
}

int64_t
takeover_tend(struct orphans *orphans)
{
	int64_t again = DEADLINE_NEVER;

	for (int i = 0; orphans != NULL && i < orphans->count; i++) {
		struct orphan *orphan = &orphans->list[i];

		if (orphan->pid == 0 || orphan->deadline_ms == DEADLINE_NEVER)
			continue;
		if (deadline_passed(orphan->deadline_ms)) {
			log_at(1, LOG_ERR, "worker %ld of the program before is overdue: killed",
			    (long)orphan->pid);
			orphan->deadline_ms = DEADLINE_NEVER;
			kill(orphan->pid, SIGKILL);
		} else if (orphan->deadline_ms < again) {
			again = orphan->deadline_ms;
		}
	}
	return again;
}

bool
takeover_has_runner(const struct orphans *orphans)
{
	for (int i = 0; orphans != NULL && i < orphans->count; i++) {
		if (orphans->list[i].kind == 'R' && orphans->list[i].pid != 0)
			return true;
	}
	return false;
}

void
takeover_signal(const struct orphans *orphans, int signal_number)
{
	for (int i = 0; orphans != NULL && i < orphans->count; i++) {
		if (orphans->list[i].kind != 'T' && orphans->list[i].pid != 0)
			kill(orphans->list[i].pid, signal_number);
	}
}

/* Nobody is left who could ask the twins. */
static void
end_twins(struct orphans *orphans)
{
	for (int i = 0; i < orphans->count; i++) {
		if (orphans->list[i].kind != 'T' && orphans->list[i].pid != 0)
			return;
	}
	for (int i = 0; i < orphans->count; i++) {
		if (orphans->list[i].life_fd >= 0)
			close(orphans->list[i].life_fd);
		orphans->list[i].life_fd = -1;
	}
}

bool
takeover_reap(struct orphans *orphans, pid_t pid)
{
	for (int i = 0; orphans != NULL && i < orphans->count; i++) {
		if (orphans->list[i].pid != pid)
			continue;
		orphans->list[i].pid = 0;
		end_twins(orphans);
		return true;
	}
	return false;
}

void
takeover_destroy(struct orphans *orphans)
{
	if (orphans == NULL)
		return;
	for (int i = 0; i < orphans->count; i++) {
		if (orphans->list[i].life_fd >= 0)
			close(orphans->list[i].life_fd);
	}
	arena_destroy(orphans->arena);
	free(orphans);
}
