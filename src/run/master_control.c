#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "conf/safefile.h"
#include "master_private.h"
#include "net/listen.h"
#include "os/os.h"
#include "proc/pool.h"
#include "proc/signals.h"

/*
 * ControlSocketName: root, TrustedUser and their programs ask the daemon by one line, in the language of
 * sendmail's smcontrol (tried with 8.17).  A child reads it and answers, so nobody holds up master.
 */
enum { ASK_SECONDS = 10, LINE_MAXIMUM = 256 };

struct control_answer {
	const struct master *master;
	pid_t master_pid;
	struct str text;
	bool is_machine_readable; /* mstat */
};

static const char *
wanted_path(const struct master *master)
{
	const char *path = master->current->daemon.config->options.control_socket_name;

	return path != NULL && *path != '\0' ? path : NULL;
}

void
master_close_control(struct master *master)
{
	if (master->control_fd < 0)
		return;
	close(master->control_fd);
	unlink(master->control_path);
	free(master->control_path);
	master->control_fd = -1;
	master->control_path = NULL;
}

void
master_open_control(struct master *master)
{
	const struct options *options = &master->current->daemon.config->options;
	const char *path = wanted_path(master), *error = NULL;
	struct arena *arena;

	if (master->control_fd >= 0 && path != NULL && strcmp(path, master->control_path) == 0)
		return;
	master_close_control(master);
	if (path == NULL)
		return;
	arena = arena_create();
	error = safefile_check_directories(path, options);
	if (error == NULL)
		master->control_fd = listen_open_local(path, 0600, arena, &error);
	if (master->control_fd < 0) {
		log_at(0, LOG_ERR, "control socket %s: %s", path,
		    error != NULL ? error : strerror(errno));
	} else {
		master->control_path = check_strdup(path);
		if (options->trusted_uid != 0 && geteuid() == 0 &&
		    chown(path, options->trusted_uid, (gid_t)-1) < 0)
			log_at(0, LOG_ERR, "control socket %s: %s", path, strerror(errno));
	}
	arena_destroy(arena);
}

/* ---- answers ---- */

static void
add_process(struct control_answer *answer, pid_t pid, const char *what, size_t size)
{
	str_printf(&answer->text, "%s%ld %.*s\r\n", answer->is_machine_readable ? "P:" : "",
	    (long)pid, (int)size, what);
}

static int
add_generation(struct control_answer *answer, const struct generation *generation)
{
	const struct daemon *daemon = &generation->daemon;
	int busy = 0;

	for (int i = 0; generation->page != NULL && i < generation->slot_count; i++) {
		const struct slot *slot = &generation->page->slots[i];

		if (slot->pid == 0)
			continue;
		add_process(answer, slot->pid, slot->what, sizeof slot->what - 1);
		busy += i >= daemon->smtpd_first_slot &&
			i < daemon->smtpd_first_slot + daemon->smtpd_count &&
			slot->state == SLOT_BUSY;
	}
	return busy;
}

static void
say_status(struct control_answer *answer)
{
	const struct master *master = answer->master;
	const struct options *options = &master->current->daemon.config->options;
	const char *directory = options->queue_directory;
	struct control_answer processes = {
	    .master = master, .is_machine_readable = answer->is_machine_readable};
	struct statvfs disk;
	long long blocks = -1;
	int sessions;

	add_process(&processes, answer->master_pid,
	    master->settings->serves_smtp ? "accepting connections" : "queue runner", 40);
	sessions = add_generation(&processes, master->current);
	for (const struct generation *old = master->old; old != NULL; old = old->next)
		sessions += add_generation(&processes, old);
	add_process(&processes, getpid(), "console socket child", 40);
	if (directory != NULL && statvfs(directory, &disk) == 0)
		blocks = (long long)disk.f_bavail;
	if (answer->is_machine_readable)
		str_printf(&answer->text,
		    "C:%d\r\nM:%d\r\nL:%d\r\nQ:NOTCONFIGURED:-1\r\nD:0/%s/%lld\r\n", sessions,
		    options->max_daemon_children, os_load_average(),
		    directory != NULL ? directory : "", blocks);
	else
		str_printf(&answer->text, "%d/%d/%lld/%d\r\n", sessions,
		    options->max_daemon_children, blocks, os_load_average());
	str_add_text(&answer->text, str_text(&processes.text));
	str_free(&processes.text);
}

static void
say_machine_status(struct control_answer *answer)
{
	answer->is_machine_readable = true;
	say_status(answer);
}

static void
tell_master(struct control_answer *answer, int signal_number)
{
	str_add_text(&answer->text, "OK\r\n");
	if (getppid() == answer->master_pid)
		kill(answer->master_pid, signal_number);
}

static void
say_restart(struct control_answer *answer)
{
	tell_master(answer, SIGHUP);
}

static void
say_shutdown(struct control_answer *answer)
{
	tell_master(answer, SIGTERM);
}

static void
say_memory(struct control_answer *answer)
{
	str_add_text(&answer->text, "Memory dump unavailable.\r\n");
}

static void say_help(struct control_answer *);

static const struct command {
	const char *name, *help;
	void (*say)(struct control_answer *);
} commands[] = {
    {"help", "shows this list", say_help},
    {"restart", "reads the configuration anew, as SIGHUP does", say_restart},
    {"shutdown", "ends the daemon, as SIGTERM does", say_shutdown},
    {"status", "sessions/MaxDaemonChildren/free blocks/load, and who does what", say_status},
    {"mstat", "the same for programs", say_machine_status},
    {"memdump", "nothing here", say_memory},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void
say_help(struct control_answer *answer)
{
	for (size_t i = 0; i < COMMANDS; i++)
		str_printf(
		    &answer->text, "214-2.0.0 %s\t\t%s\r\n", commands[i].name, commands[i].help);
	str_add_text(&answer->text, "214 2.0.0 End of HELP info\r\n");
}

static void
answer_line(struct control_answer *answer, const char *line)
{
	char word[LINE_MAXIMUM];

	text_copy(word, sizeof word, text_skip_space(line));
	word[strcspn(word, " \t\r\n")] = '\0';
	for (size_t i = 0; i < COMMANDS; i++) {
		if (text_equal_nocase(word, commands[i].name)) {
			commands[i].say(answer);
			return;
		}
	}
	str_printf(&answer->text, "Bad command (%s)\r\n", word);
}

/* ---- the one who asks ---- */

static bool
may_ask(const struct master *master, int fd)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;

	return os_peer(fd, &uid, &gid, &pid) == 0 &&
	       (uid == 0 || uid == geteuid() ||
		   uid == master->current->daemon.config->options.trusted_uid);
}

/* In a child. */
static _Noreturn void
serve_one(struct master *master, pid_t master_pid, int fd)
{
	struct control_answer answer = {.master = master, .master_pid = master_pid};
	char line[LINE_MAXIMUM + 1];
	size_t length = 0;
	ssize_t got;

	pool_close_in_child();
	signals_restore();
	alarm(ASK_SECONDS);
	/* who asks and says nothing must not keep a port open after a stop */
	daemon_close_listeners(&master->current->daemon);
	for (struct generation *old = master->old; old != NULL; old = old->next)
		daemon_close_listeners(&old->daemon);
	if (!may_ask(master, fd))
		_exit(0);
	fcntl(fd, F_SETFL, 0); /* not every system gives what accept makes flags of its own */
	line[0] = '\0';
	while (length < LINE_MAXIMUM && strchr(line, '\n') == NULL &&
	       (got = read(fd, line + length, LINE_MAXIMUM - length)) > 0) {
		length += (size_t)got;
		line[length] = '\0';
	}
	answer_line(&answer, line);
	io_write(fd, answer.text.data, answer.text.length);
	_exit(0);
}

void
master_serve_control(struct master *master)
{
	int fd = accept(master->control_fd, NULL, NULL);
	pid_t self = getpid();

	if (fd < 0)
		return;
	if (fork() == 0)
		serve_one(master, self, fd);
	close(fd);
}
