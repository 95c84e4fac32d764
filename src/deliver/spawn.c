#include "config.h"

#include "deliver/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "deliver/mailer_process.h"
#include "os/os.h"
#include "proc/passing.h"
#include "proc/signals.h"

enum {
	REQUEST_MAXIMUM = 1024 * 1024, /* bytes of one request */
	ANSWER_MAXIMUM = 65 * 1024 * 1024,
	USERS_MAXIMUM = 10000,
	REQUEST_SECONDS = 60, /* for all of it to arrive */
	READ_SECONDS = 120,   /* for a list in a home that may be far away */
	FAREWELL_MS = 10000,
	FIELDS = 7, /* at the start */
	KIND_RUN = 'S',
	KIND_READ = 'L',
};

struct spawner {
	struct config *config; /* NULL: remote */
	int socket;
	pid_t twin;
};

struct spawner *
spawner_create(struct config *config)
{
	struct spawner *spawner = check_malloc(sizeof *spawner);

	*spawner = (struct spawner){.config = config, .socket = -1};
	return spawner;
}

struct spawner *
spawner_create_remote(int twin_socket)
{
	struct spawner *spawner = check_malloc(sizeof *spawner);

	*spawner = (struct spawner){.socket = twin_socket};
	return spawner;
}

struct spawner *
spawner_create_twin(struct config *config)
{
	int pair[2];
	struct spawner *spawner;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return NULL;
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	fcntl(pair[1], F_SETFD, FD_CLOEXEC);
	child = fork();
	if (child == 0) {
		close(pair[0]);
		spawn_serve(config, pair[1], -1);
		_exit(0);
	}
	close(pair[1]);
	if (child < 0) {
		close(pair[0]);
		return NULL;
	}
	spawner = spawner_create_remote(pair[0]);
	spawner->twin = child;
	return spawner;
}

void
spawner_destroy(struct spawner *spawner)
{
	if (spawner == NULL)
		return;
	if (spawner->twin > 0) {
		close(spawner->socket);
		while (waitpid(spawner->twin, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	free(spawner);
}

static void
close_all(int *fds, int count)
{
	int saved = errno;

	for (int i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	errno = saved;
}

/* The three pipes of a child; [0] read ends, [1] write ends: input, output, status. */
static bool
make_pipes(int pipes[6])
{
	for (int i = 0; i < 6; i++)
		pipes[i] = -1;
	for (int i = 0; i < 6; i += 2) {
		if (pipe(pipes + i) < 0) {
			close_all(pipes, 6);
			return false;
		}
		fcntl(pipes[i], F_SETFD, FD_CLOEXEC);
		fcntl(pipes[i + 1], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

static void
report_status(int fd, int status)
{
	while (write(fd, &status, sizeof status) < 0 && errno == EINTR)
		continue;
}

/* In a process of its own: runs the mailer, waits for it and tells its end. */
static void
run_and_report(struct config *config, const struct spawn_request *request, int input, int output,
    int status_fd)
{
	int status = mailer_process_run(config, request, input, output);

	report_status(status_fd, status);
	_exit(0);
}

static void
put(struct str *text, const char *field)
{
	str_add(text, field, strlen(field) + 1);
}

void
spawn_encode(struct str *text, const struct spawn_request *request)
{
	struct arena *arena = arena_create();

	put(text, request->mailer);
	put(text, request->id);
	put(text, request->host);
	put(text, request->sender);
	put(text, request->from);
	put(text, request->control_user);
	put(text, request->add_sender_flag ? "f" : "");
	/* from here on the first byte says what it is */
	for (size_t i = 0; i < request->user_count; i++)
		put(text, arena_printf(arena, "u%s", request->users[i]));
	for (size_t i = 0; i < request->address_count; i++)
		put(text, arena_printf(arena, "a%s", request->addresses[i]));
	for (size_t i = 0; i < request->chain_count; i++)
		put(text, arena_printf(arena, "s%s", source_print(&request->chain[i], arena)));
	for (const struct saved_macro *one = request->macros; one != NULL; one = one->next)
		put(text, arena_printf(arena, "m%s=%s", one->name, one->value));
	arena_destroy(arena);
}

/* Hands the twin a request and the far ends of three pipes. */
static bool
start_remote(struct spawner *spawner, char kind, const struct spawn_request *request, int pipes[6])
{
	struct str text = {0};
	int question[2], fds[4];
	bool ok;

	if (pipe(question) < 0)
		return false;
	fcntl(question[0], F_SETFD, FD_CLOEXEC);
	fcntl(question[1], F_SETFD, FD_CLOEXEC);
	fds[0] = question[0];
	fds[1] = pipes[0];
	fds[2] = pipes[3];
	fds[3] = pipes[5];
	ok = passing_send(spawner->socket, kind, fds, 4);
	close(question[0]);
	if (ok) {
		spawn_encode(&text, request);
		ok = io_write(question[1], text.data, text.length);
		str_free(&text);
	}
	close(question[1]);
	return ok;
}

bool
spawn_start(struct spawner *spawner, const struct spawn_request *request, struct spawn_child *child)
{
	int pipes[6];

	*child = (struct spawn_child){.input_fd = -1, .output_fd = -1, .status_fd = -1};
	if (!make_pipes(pipes))
		return false;
	if (spawner->config == NULL) {
		if (!start_remote(spawner, KIND_RUN, request, pipes)) {
			close_all(pipes, 6);
			return false;
		}
	} else {
		child->pid = fork();
		if (child->pid < 0) {
			close_all(pipes, 6);
			return false;
		}
		if (child->pid == 0) {
			close(pipes[1]);
			close(pipes[2]);
			close(pipes[4]);
			run_and_report(spawner->config, request, pipes[0], pipes[3], pipes[5]);
		}
	}
	close(pipes[0]);
	close(pipes[3]);
	close(pipes[5]);
	child->input_fd = pipes[1];
	child->output_fd = pipes[2];
	child->status_fd = pipes[4];
	return true;
}

void
spawn_forget(struct spawn_child *child)
{
	struct pollfd wait = {.fd = child->status_fd, .events = POLLIN};

	if (poll(&wait, 1, FAREWELL_MS) > 0 && child->pid > 0) {
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	close(child->status_fd);
}

static bool
read_all(int fd, size_t maximum, struct str *text)
{
	char bytes[8192];

	for (;;) {
		ssize_t got = read(fd, bytes, sizeof bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		if (text->length + (size_t)got > maximum)
			return false;
		str_add(text, bytes, (size_t)got);
	}
}

bool
spawn_read_source(struct spawner *spawner, const struct source *chain, size_t count,
    struct arena *arena, struct source_text *out)
{
	struct spawn_request request = {.mailer = "",
	    .id = "",
	    .host = "",
	    .sender = "",
	    .from = "",
	    .control_user = "",
	    .chain = chain,
	    .chain_count = count};
	struct str answer = {0};
	int pipes[6];
	bool ok;

	if (spawner->config != NULL)
		return source_read(spawner->config, chain, count, arena, out);
	*out = (struct source_text){.is_temporary = true, .reason = "nobody reads it now"};
	if (!make_pipes(pipes))
		return false;
	ok = start_remote(spawner, KIND_READ, &request, pipes);
	close(pipes[0]);
	close(pipes[1]);
	close(pipes[3]);
	close(pipes[4]);
	close(pipes[5]);
	ok = ok && read_all(pipes[2], ANSWER_MAXIMUM, &answer) &&
	     source_take_answer(&answer, arena, out);
	close(pipes[2]);
	str_free(&answer);
	return ok && out->text != NULL;
}

struct decoding {
	struct spawn_request *request;
	const char **users, **addresses;
	struct source *chain;
	struct arena *arena;
};

static bool
take_macro(struct decoding *decoding, const char *field)
{
	const char *equal = strchr(field, '=');
	struct saved_macro *macro = ARENA_NEW(decoding->arena, struct saved_macro);

	if (equal == NULL || equal == field)
		return false;
	macro->name = arena_memdup(decoding->arena, field, (size_t)(equal - field));
	macro->value = equal + 1;
	macro->next = (struct saved_macro *)(uintptr_t)decoding->request->macros;
	decoding->request->macros = macro;
	return true;
}

static bool
take_field(struct decoding *decoding, const char *field)
{
	struct spawn_request *request = decoding->request;

	switch (field[0]) {
	case 'u':
		if (request->user_count == USERS_MAXIMUM)
			return false;
		decoding->users[request->user_count++] = field + 1;
		return true;
	case 'a':
		if (request->address_count == USERS_MAXIMUM)
			return false;
		decoding->addresses[request->address_count++] = field + 1;
		return true;
	case 's':
		return request->chain_count < SOURCES_MAXIMUM &&
		       source_parse(
			   field + 1, &decoding->chain[request->chain_count++], decoding->arena);
	case 'm':
		return take_macro(decoding, field + 1);
	default:
		return false;
	}
}

bool
spawn_decode(const struct str *text, struct spawn_request *request, struct arena *arena)
{
	struct decoding decoding = {.request = request,
	    .users = ARENA_ARRAY(arena, const char *, USERS_MAXIMUM),
	    .addresses = ARENA_ARRAY(arena, const char *, USERS_MAXIMUM),
	    .chain = ARENA_ARRAY(arena, struct source, SOURCES_MAXIMUM),
	    .arena = arena};
	const char *fields[FIELDS], *at = text->data, *end = at + text->length;
	size_t count = 0;

	*request = (struct spawn_request){
	    .users = decoding.users, .addresses = decoding.addresses, .chain = decoding.chain};
	if (text->length == 0 || text->length > REQUEST_MAXIMUM || end[-1] != '\0')
		return false;
	for (; at < end; at += strlen(at) + 1, count++) {
		if (count < FIELDS)
			fields[count] = at;
		else if (!take_field(&decoding, at))
			return false;
	}
	if (count <= FIELDS)
		return false;
	request->mailer = fields[0];
	request->id = fields[1];
	request->host = fields[2];
	request->sender = fields[3];
	request->from = fields[4];
	request->control_user = fields[5];
	request->add_sender_flag = fields[6][0] == 'f';
	return true;
}

static void
answer_source(
    struct config *config, const struct spawn_request *request, int fd, struct arena *arena)
{
	struct source_text found;
	struct str text = {0};

	source_read(config, request->chain, request->chain_count, arena, &found);
	source_put_answer(&text, &found);
	io_write(fd, text.data, text.length);
	str_free(&text);
}

/* Signals for master that come to everybody ("killall -HUP sendmail"), and a file at its limit. */
static void
ignore_strays(void)
{
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
}

/*
 * What the other side may ask for.  Whose ids a sender has is his to say and cannot be checked, so
 * here it does not count: mailers without flags S and o, and without U=, run as the default user.
 */
static void
serve_one(struct config *config, int kind, const int fds[4])
{
	struct arena *arena = arena_create();
	struct spawn_request request;
	struct str text = {0};

	signals_restore();
	ignore_strays();
	alarm(REQUEST_SECONDS);
	if (!read_all(fds[0], REQUEST_MAXIMUM, &text) || !spawn_decode(&text, &request, arena) ||
	    (kind == KIND_RUN && request.user_count == 0)) {
		log_at(1, LOG_ERR, "spawn: unreadable request refused");
		_exit(1);
	}
	alarm(0);
	close(fds[0]);
	request.control_user = "";
	request.is_from_far = true;
	if (kind == KIND_READ) {
		alarm(READ_SECONDS);
		answer_source(config, &request, fds[2], arena);
		_exit(0);
	}
	run_and_report(config, &request, fds[1], fds[2], fds[3]);
}

void
spawn_serve(struct config *config, int socket, int life_fd)
{
	struct pollfd wait[2] = {
	    {.fd = socket, .events = POLLIN}, {.fd = life_fd, .events = POLLIN}};
	int fds[4];

	signals_restore();
	signal(SIGCHLD, SIG_IGN); /* the children report to those who asked */
	ignore_strays();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	/* a signal to the whole group: who still asks needs us, and without them we end */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	for (;;) {
		pid_t child;
		int kind;

		if (poll(wait, life_fd >= 0 ? 2 : 1, -1) < 0)
			continue;
		if (life_fd >= 0 && wait[1].revents != 0)
			return;
		kind = passing_receive(socket, fds, 4);
		if (kind == 0)
			return;
		if (kind != KIND_RUN && kind != KIND_READ) {
			if (kind > 0)
				close_all(fds, 4);
			continue;
		}
		child = fork();
		if (child == 0)
			serve_one(config, kind, fds);
		if (child < 0)
			log_at(1, LOG_ERR, "spawn: cannot fork: %s", strerror(errno));
		close_all(fds, 4);
	}
}
