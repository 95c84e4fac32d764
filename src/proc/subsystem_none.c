#include "config.h"

#include "proc/subsystem.h"

/* A build without libsrc: nobody is there, and nobody asks. */

bool
subsystem_open(void)
{
	return false;
}

bool
subsystem_is_open(void)
{
	return false;
}

int
subsystem_fd(void)
{
	return -1;
}

void
subsystem_put_back(void)
{
}

void
subsystem_forget(void)
{
}

void
subsystem_finish_answers(void)
{
}

void
subsystem_say_more_follows(struct subsystem_report *report)
{
	(void)report;
}

enum subsystem_action
subsystem_read(void)
{
	return SUBSYSTEM_NONE;
}

void
subsystem_answer(const char *problem)
{
	(void)problem;
}

void
subsystem_answer_status(void (*compose)(void *context, struct subsystem_report *), void *context)
{
	(void)compose;
	(void)context;
}

void
subsystem_say(struct subsystem_report *report, const char *name, const char *format, ...)
{
	(void)report;
	(void)name;
	(void)format;
}

bool
subsystem_reap(pid_t pid)
{
	(void)pid;
	return false;
}
