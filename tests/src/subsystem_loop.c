/*
 * A subsystem that is nothing but proc/subsystem.c: it answers SRC's requests and notes them in the file
 * that argv[1] names.  For builds in which the whole daemon is not to be had (tests/lib/check-ilp32).
 */
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/log.h"
#include "proc/signals.h"
#include "proc/subsystem.h"

static void
describe(void *context, struct subsystem_report *report)
{
	(void)context;
	for (int i = 0; i < 200; i++)
		subsystem_say(report, "line", "%d of a long report", i);
}

static bool
serve(FILE *notes)
{
	enum subsystem_action action = subsystem_read();

	if (action == SUBSYSTEM_NONE)
		return true;
	fprintf(notes, "%d\n", (int)action);
	fflush(notes);
	if (action == SUBSYSTEM_DESCRIBE)
		subsystem_answer_status(describe, NULL);
	else
		subsystem_answer(action == SUBSYSTEM_RELOAD ? "file: line 7: wrong" : NULL);
	return action != SUBSYSTEM_STOP_GENTLY && action != SUBSYSTEM_STOP_NOW;
}

int
main(int argc, char **argv)
{
	FILE *notes = argc > 1 ? fopen(argv[1], "a") : NULL;
	bool goes_on = true;

	log_open("subsystem_loop");
	if (notes == NULL || !signals_open() || !subsystem_open())
		return 1;
	while (goes_on) {
		struct pollfd wait = {.fd = subsystem_fd(), .events = POLLIN};
		pid_t pid;

		poll(&wait, 1, 200);
		goes_on = serve(notes);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			subsystem_reap(pid);
	}
	return 0;
}
