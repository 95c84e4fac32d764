#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"

static int current_level = 9;
static const volatile int *extra_level;
static bool copy_to_stderr, falls_back;
static const char *current_tag = "sendmail";

void
log_open(const char *tag)
{
	current_tag = tag;
	openlog(tag, LOG_PID, LOG_MAIL);
}

void
log_close(void)
{
	closelog();
	log_open(current_tag);
}

void
log_set_level(int level)
{
	current_level = level;
}

int
log_level(void)
{
	return current_level + (extra_level != NULL ? *extra_level : 0);
}

void
log_watch_extra(const volatile int *extra)
{
	extra_level = extra;
}

void
log_to_stderr(bool on)
{
	copy_to_stderr = on;
}

void
log_fall_back_to_stderr(bool on)
{
	falls_back = on;
}

static void (*diverted)(void *context, int priority, const char *line);
static void *diverted_context;

void
log_divert(void (*take)(void *context, int priority, const char *line), void *context)
{
	diverted = take;
	diverted_context = context;
}

static bool
syslog_is_there(void)
{
	struct stat status;

	return stat("/dev/log", &status) == 0 &&
	       (S_ISSOCK(status.st_mode) || !S_ISREG(status.st_mode));
}

static void
clean(struct str *line, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte == '\t')
			str_add_char(line, ' ');
		else if (byte < ' ' || byte == 0x7f)
			str_printf(line, "\\%03o", byte);
		else
			str_add_char(line, (char)byte);
	}
}

/* The C library drops a line when a signal comes while it waits for a busy log daemon. */
static void
send_line(int priority, const char *line)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	syslog(priority, "%s", line);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void
log_at(int level, int priority, const char *format, ...)
{
	int saved = errno;
	struct str raw = {0}, line = {0};
	va_list arguments;

	if (level > log_level())
		return;
	va_start(arguments, format);
	str_vprintf(&raw, format, arguments);
	va_end(arguments);
	clean(&line, str_text(&raw));
	if (diverted != NULL)
		diverted(diverted_context, priority, str_text(&line));
	else if (copy_to_stderr || (falls_back && !syslog_is_there()))
		io_printf(
		    STDERR_FILENO, "%s[%ld]: %s\n", current_tag, (long)getpid(), str_text(&line));
	if (diverted == NULL && syslog_is_there())
		send_line(priority, str_text(&line));
	str_free(&raw);
	str_free(&line);
	errno = saved;
}
