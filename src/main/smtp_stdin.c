/* -bs: an SMTP session on standard input and output. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "main/main.h"
#include "queue/queue.h"
#include "server/server.h"

struct smtp_stdin {
	struct main_context *context;
	struct server_context server;
	int previous_fd; /* at its end when the delivery before is done; -1 */
};

/* Messages of one session are tried in their order, unless one takes longer than this. */
enum { WAIT_FOR_PREVIOUS_MS = 1000 };

/*
 * In a child of its own.  The configuration is read again: an open map or lock is not shared with
 * the session, which goes on.
 */
static void
run_delivery(const struct main_context *context, const char *id)
{
	struct arguments arguments = *context->arguments;
	struct main_context own = *context;

	main_leave_queue(context);
	arguments.deliver_id = id;
	own.arguments = &arguments;
	own.config = config_read(&context->request);
	if (own.config->error_status != 0)
		_exit(own.config->error_status);
	_exit(main_deliver(&own));
}

/* The child has neither our input nor our output: the caller waits for the end of them. */
static void
leave_dialogue(void)
{
	int null = open("/dev/null", O_RDWR), fd;

	for (fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static void
deliver(void *argument, const char *id, char delivery_mode)
{
	struct smtp_stdin *mode = argument;
	struct pollfd previous = {.fd = mode->previous_fd, .events = POLLIN};
	int done[2] = {-1, -1}, status;
	pid_t child;

	fflush(NULL);
	if (pipe(done) == 0)
		fcntl(done[1], F_SETFD, FD_CLOEXEC);
	child = fork();
	if (child != 0)
		close(done[1]);
	if (child < 0) { /* the next queue run has it */
		close(done[0]);
		return;
	}
	if (child == 0) {
		leave_dialogue();
		if (delivery_mode == 'b') {
			setsid();
			if (fork() != 0)
				_exit(0);
			if (mode->previous_fd >= 0)
				poll(&previous, 1, WAIT_FOR_PREVIOUS_MS);
		}
		close(done[0]);
		close(mode->previous_fd);
		run_delivery(mode->context, id);
	}
	close(mode->previous_fd);
	mode->previous_fd = done[0];
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
}

int
main_smtp_stdin(struct main_context *context)
{
	const char *traffic = context->arguments->traffic_file;
	struct smtp_stdin mode = {
	    .previous_fd = -1,
	    .context = context,
	    .server = {.config = context->config,
		.committed = deliver,
		.caller_name = context->caller_name,
		.traffic_fd = -1},
	};
	struct server_link link = {
	    .kind = SERVER_STDIN, .input_fd = STDIN_FILENO, .output_fd = STDOUT_FILENO};
	int exit_status;

	mode.server.context = &mode;
	mode.server.delivery_mode = context->config->options.delivery_mode;
	exit_status = main_enter_queue(context, &mode.server.queue);
	if (exit_status != EX_OK)
		return exit_status;
	if (traffic != NULL) {
		mode.server.traffic_fd =
		    open(traffic, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (mode.server.traffic_fd < 0) {
			io_printf(STDOUT_FILENO, "451 4.0.0 cannot open %s: %s\r\n", traffic,
			    strerror(errno));
			queue_close(mode.server.queue);
			return EX_CANTCREAT;
		}
	}
	mode.server.tls = server_prepare_tls(context->config);
	exit_status = server_session(&mode.server, &link);
	queue_close(mode.server.queue);
	return exit_status;
}
