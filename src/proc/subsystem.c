#include "config.h"

#include "proc/subsystem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "os/os.h"
#include "proc/pool.h"
#include "proc/signals.h"

/* It defines words such as START and END: nothing of ours comes after it. */
#include <spc.h>

enum {
	SENDERS_MAXIMUM = 32, /* answers under way */
	SENDERS_OF_ONE = 4,   /* for one requester; his oldest gives way to a new one */
	SEND_SECONDS = 5,     /* as long as SRC's commands wait, more or less */
	STATUS_SECONDS = 60,  /* for a status report to be composed */
	FINISH_MS = 1000,
	RETRY_MS = 20,
	COMPLAINT_SECONDS = 60,
	ERRORS_MAXIMUM = 10, /* in a row: the socket is of no use any more */
};

static const char default_name[] = "sendmail";

/* The name of the object may be a synonym; requests tell it. */
struct request {
	struct srchdr header; /* where the answer goes */
	char name[SRCNAMESZ];
	bool is_open;
};

/* What answers to STATUS: a header and as many lines as there are. */
struct status_packet {
	struct srchdr header;
	struct statcode lines[1];
};

struct subsystem_report {
	struct request *request;
	struct status_packet *packet;
	size_t size, count, capacity; /* of the packet in bytes; of lines in it */
};

extern char **environ;

static int control_fd = -1;
static char **own_environment;	 /* while given_environment is in place for an exec(2) */
static char **given_environment; /* by SRC, for libsrc and for the next image of this daemon */
static struct request current;
static bool is_sender; /* this process is one */
static struct sender {
	pid_t pid; /* 0: free */
	unsigned long number;
	struct srchdr header; /* to whom */
} senders[SENDERS_MAXIMUM];

/* ---- the socket ---- */

static bool
is_control_socket(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	int type = 0;

	memset(&address, 0, sizeof address);
	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return false;
	if (address.ss_family != AF_UNIX && address.ss_family != AF_INET)
		return false;
	length = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_DGRAM;
}

static void
empty_standard_input(void)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || null == STDIN_FILENO)
		return;
	dup2(null, STDIN_FILENO);
	close(null);
}

static char **
copy_environment(void)
{
	size_t count = 0;
	char **copy;

	while (environ != NULL && environ[count] != NULL)
		count++;
	copy = check_malloc((count + 1) * sizeof *copy);
	for (size_t i = 0; i < count; i++)
		copy[i] = check_strdup(environ[i]);
	copy[count] = NULL;
	return copy;
}

bool
subsystem_open(void)
{
	if (control_fd < 0) {
		if (!is_control_socket(STDIN_FILENO))
			return false;
		control_fd = os_duplicate(STDIN_FILENO, STDERR_FILENO + 1);
		if (control_fd < 0) {
			log_at(0, LOG_ERR, "SRC: cannot keep its socket: %s", strerror(errno));
			return false;
		}
		given_environment = copy_environment();
	}
	if (own_environment != NULL)
		environ = own_environment;
	own_environment = NULL;
	empty_standard_input();
	if (getpgrp() != getpid() && setpgid(0, 0) < 0)
		log_at(0, LOG_WARNING,
		    "SRC: not the leader of a process group: stopsrc -c may miss us: %s",
		    strerror(errno));
	return true;
}

bool
subsystem_is_open(void)
{
	return control_fd >= 0;
}

int
subsystem_fd(void)
{
	return control_fd;
}

void
subsystem_put_back(void)
{
	if (control_fd < 0)
		return;
	dup2(control_fd, STDIN_FILENO);
	own_environment = environ;
	environ = given_environment;
}

void
subsystem_forget(void)
{
	if (control_fd >= 0)
		close(control_fd);
	control_fd = -1;
}

/* ---- answers ---- */

static bool
is_same_requester(const struct srchdr *one, const struct srchdr *other)
{
	return memcmp(&one->retaddr, &other->retaddr, sizeof one->retaddr) == 0;
}

/* Ends the oldest of those senders; they are not yet reaped, so the pid is still ours. */
static void
end_oldest(bool of_one_requester)
{
	struct sender *oldest = NULL;

	for (size_t i = 0; i < SENDERS_MAXIMUM; i++) {
		if (senders[i].pid == 0 ||
		    (of_one_requester && !is_same_requester(&senders[i].header, &current.header)))
			continue;
		if (oldest == NULL || senders[i].number < oldest->number)
			oldest = &senders[i];
	}
	if (oldest == NULL)
		return;
	kill(oldest->pid, SIGKILL);
	oldest->pid = 0;
}

/* A free place.  Who does not read his answers has a few of them under way, and holds up nobody else. */
static struct sender *
find_place(void)
{
	size_t count = 0, of_one = 0;

	for (size_t i = 0; i < SENDERS_MAXIMUM; i++) {
		count += senders[i].pid != 0;
		of_one +=
		    senders[i].pid != 0 && is_same_requester(&senders[i].header, &current.header);
	}
	if (of_one >= SENDERS_OF_ONE)
		end_oldest(true);
	else if (count == SENDERS_MAXIMUM)
		end_oldest(false);
	for (size_t i = 0; i < SENDERS_MAXIMUM; i++) {
		if (senders[i].pid == 0)
			return &senders[i];
	}
	return NULL;
}

/* A child that may wait for somebody who does not read; 0 in the child. */
static pid_t
fork_sender(void)
{
	static unsigned long number;
	struct sender *sender = find_place();
	pid_t child;

	child = fork();
	if (child > 0) {
		*sender = (struct sender){child, number++, current.header};
	} else if (child == 0) {
		pool_close_in_child();
		signals_restore();
		environ = given_environment;
		is_sender = true;
		alarm(STATUS_SECONDS);
	}
	return child;
}

bool
subsystem_reap(pid_t pid)
{
	for (size_t i = 0; i < SENDERS_MAXIMUM; i++) {
		if (pid > 0 && senders[i].pid == pid) {
			senders[i].pid = 0;
			return true;
		}
	}
	return false;
}

/*
 * A library that does not wait for a reader who is slow has to be asked again.  Whoever asked may have
 * left, too: that is nobody's fault.
 */
static void
send_packet(struct request *request, void *packet, size_t length, unsigned short continued)
{
	int64_t until = clock_monotonic_ms() + (int64_t)SEND_SECONDS * 1000;

	if (is_sender)
		alarm(SEND_SECONDS);
	errno = 0;
	while (srcsrpy(&request->header, packet, (int)length, continued) != SRC_OK && is_sender &&
	       (errno == EAGAIN || errno == ENOBUFS) && !deadline_passed(until)) {
		poll(NULL, 0, RETRY_MS);
		errno = 0;
	}
	if (is_sender)
		alarm(STATUS_SECONDS);
}

static void
send_reply(struct request *request, short code, const char *problem)
{
	struct srcrep reply;

	memset(&reply, 0, sizeof reply);
	reply.svrreply.rtncode = code;
	reply.svrreply.objtype = SUBSYSTEM;
	text_copy(reply.svrreply.objname, sizeof reply.svrreply.objname, request->name);
	if (problem != NULL) {
		size_t length;

		text_copy(reply.svrreply.rtnmsg, sizeof reply.svrreply.rtnmsg - 1, problem);
		length = strlen(reply.svrreply.rtnmsg);
		reply.svrreply.rtnmsg[length] = '\n';
	}
	send_packet(request, &reply, sizeof reply, END);
}

static void
answer(short code, const char *problem)
{
	pid_t child = fork_sender();

	current.is_open = false;
	if (child > 0)
		return;
	if (child == 0)
		os_close_from(STDERR_FILENO + 1);
	/* without memory for a child it is sent from here: one packet seldom waits */
	send_reply(&current, code, problem);
	if (child == 0)
		_exit(0);
}

void
subsystem_answer(const char *problem)
{
	if (current.is_open)
		answer(problem == NULL ? SRC_OK : SRC_SUBMSG, problem);
}

void
subsystem_finish_answers(void)
{
	int64_t until = clock_monotonic_ms() + FINISH_MS;

	for (size_t i = 0; i < SENDERS_MAXIMUM; i++) {
		while (senders[i].pid != 0 && waitpid(senders[i].pid, NULL, WNOHANG) == 0 &&
		       !deadline_passed(until))
			poll(NULL, 0, 1);
		senders[i].pid = 0;
	}
}

static void
flush_report(struct subsystem_report *report)
{
	size_t length =
	    offsetof(struct status_packet, lines) + report->count * sizeof report->packet->lines[0];

	if (report->count == 0)
		return;
	send_packet(report->request, report->packet, length, STATCONTINUED);
	memset(report->packet, 0, report->size);
	report->count = 0;
}

void
subsystem_say_more_follows(struct subsystem_report *report)
{
	flush_report(report);
}

static struct statcode *
add_line(struct subsystem_report *report)
{
	struct statcode *line;

	if (report->count == report->capacity)
		flush_report(report);
	line = &report->packet->lines[report->count++];
	line->objtype = SUBSYSTEM;
	line->status = SRCACT;
	return line;
}

/* As much of a text as a line takes, to the last blank when there is one. */
static size_t
line_length(const char *text, size_t room)
{
	size_t length = strlen(text), at;

	if (length <= room)
		return length;
	for (at = room; at > room / 2; at--) {
		if (text[at] == ' ')
			return at;
	}
	return room;
}

void
subsystem_say(struct subsystem_report *report, const char *name, const char *format, ...)
{
	struct str text = {0};
	va_list arguments;
	const char *rest;

	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	rest = str_text(&text);
	do {
		struct statcode *line = add_line(report);
		size_t length = line_length(rest, sizeof line->objtext - 1);

		text_copy(line->objname, sizeof line->objname, name);
		memcpy(line->objtext, rest, length);
		rest += length;
		rest += strspn(rest, " ");
		name = "";
	} while (*rest != '\0');
	str_free(&text);
}

/* Where a word of the heading begins; behind `from`. */
static size_t
next_column(const char *heading, size_t from)
{
	from += strcspn(heading + from, " ");
	return from + strspn(heading + from, " ");
}

/* Puts a text at a column, or a blank behind what is there. */
static void
put_at(char *line, size_t size, size_t column, const char *text)
{
	size_t length = strlen(line);

	if (length > 0 && column <= length)
		column = length + 1;
	snprintf(line + length, size - length, "%*s%s", (int)(column - length), "", text);
}

/* The two lines that lssrc shows without -l: a heading, and what we are, below its words: group, pid, status. */
static void
say_who(struct subsystem_report *report, pid_t pid)
{
	struct statcode *heading = add_line(report), *line;
	size_t pid_column, status_column;
	char number[24];

	srcstathdr(heading->objname, heading->objtext);
	heading->objname[sizeof heading->objname - 1] = '\0';
	heading->objtext[sizeof heading->objtext - 1] = '\0';
	line = add_line(report);
	text_copy(line->objname, sizeof line->objname, report->request->name);
	snprintf(number, sizeof number, "%ld", (long)pid);
	/* the group stands in the object, which SRC alone reads */
	pid_column = next_column(heading->objtext, 0);
	status_column = next_column(heading->objtext, pid_column);
	put_at(line->objtext, sizeof line->objtext, pid_column, number);
	put_at(line->objtext, sizeof line->objtext, status_column, "active");
}

void
subsystem_answer_status(void (*compose)(void *context, struct subsystem_report *), void *context)
{
	struct subsystem_report report = {.request = &current, .size = SRCPKTMAX};
	pid_t self = getpid(), child = fork_sender();

	check(current.is_open);
	current.is_open = false;
	if (child > 0)
		return;
	if (child < 0) {
		send_reply(&current, SRC_SUBMSG, strerror(errno));
		return;
	}
	report.packet = check_malloc(report.size);
	memset(report.packet, 0, report.size);
	report.capacity =
	    (report.size - offsetof(struct status_packet, lines)) / sizeof report.packet->lines[0];
	say_who(&report, self);
	if (compose != NULL)
		compose(context, &report);
	flush_report(&report);
	send_packet(&current, &report.packet->header, sizeof report.packet->header, END);
	_exit(0);
}

/* ---- requests ---- */

struct row {
	short action, parm1, parm2;
	bool any_parm1, any_parm2;
	enum subsystem_action meaning;
};

static const struct row rows[] = {
    {STOP, NORMAL, 0, false, true, SUBSYSTEM_STOP_GENTLY},
    {STOP, FORCED, 0, false, true, SUBSYSTEM_STOP_NOW},
    {STOP, CANCEL, 0, false, true, SUBSYSTEM_STOP_NOW}, /* SRC itself does that by signals */
    {REFRESH, 0, 0, true, true, SUBSYSTEM_RELOAD},
    {STATUS, LONGSTAT, 0, false, true, SUBSYSTEM_DESCRIBE},
    {TRACE, 0, TRACEOFF, true, false, SUBSYSTEM_TRACE_OFF},
    {TRACE, SHORTTRACE, TRACEON, false, false, SUBSYSTEM_TRACE_SHORT},
    {TRACE, LONGTRACE, TRACEON, false, false, SUBSYSTEM_TRACE_LONG},
};

static enum subsystem_action
find_meaning(const struct subreq *request)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].action == request->action &&
		    (rows[i].any_parm1 || rows[i].parm1 == request->parm1) &&
		    (rows[i].any_parm2 || rows[i].parm2 == request->parm2))
			return rows[i].meaning;
	}
	return SUBSYSTEM_NONE;
}

/* Something is wrong with what comes: once a minute is enough to know it. */
static void
complain(const char *what, long detail)
{
	static int64_t silent_until_ms;

	if (silent_until_ms != 0 && !deadline_passed(silent_until_ms))
		return;
	silent_until_ms = deadline_in(COMPLAINT_SECONDS);
	log_at(3, LOG_WARNING, "SRC: %s (%ld)", what, detail);
}

union packet {
	struct srcreq request;
	char bytes[SRCPKTMAX + 1];
};

/* Bytes read; 0: nothing of use. */
static size_t
receive(union packet *packet)
{
	static int errors;
	struct pollfd wait = {.fd = control_fd, .events = POLLIN};
	ssize_t got;

	/* the socket is SRC's as well, so it is not made non-blocking */
	if (control_fd < 0 || poll(&wait, 1, 0) <= 0)
		return 0;
	memset(packet, 0, sizeof *packet);
	got = recvfrom(control_fd, packet->bytes, sizeof packet->bytes, 0, NULL, NULL);
	if (got >= 0) {
		errors = 0;
		return (size_t)got;
	}
	if (errno == EINTR || errno == EAGAIN)
		return 0;
	complain(strerror(errno), errno);
	if (++errors >= ERRORS_MAXIMUM) {
		log_at(0, LOG_ERR, "SRC: its socket fails: mail goes on without SRC");
		subsystem_forget();
	}
	return 0;
}

enum subsystem_action
subsystem_read(void)
{
	static union packet packet;
	const struct subreq *request = &packet.request.subreq;
	enum subsystem_action action;
	size_t got = receive(&packet);

	check(!current.is_open);
	if (got == 0)
		return SUBSYSTEM_NONE;
	if (got < offsetof(struct srcreq, subreq.objname) || got > SRCPKTMAX) {
		complain("a packet of this many bytes is no request", (long)got);
		return SUBSYSTEM_NONE;
	}
	packet.request.subreq.objname[sizeof packet.request.subreq.objname - 1] = '\0';
	srcrrqs_r(packet.bytes, &current.header);
	text_copy(current.name, sizeof current.name,
	    request->objname[0] != '\0' ? request->objname : default_name);
	current.is_open = true;
	action = find_meaning(request);
	/* who sends less than a request may mean another one than the one that arrived */
	if (got < offsetof(struct srcreq, subreq) + sizeof packet.request.subreq)
		answer(SRC_SUBMSG, "the request is cut off");
	else if (request->object != SUBSYSTEM)
		answer(SRC_SUBMSG, "sendmail has no subservers");
	else if (request->action == STATUS && request->parm1 == SHORTSTAT)
		subsystem_answer_status(NULL, NULL);
	else if (action == SUBSYSTEM_NONE)
		answer(SRC_SUBICMD, "sendmail does not know this request");
	else
		return action;
	return SUBSYSTEM_NONE;
}
