#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "client/client.h"
#include "map/twin.h"
#include "master_private.h"
#include "net/tls.h"
#include "os/os.h"
#include "proc/kick.h"
#include "proc/rates.h"
#include "route/alias.h"
#include "server/server.h"

enum {
	FIRST_JOB_SLOT = 3, /* behind spawn, runner and look-up */
	JOB_WORKERS = 20,   /* without MaxQueueChildren */
	SMTPD_SPARE = 2,
	LOCAL_WORKERS = 16,
	SMTPD_MEMORY_MB = 2, /* of the machine's memory for each session there may be */
	SMTPD_LEAST = 20,
	SMTPD_MOST = 250,
	RUNNER_SECONDS =
	    60, /* for one that leaves: two at a time cost hints, none for ever would cost more */
};

struct generation *
generation_create(const struct master *master, struct config *config)
{
	const struct master_settings *settings = master->settings;
	struct generation *generation = check_malloc(sizeof *generation);

	memset(generation, 0, sizeof *generation);
	generation->daemon.config = config;
	generation->read_at = clock_now();
	generation->daemon.is_client_queue = settings->is_client_queue;
	generation->daemon.has_interval = settings->has_interval;
	generation->daemon.interval_seconds = settings->interval_seconds;
	generation->daemon.is_persistent = settings->is_persistent;
	generation->daemon.run_group = settings->run_group;
	generation->daemon.is_on_demand = !settings->serves_smtp;
	generation->daemon.next_run_ms = master->current != NULL
					     ? master->current->page->next_run_ms
					     : takeover_next_run(master->orphans);
	generation->daemon.is_successor = master->current != NULL || master->orphans != NULL;
	generation->daemon.local_fd = -1;
	generation->daemon.kick_pipe[0] = master->kick_pipe[0];
	generation->daemon.kick_pipe[1] = master->kick_pipe[1];
	generation->daemon.runner_pipe[0] = generation->daemon.runner_pipe[1] = -1;
	generation->daemon.spawn_socket[0] = generation->daemon.spawn_socket[1] = -1;
	generation->daemon.job_lookups[0] = generation->daemon.job_lookups[1] = -1;
	generation->daemon.smtpd_lookups[0] = generation->daemon.smtpd_lookups[1] = -1;
	return generation;
}

/* As many sessions as memory allows, where the cf has no MaxDaemonChildren. */
static int
smtpd_maximum(const struct config *config)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE), count;

	if (config->options.max_daemon_children > 0)
		return config->options.max_daemon_children;
	count =
	    pages > 0 && page_size > 0 ? pages / (SMTPD_MEMORY_MB * 1024 * 1024 / page_size) : 0;
	return count < SMTPD_LEAST ? SMTPD_LEAST : count > SMTPD_MOST ? SMTPD_MOST : (int)count;
}

static bool
make_pipes(struct daemon *daemon)
{
	int most = daemon->config->options.max_queue_children,
	    wanted = most > 0 ? most : JOB_WORKERS;

	if (wanted > JOB_WORKERS_MAXIMUM)
		wanted = JOB_WORKERS_MAXIMUM;
	if (!io_make_pipe(daemon->runner_pipe))
		return false;
	for (daemon->worker_count = 0; daemon->worker_count < wanted; daemon->worker_count++) {
		if (!io_make_pipe(daemon->worker_pipes[daemon->worker_count]))
			return false;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, daemon->spawn_socket) < 0)
		return false;
	fcntl(daemon->spawn_socket[0], F_SETFD, FD_CLOEXEC);
	fcntl(daemon->spawn_socket[1], F_SETFD, FD_CLOEXEC);
	return map_twin_channel(daemon->job_lookups) == 0 &&
	       map_twin_channel(daemon->smtpd_lookups) == 0;
}

/* The same map file, with its suffix given or not. */
static bool
same_file(const char *left, const char *right)
{
	size_t a, b;

	if (left == NULL || right == NULL)
		return false;
	a = strlen(left) - (text_ends_nocase(left, ".db") ? 3 : 0);
	b = strlen(right) - (text_ends_nocase(right, ".db") ? 3 : 0);
	return a == b && strncmp(left, right, a) == 0;
}

/* A map of credentials goes by its name, or shares the file of one that does. */
static bool
holds_credentials(struct daemon *daemon, const char *const *names, const char *name)
{
	const struct map_set *maps = daemon->config->maps;
	const char *file = map_file(map_find(maps, name));

	if (text_starts_nocase(name, "authinfo"))
		return true;
	for (size_t i = 0; names[i] != NULL; i++) {
		if (text_starts_nocase(names[i], "authinfo") &&
		    same_file(map_file(map_find(maps, names[i])), file))
			return true;
	}
	return false;
}

/* Those who talk to strangers never see credentials. */
static void
choose_maps(struct daemon *daemon)
{
	struct arena *arena = daemon->config->arena;
	const char *const *names;
	const char **allowed;
	size_t count = 0, kept = 0;

	alias_declare(daemon->config); /* aliases.db is often for root and a group alone */
	names = map_set_names(daemon->config->maps, arena);
	while (names[count] != NULL)
		count++;
	allowed = ARENA_ARRAY(arena, const char *, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (!holds_credentials(daemon, names, names[i]))
			allowed[kept++] = names[i];
	}
	allowed[kept] = NULL;
	daemon->job_maps = names;
	daemon->smtpd_maps = allowed;
}

bool
generation_start(struct generation *generation, const struct master_settings *settings, int poke_fd)
{
	struct daemon *daemon = &generation->daemon;
	int sessions =
	    settings->serves_smtp && daemon->listen_count > 0 ? smtpd_maximum(daemon->config) : 0;
	int local = settings->serves_smtp && daemon->local_fd >= 0 ? LOCAL_WORKERS : 0;
	int at_once = daemon->is_on_demand ? 0 : 1;
	struct pool_settings pool = {.context = daemon, .maximum = 1, .minimum = at_once};

	identity_find(daemon->config, daemon->config->options.queue_directory, &daemon->identity);
	if (geteuid() == 0 && !daemon->identity.is_change)
		log_at(10, LOG_NOTICE,
		    "workers run as root: the cf has no RunAsUser, and %s does not own %s",
		    MAIL_USER, daemon->config->options.queue_directory);
	if (!make_pipes(daemon))
		return false;
	choose_maps(daemon);
	if (daemon->rates == NULL)
		daemon->rates =
		    rates_create(daemon->config->options.connection_rate_window_seconds);
	if (daemon->rates == NULL)
		return false;
	daemon->client_tls = client_make_tls(daemon->config);
	daemon->server_tls = settings->serves_smtp ? server_prepare_tls(daemon->config) : NULL;
	if (settings->serves_smtp)
		server_prepare_auth();
	os_trim_memory();
	generation->slot_count = FIRST_JOB_SLOT + daemon->worker_count + sessions + local + 1;
	generation->page = page_create(generation->slot_count);
	if (generation->page == NULL)
		return false;
	pool.role = "spawn";
	pool.run = spawn_twin_main;
	generation->spawn = pool_create(generation->page, &pool, poke_fd);
	pool.role = "runner";
	pool.run = runner_main;
	pool.first_slot = 1;
	pool.minimum = 1;
	generation->runner = pool_create(generation->page, &pool, poke_fd);
	pool.minimum = at_once;
	if (daemon->identity.is_change) {
		pool.role = "look-up";
		pool.run = lookup_twin_main;
		pool.first_slot = 2;
		generation->lookup = pool_create(generation->page, &pool, poke_fd);
	}
	pool.role = "job";
	pool.run = job_worker_main;
	pool.first_slot = FIRST_JOB_SLOT;
	pool.maximum = daemon->worker_count;
	generation->jobs = pool_create(generation->page, &pool, poke_fd);
	pool.first_slot += daemon->worker_count;
	if (sessions > 0) {
		pool.role = "smtpd";
		pool.run = smtpd_main;
		pool.maximum = sessions;
		pool.spare = sessions < SMTPD_SPARE ? sessions : SMTPD_SPARE;
		daemon->smtpd_first_slot = pool.first_slot;
		daemon->smtpd_count = sessions;
		generation->smtpd = pool_create(generation->page, &pool, poke_fd);
		pool.first_slot += sessions;
	}
	if (local > 0) {
		pool.role = "local";
		pool.run = smtpd_local_main;
		pool.maximum = local;
		pool.spare = 1;
		generation->local = pool_create(generation->page, &pool, poke_fd);
		pool.first_slot += local;
	}
	if (sessions > 0) {
		pool.role = "refuse";
		pool.run = refuse_main;
		pool.maximum = 1;
		pool.minimum = pool.spare = 0;
		generation->refuse = pool_create(generation->page, &pool, poke_fd);
	}
	return true;
}

static void
close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

void
generation_destroy(struct generation *generation)
{
	struct daemon *daemon;

	if (generation == NULL)
		return;
	daemon = &generation->daemon;
	pool_destroy(generation->runner);
	pool_destroy(generation->jobs);
	pool_destroy(generation->smtpd);
	pool_destroy(generation->local);
	pool_destroy(generation->refuse);
	pool_destroy(generation->spawn);
	pool_destroy(generation->lookup);
	daemon_close_listeners(daemon);
	close_pair(daemon->runner_pipe);
	close_pair(daemon->spawn_socket);
	close_pair(daemon->job_lookups);
	close_pair(daemon->smtpd_lookups);
	for (int i = 0; i < daemon->worker_count; i++)
		close_pair(daemon->worker_pipes[i]);
	page_destroy(generation->page, generation->slot_count);
	rates_destroy(daemon->rates);
	tls_context_destroy(daemon->client_tls);
	tls_context_destroy(daemon->server_tls);
	config_destroy(daemon->config);
	free(generation);
}

/* The twins come first: they stay until nobody is left who could ask them. */
enum {
	POOL_SPAWN,
	POOL_LOOKUP,
	POOL_RUNNER,
	POOL_JOBS,
	POOL_SMTPD,
	POOL_LOCAL,
	POOL_REFUSE,
	POOLS
};

static void
each_pool(const struct generation *generation, struct pool *pools[POOLS])
{
	pools[POOL_SPAWN] = generation->spawn;
	pools[POOL_LOOKUP] = generation->lookup;
	pools[POOL_RUNNER] = generation->runner;
	pools[POOL_JOBS] = generation->jobs;
	pools[POOL_SMTPD] = generation->smtpd;
	pools[POOL_LOCAL] = generation->local;
	pools[POOL_REFUSE] = generation->refuse;
}

static int
count_pools(struct pool *const pools[POOLS], int first)
{
	int count = 0;

	for (int i = first; i < POOLS; i++)
		count += pools[i] != NULL ? pool_count(pools[i]) : 0;
	return count;
}

void
generation_leave(struct generation *generation)
{
	struct pool *pools[POOLS];

	generation->is_leaving = true;
	generation->runner_until_ms = deadline_in(RUNNER_SECONDS);
	each_pool(generation, pools);
	for (int i = POOL_RUNNER; i < POOLS; i++) {
		if (pools[i] != NULL)
			pool_leave(pools[i]);
	}
	daemon_close_listeners(&generation->daemon);
}

int
generation_count(const struct generation *generation)
{
	struct pool *pools[POOLS];

	each_pool(generation, pools);
	return count_pools(pools, 0);
}

void
generation_signal(struct generation *generation, int signal_number, bool sessions_only)
{
	struct pool *pools[POOLS];

	each_pool(generation, pools);
	for (int i = sessions_only ? POOL_SMTPD : POOL_RUNNER; i < POOLS; i++) {
		if (pools[i] != NULL)
			pool_kill(pools[i], signal_number);
	}
}

/* How many a role asks for beyond its own settings. */
static int
wanted(const struct generation *generation, int pool)
{
	if (pool == POOL_JOBS)
		return generation->page->wanted_workers;
	if (pool == POOL_SPAWN ||
	    pool == POOL_LOOKUP) /* what is asked meanwhile waits in its socket */
		return pool_count(generation->jobs) > 0 || generation->page->wanted_workers > 0;
	if (pool == POOL_REFUSE)
		return pool_idle(generation->smtpd) == 0 &&
		       pool_count(generation->smtpd) == generation->daemon.smtpd_count;
	return 0;
}

bool
generation_has_runner(const struct generation *generation)
{
	return generation->runner != NULL && pool_count(generation->runner) > 0 &&
	       !deadline_passed(generation->runner_until_ms);
}

int64_t
generation_tend(struct generation *generation, bool may_run)
{
	struct pool *pools[POOLS];
	int64_t next = DEADLINE_NEVER;

	each_pool(generation, pools);
	for (int i = 0; i < POOL_RUNNER && generation->is_leaving; i++) {
		if (pools[i] != NULL && count_pools(pools, POOL_RUNNER) == 0)
			pool_leave(pools[i]);
	}
	for (int i = 0; i < POOLS; i++) {
		int64_t again;

		/* two who read the same hints would take them away from each other */
		if (pools[i] == NULL || (i == POOL_RUNNER && !may_run))
			continue;
		if (i < POOL_RUNNER && generation->daemon.is_on_demand &&
		    wanted(generation, i) == 0)
			pool_dismiss(pools[i]);
		again = pool_tend(pools[i], wanted(generation, i));
		if (again < next)
			next = again;
	}
	return next;
}

bool
generation_reap(struct generation *generation, pid_t pid, int status)
{
	struct pool *pools[POOLS];
	bool was_failure;

	each_pool(generation, pools);
	for (int i = 0; i < POOLS; i++) {
		int number = pools[i] != NULL ? pool_reap(pools[i], pid, status, &was_failure) : -1;

		if (number < 0)
			continue;
		if (i == POOL_JOBS) {
			struct kick kick = {.kind = KICK_DIED, .slot = (short)number};

			kick.generation =
			    generation->page->slots[FIRST_JOB_SLOT + number].generation;
			if (!kick_write(generation->daemon.runner_pipe[1], &kick))
				generation->page->missed_kicks = 1;
		}
		return true;
	}
	return false;
}
