#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "master_private.h"
#include "os/os.h"
#include "proc/daemonize.h"
#include "proc/notify.h"
#include "proc/pool.h"
#include "proc/rates.h"
#include "proc/signals.h"
#include "proc/subsystem.h"

enum {
	CHECK_SECONDS = 60,	    /* then the new configuration is no good */
	REASON_MAXIMUM = 64 * 1024, /* of what the check says */
};

/* ---- the check, by a process of its own ---- */

static _Noreturn void
execute_check(const struct master_settings *settings, int output)
{
	size_t count = 0;
	char **argv;

	while (settings->argv[count] != NULL)
		count++;
	argv = check_malloc((count + 2) * sizeof *argv);
	argv[0] = settings->argv[0];
	argv[1] = "--check";
	for (size_t i = 1; i <= count; i++)
		argv[i + 1] = settings->argv[i];
	pool_close_in_child();
	signals_restore();
	setenv(DAEMONIZE_ASKED, "1", 1);
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(1);
	os_close_from(3);
	execv(settings->executable, argv);
	io_printf(STDOUT_FILENO, "cannot run %s: %s\n", settings->executable, strerror(errno));
	_exit(1);
}

/* Reads what there is; false at the end. */
static bool
read_output(int fd, struct str *reason)
{
	char bytes[4096];
	ssize_t got;

	while ((got = read(fd, bytes, sizeof bytes)) > 0) {
		if (reason->length < REASON_MAXIMUM)
			str_add(reason, bytes, (size_t)got);
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Waits for the child's end; meanwhile the workers are looked after as always.  False: it had to be killed. */
static bool
wait_for_check(struct master *master, int output, struct str *reason)
{
	struct pollfd wait[3] = {{.fd = signals_fd(), .events = POLLIN},
	    {.fd = master->poke[0], .events = POLLIN}, {.fd = output, .events = POLLIN}};
	int64_t until = deadline_in(CHECK_SECONDS);

	while (master->check_pid != 0 || wait[2].fd >= 0) {
		int64_t next = master_tend(master);

		poll(wait, 3, deadline_poll_ms(next < until ? next : until));
		master_drain(master);
		if (wait[2].fd >= 0 && !read_output(output, reason))
			wait[2].fd = -1;
		if (master->check_pid == 0)
			wait[2].fd = -1; /* whatever it started may hold the pipe for ever */
		if (deadline_passed(until) || signals_came(SIGTERM) || signals_came(SIGINT)) {
			if (master->check_pid != 0)
				kill(master->check_pid, SIGKILL);
			master->check_pid = 0;
			str_printf(reason, "the check of the configuration %s\n",
			    deadline_passed(until) ? "takes too long" : "was ended");
			return false;
		}
	}
	read_output(output, reason);
	return true;
}

/* Its end, with its word that it is one of ours: whatever else may end with 0 is no mail server. */
static bool
judge_check(const struct master *master, struct str *reason)
{
	const char *program = master->settings->executable;
	bool is_ours = takeover_is_offered(reason);
	int status = master->check_status;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (!is_ours)
			str_printf(reason,
			    "%s did not say \"%s\" when it checked the configuration: it "
			    "cannot take over from this one, a restart is needed\n",
			    program, DAEMONIZE_WORD);
		return is_ours;
	}
	if (reason->length == 0)
		str_printf(reason, "%s, which checks the configuration, %s %d\n", program,
		    WIFSIGNALED(status) ? "died of signal" : "ended with exit status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

static bool
check_aside(struct master *master, struct str *reason)
{
	int output[2];
	pid_t child;
	bool has_ended;

	if (pipe(output) < 0) {
		str_printf(reason, "cannot make a pipe: %s\n", strerror(errno));
		return false;
	}
	fcntl(output[0], F_SETFD, FD_CLOEXEC);
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	child = fork();
	if (child == 0)
		execute_check(master->settings, output[1]);
	close(output[1]);
	if (child < 0) {
		str_printf(reason, "cannot fork: %s\n", strerror(errno));
		close(output[0]);
		return false;
	}
	master->check_pid = child;
	has_ended = wait_for_check(master, output[0], reason);
	close(output[0]);
	return has_ended && judge_check(master, reason);
}

/* ---- the change ---- */

static bool
is_newer_program(const struct master *master)
{
	struct stat now;

	return stat(master->settings->executable, &now) == 0 &&
	       (now.st_dev != master->binary.st_dev || now.st_ino != master->binary.st_ino ||
		   now.st_size != master->binary.st_size ||
		   now.st_mtime != master->binary.st_mtime);
}

/* Who came how often is known on, unless the window is another one. */
static void
move_rates(struct daemon *from, struct daemon *to)
{
	if (from->config->options.connection_rate_window_seconds !=
	    to->config->options.connection_rate_window_seconds)
		return;
	rates_destroy(to->rates);
	to->rates = from->rates;
	from->rates = NULL;
}

/* The processes by the new configuration; those by the old one finish what they do. */
static bool
replace_current(struct master *master, struct config *config, struct str *reason)
{
	struct generation *before = master->current, *after = generation_create(master, config);
	size_t length = reason->length;
	int missing = 0;

	if (master->settings->serves_smtp) {
		missing = master_open_ports(&after->daemon, &before->daemon, true, reason);
		if (reason->length > length) {
			generation_destroy(after);
			return false;
		}
		master_open_local(&after->daemon, &before->daemon);
	}
	master->current = after;
	move_rates(&before->daemon, &after->daemon);
	if (!master_start_current(master)) {
		str_printf(reason, "cannot start the daemon's processes: %s\n", strerror(errno));
		master->current = before;
		move_rates(&after->daemon, &before->daemon);
		generation_destroy(after);
		return false;
	}
	master->ports_are_missing = missing > 0;
	if (master->settings->serves_smtp)
		master_finish_ports(&before->daemon, &after->daemon);
	generation_leave(before);
	before->next = master->old;
	master->old = before;
	return true;
}

static bool
change(struct master *master, struct str *reason)
{
	struct config *config;

	if (!check_aside(master, reason))
		return false;
	if (is_newer_program(master)) {
		log_at(5, LOG_INFO, "%s is newer than this process: it takes over",
		    master->settings->executable);
		subsystem_answer(
		    NULL); /* whoever typed refresh: the next program knows nothing of it */
		takeover_execute(master);
		log_at(0, LOG_ERR, "cannot run %s: %s: this program goes on",
		    master->settings->executable, strerror(errno));
	}
	config = master->settings->read_again(master->settings->context, reason);
	if (config == NULL) /* changed in this very moment */
		return false;
	return replace_current(master, config, reason);
}

/* Each line of what is wrong, once more for those who read the log alone. */
static void
log_reason(const struct str *reason)
{
	const char *line = str_text(reason);

	while (*line != '\0') {
		size_t length = strcspn(line, "\n");

		log_at(0, LOG_ERR, "reload: %.*s", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

bool
master_reload(struct master *master, struct str *reason)
{
	bool is_changed;

	notify_reloading();
	is_changed = change(master, reason);
	if (is_changed) {
		master_write_pid(master);
		master_announce(master);
		master_open_control(master);
		/* what the old configuration did not take waits there, unseen by mailq */
		master_start_client_queue(master);
		notify_send("READY=1\nSTATUS=");
	} else {
		log_reason(reason);
		log_at(0, LOG_ERR, "the new configuration has errors: the old one stays in use");
		notify_send("READY=1\nSTATUS=The last reload was refused (see the log); the old "
			    "configuration is in use");
	}
	return is_changed;
}
