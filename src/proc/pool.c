#include "config.h"

#include "proc/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "os/os.h"
#include "proc/pidfile.h"
#include "proc/signals.h"
#include "proc/subsystem.h"

enum {
	YOUNG_MS = 2000, /* dying before this age counts as failing to start */
	BACKOFF_FIRST_MS = 500,
	BACKOFF_LAST_MS = 60000,
	TEND_MS = 5000,
	SURPLUS_MS = 60000, /* an idle worker that is not needed stays this long */
	GUARDED_MAXIMUM = 64,
};

struct pool {
	struct pool *next;
	struct page *page;
	struct pool_settings settings;
	int poke_fd;
	pid_t *pids;   /* 0: nobody is there */
	int *life_fds; /* write ends, -1 when the slot is empty or told to leave */
	int64_t not_before_ms;
	long backoff_ms;
	bool is_leaving;
};

static struct pool *all_pools;

static struct slot *
slot_of(const struct pool *pool, int number)
{
	return &pool->page->slots[pool->settings.first_slot + number];
}

struct pool *
pool_create(struct page *page, const struct pool_settings *settings, int poke_fd)
{
	struct pool *pool = check_malloc(sizeof *pool);

	*pool = (struct pool){
	    .page = page, .settings = *settings, .poke_fd = poke_fd, .next = all_pools};
	pool->life_fds = check_malloc((size_t)settings->maximum * sizeof *pool->life_fds);
	pool->pids = check_malloc((size_t)settings->maximum * sizeof *pool->pids);
	for (int i = 0; i < settings->maximum; i++) {
		pool->life_fds[i] = -1;
		pool->pids[i] = 0;
	}
	all_pools = pool;
	return pool;
}

void
pool_destroy(struct pool *pool)
{
	struct pool **link = &all_pools;

	if (pool == NULL)
		return;
	pool_leave(pool);
	while (*link != pool)
		link = &(*link)->next;
	*link = pool->next;
	free(pool->life_fds);
	free(pool->pids);
	free(pool);
}

void
pool_close_in_child(void)
{
	for (struct pool *pool = all_pools; pool != NULL; pool = pool->next) {
		for (int i = 0; i < pool->settings.maximum; i++) {
			if (pool->life_fds[i] >= 0)
				close(pool->life_fds[i]);
			pool->life_fds[i] = -1;
		}
	}
	pidfile_forget();
	subsystem_forget();
}

static void
run_child(struct pool *pool, int number, int life_fd)
{
	struct worker worker = {
	    .role = pool->settings.role,
	    .number = number,
	    .life_fd = life_fd,
	    .poke_fd = pool->poke_fd,
	    .first_slot = pool->settings.first_slot,
	    .slot_count = pool->settings.maximum,
	    .spare = pool->settings.spare,
	    .slot = slot_of(pool, number),
	    .page = pool->page,
	};
	int status;

	pool_close_in_child();
	signals_open_in_child();
	worker.generation = worker.slot->generation;
	status = pool->settings.run(&worker, pool->settings.context);
	_exit(status);
}

static bool
start(struct pool *pool, int number)
{
	struct slot *slot = slot_of(pool, number);
	int life[2];
	pid_t child;

	/* a socket, since not every system tells of a pipe that is closed */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, life) < 0)
		return false;
	fcntl(life[0], F_SETFD, FD_CLOEXEC);
	fcntl(life[1], F_SETFD, FD_CLOEXEC);
	slot->generation++;
	slot->uses = 0;
	slot->started_ms = clock_monotonic_ms();
	slot_set_state(slot, SLOT_STARTING, DEADLINE_NEVER, "starting");
	child = fork();
	if (child == 0) {
		close(life[1]);
		run_child(pool, number, life[0]);
	}
	close(life[0]);
	if (child < 0) {
		int saved = errno;

		close(life[1]);
		slot->state = SLOT_EMPTY;
		errno = saved;
		return false;
	}
	pool->life_fds[number] = life[1];
	pool->pids[number] = slot->pid = child;
	return true;
}

int
pool_count(const struct pool *pool)
{
	int count = 0;

	for (int i = 0; i < pool->settings.maximum; i++)
		count += pool->pids[i] != 0;
	return count;
}

int
pool_idle(const struct pool *pool)
{
	int count = 0;

	for (int i = 0; i < pool->settings.maximum; i++) {
		const struct slot *slot = slot_of(pool, i);

		count += pool->pids[i] != 0 && slot->state != SLOT_BUSY && pool->life_fds[i] >= 0;
	}
	return count;
}

/* getaddrinfo, NSS, a map: whatever keeps a worker beyond its time, master ends it. */
static int64_t
kill_overdue(struct pool *pool, int64_t again)
{
	for (int i = 0; i < pool->settings.maximum; i++) {
		struct slot *slot = slot_of(pool, i);

		if (pool->pids[i] == 0 || slot->deadline_ms == DEADLINE_NEVER)
			continue;
		if (deadline_passed(slot->deadline_ms)) {
			log_at(1, LOG_ERR, "%s worker %ld is overdue (%.*s): killed",
			    pool->settings.role, (long)pool->pids[i], (int)sizeof slot->what,
			    slot->what);
			slot->deadline_ms = DEADLINE_NEVER;
			kill(pool->pids[i], SIGKILL);
		} else if (slot->deadline_ms < again) {
			again = slot->deadline_ms;
		}
	}
	return again;
}

static int
missing(const struct pool *pool, int wanted)
{
	int count = pool_count(pool), target = count, idle = pool_idle(pool);

	if (idle < pool->settings.spare)
		target += pool->settings.spare - idle;
	if (target < pool->settings.minimum)
		target = pool->settings.minimum;
	if (target < wanted)
		target = wanted;
	if (target > pool->settings.maximum)
		target = pool->settings.maximum;
	return target - count;
}

/* More idle ones than are kept ready: the last of them leave after a while. */
static void
let_go(struct pool *pool, int64_t now)
{
	int surplus = pool_idle(pool) - pool->settings.spare;

	if (pool->settings.spare == 0)
		return;
	for (int i = pool->settings.maximum - 1; i >= 0 && surplus > 0; i--) {
		const struct slot *slot = slot_of(pool, i);

		if (pool->pids[i] == 0 || slot->state != SLOT_IDLE || pool->life_fds[i] < 0)
			continue;
		surplus--;
		if (now - slot->state_since_ms < SURPLUS_MS)
			continue;
		close(pool->life_fds[i]);
		pool->life_fds[i] = -1;
	}
}

int64_t
pool_tend(struct pool *pool, int wanted)
{
	int64_t now = clock_monotonic_ms(), again = kill_overdue(pool, now + TEND_MS);
	int needed = pool->is_leaving ? 0 : missing(pool, wanted);

	let_go(pool, now);

	if (needed > 0 && now < pool->not_before_ms)
		return pool->not_before_ms < again ? pool->not_before_ms : again;
	for (int i = 0; i < pool->settings.maximum && needed > 0; i++) {
		if (pool->pids[i] != 0)
			continue;
		if (!start(pool, i)) {
			log_at(1, LOG_ERR, "cannot start a %s worker: %s", pool->settings.role,
			    strerror(errno));
			pool->not_before_ms = now + TEND_MS;
			return again;
		}
		needed--;
	}
	return again;
}

static void
back_off(struct pool *pool, bool died_young)
{
	if (!died_young) {
		pool->backoff_ms = 0;
		pool->not_before_ms = 0;
		return;
	}
	pool->backoff_ms = pool->backoff_ms == 0 ? BACKOFF_FIRST_MS : pool->backoff_ms * 2;
	if (pool->backoff_ms > BACKOFF_LAST_MS)
		pool->backoff_ms = BACKOFF_LAST_MS;
	pool->not_before_ms = clock_monotonic_ms() + pool->backoff_ms;
}

int
pool_reap(struct pool *pool, pid_t pid, int status, bool *was_failure)
{
	for (int i = 0; i < pool->settings.maximum; i++) {
		struct slot *slot = slot_of(pool, i);

		if (pool->pids[i] != pid)
			continue;
		if (pool->life_fds[i] >= 0)
			close(pool->life_fds[i]);
		pool->life_fds[i] = -1;
		pool->pids[i] = slot->pid = 0;
		slot->state = SLOT_EMPTY;
		slot->deadline_ms = DEADLINE_NEVER;
		*was_failure = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
		if (*was_failure && !pool->is_leaving)
			log_at(1, LOG_ERR, "%s worker %ld %s %d: replaced", pool->settings.role,
			    (long)pid, WIFSIGNALED(status) ? "died of signal" : "ended with status",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		back_off(pool, *was_failure && clock_monotonic_ms() - slot->started_ms < YOUNG_MS);
		return i;
	}
	return -1;
}

void
pool_dismiss(struct pool *pool)
{
	for (int i = 0; i < pool->settings.maximum; i++) {
		if (pool->life_fds[i] >= 0)
			close(pool->life_fds[i]);
		pool->life_fds[i] = -1;
	}
}

void
pool_leave(struct pool *pool)
{
	pool->is_leaving = true;
	pool_dismiss(pool);
}

pid_t
pool_pid(const struct pool *pool, int number, int *life_fd)
{
	if (number >= pool->settings.maximum)
		return -1;
	*life_fd = pool->life_fds[number];
	return pool->pids[number];
}

int64_t
pool_deadline(const struct pool *pool, int number)
{
	return slot_of(pool, number)->deadline_ms;
}

void
pool_kill(struct pool *pool, int signal_number)
{
	for (int i = 0; i < pool->settings.maximum; i++) {
		pid_t pid = pool->pids[i];

		if (pid != 0)
			kill(pid, signal_number);
	}
}

bool
worker_was_told(void)
{
	static bool was_told;

	was_told = signals_take(SIGTERM) || signals_take(SIGINT) || was_told;
	return was_told;
}

bool
worker_should_leave(const struct worker *worker)
{
	struct pollfd life = {.fd = worker->life_fd, .events = POLLIN};

	return worker_was_told() || poll(&life, 1, 0) > 0;
}

void
worker_poke(const struct worker *worker)
{
	if (worker->poke_fd >= 0 && write(worker->poke_fd, "", 1) < 0)
		return; /* a full pipe wakes master as well */
}

void
worker_poke_if_scarce(const struct worker *worker)
{
	int idle = 0;

	for (int i = 0; i < worker->slot_count && idle < worker->spare; i++) {
		const struct slot *slot = &worker->page->slots[worker->first_slot + i];

		idle += slot->pid != 0 && slot->state == SLOT_IDLE;
	}
	if (idle < worker->spare)
		worker_poke(worker);
}

static volatile int guarded[GUARDED_MAXIMUM];
static volatile sig_atomic_t guarded_count;

/* close(2) is all it does: it is allowed in a handler, and later is too late for a worker in a session. */
static void
close_guarded(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	for (int i = 0; i < guarded_count; i++)
		close(guarded[i]);
	guarded_count = 0;
	errno = saved;
}

void
worker_guard_sockets(const struct worker *worker, const int *fds, int count)
{
	struct sigaction action = {.sa_handler = close_guarded, .sa_flags = SA_RESTART};

	check(count <= GUARDED_MAXIMUM);
	for (int i = 0; i < count; i++)
		guarded[i] = fds[i];
	guarded_count = count;
	sigemptyset(&action.sa_mask);
	sigaction(SIGIO, &action, NULL);
	os_watch(worker->life_fd);
	if (worker_should_leave(worker)) /* master went before this was set up */
		close_guarded(SIGIO);
}
