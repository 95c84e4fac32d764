/* Class program: the first line that a program writes. */
#include "map_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "os/os.h"

enum { ARGUMENTS_MAXIMUM = 40, LINE_MAXIMUM = 2048, WAIT_SECONDS = 60 };

static char **
make_arguments(struct map *map, struct map_call *call)
{
	char **arguments = ARENA_ARRAY(call->arena, char *, ARGUMENTS_MAXIMUM + 3), *position;
	char *rest = arena_strdup(call->arena, map->rest);
	size_t count = 0;

	arguments[count++] = arena_strdup(call->arena, map->file);
	for (char *word = strtok_r(rest, " \t", &position);
	     word != NULL && count < ARGUMENTS_MAXIMUM; word = strtok_r(NULL, " \t", &position))
		arguments[count++] = word;
	arguments[count] = arena_strdup(call->arena, call->key);
	return arguments;
}

/* What V8 gives its programs: AGENT, and what E lines say. */
static char **
make_environment(struct map_call *call)
{
	size_t count = 0;
	const char *const *given = call->hooks->environment;
	char **environment = ARENA_ARRAY(call->arena, char *, call->hooks->environment_count + 2);

	environment[count++] = arena_strdup(call->arena, "AGENT=sendmail");
	for (size_t i = 0; i < call->hooks->environment_count; i++)
		environment[count++] = arena_strdup(call->arena, given[i]);
	return environment;
}

/* Never returns. Only what is safe between fork and exec. */
static void
become_program(char **arguments, char **environment, int output)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
		_exit(EX_OSERR);
	os_close_from(3);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execve(arguments[0], arguments, environment);
	_exit(EX_CONFIG);
}

/* Up to the end of the output, so that the program is not disturbed; keeps what fits. false: it takes too long. */
static bool
read_output(int fd, char *line, size_t size)
{
	int64_t deadline = deadline_in(WAIT_SECONDS);
	size_t length = 0;

	line[0] = '\0';
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char buffer[512];
		ssize_t got;
		int ready = poll(&wait, 1, deadline_poll_ms(deadline));

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return false;
		got = read(fd, buffer, sizeof buffer);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return true;
		for (ssize_t i = 0; i < got && length + 1 < size; i++)
			line[length++] = buffer[i] == '\0' ? '\n' : buffer[i];
		line[length] = '\0';
	}
}

static int
wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return -1; /* somebody else took it: the output counts */
	}
	return status;
}

static void
settle_program(struct map *map, struct map_call *call, int status, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)) {
		if (*line != '\0')
			map_give(map, call, line);
		else
			map_miss(call, EX_OK);
	} else if (WIFEXITED(status)) {
		map_miss(call, WEXITSTATUS(status));
	} else {
		map_say(call, "prog_map_lookup(%s): child died on signal %d", map->name,
		    WTERMSIG(status));
		map_miss(call, EX_UNAVAILABLE);
	}
}

static void
lookup_program(struct map *map, struct map_call *call)
{
	char **arguments = make_arguments(map, call), **environment = make_environment(call);
	char line[LINE_MAXIMUM];
	int ends[2], status;
	bool finished;
	pid_t child;

	if (pipe(ends) < 0) {
		map_miss(call, EX_TEMPFAIL);
		return;
	}
	child = fork();
	if (child == 0)
		become_program(arguments, environment, ends[1]);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		map_miss(call, EX_TEMPFAIL);
		return;
	}
	finished = read_output(ends[0], line, sizeof line);
	if (!finished)
		kill(child, SIGKILL);
	close(ends[0]);
	status = wait_for(child);
	if (finished) {
		settle_program(map, call, status, line);
	} else {
		map_say(call, "prog_map_lookup(%s): timed out", map->name);
		map_miss(call, EX_TEMPFAIL);
	}
}

const struct map_class map_class_program = {
    .name = "program", .declare = map_declare_file, .lookup = lookup_program, .trace_name = "prog"};
