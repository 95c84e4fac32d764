/* libsrc: the calls of AIX's libsrc that a subsystem and the commands use, over the emulator's sockets. */
#include "emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct srchdr *
srcrrqs_r(char *packet, struct srchdr *header)
{
	memcpy(header, packet, sizeof *header);
	return header;
}

struct srchdr *
srcrrqs(char *packet)
{
	static struct srchdr header;

	return srcrrqs_r(packet, &header);
}

int
srcsrpy(struct srchdr *header, char *reply, int length, unsigned short cont)
{
	char own[EMULATOR_PATH], to[sizeof header->retaddr.sun_path + 1];
	const char *manner =
	    getenv("SRC_EMU_REPLY"); /* drop: nothing is sent; nonblock: nobody is waited for */
	struct srchdr out = *header;
	bool sent;
	int fd, error;

	if (length != (int)sizeof(short) &&
	    (length < (int)sizeof(struct srchdr) || length > SRCPKTMAX))
		return SRC_EMU_NOT_PASSED;
	memcpy(to, header->retaddr.sun_path, sizeof header->retaddr.sun_path);
	to[sizeof to - 1] = '\0';
	if (header->retaddr.sun_family != AF_UNIX || to[0] == '\0')
		return SRC_EMU_NOT_PASSED;
	fd = emulator_bind(own, NULL);
	if (fd < 0)
		return SRC_EMU_NOT_PASSED;
	out.cont = (short)cont;
	if (length >= (int)sizeof out)
		memcpy(reply, &out, sizeof out);
	if (manner != NULL && strcmp(manner, "nonblock") == 0)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	sent = (manner != NULL && strcmp(manner, "drop") == 0) ||
	       emulator_send(fd, to, reply, (size_t)length);
	error = errno;
	close(fd);
	unlink(own);
	errno = error;
	return sent ? SRC_OK : SRC_EMU_NOT_PASSED;
}

void
srcstathdr(char *title1, char *title2)
{
	strcpy(title1, "Subsystem");
	strcpy(title2, "Group            PID          Status");
}

char *
srcstattxt_r(short status, char *text, size_t size)
{
	snprintf(text, size, "%s",
	    status == SRCACT	? "active"
	    : status == SRCINOP ? "inoperative"
	    : status == SRCWARN ? "warned to stop"
	    : status == SRCSTPG ? "stopping"
				: "unknown");
	return text;
}

char *
srcstattxt(short status)
{
	static char text[32];

	return srcstattxt_r(status, text, sizeof text);
}

int
src_err_msg_r(int error, char **text)
{
	const char *words = error == SRC_NONAME		   ? "is not on file"
			    : error == SRC_EMU_INOPERATIVE ? "is currently inoperative"
			    : error == SRC_EMU_ACTIVE	   ? "is already active"
			    : error == SRC_EMU_SIGNALS	   ? "only supports signal communication"
			    : error == SRC_EMU_NOT_PASSED  ? "the request could not be passed"
			    : error == SRC_EMU_TIMED_OUT   ? "timeout waiting for command response"
			    : error == SRC_SUBICMD	   ? "an unknown request"
							   : "an error";

	*text = strdup(words);
	return *text != NULL ? 0 : -1;
}

int
src_err_msg(int error, char **text)
{
	return src_err_msg_r(error, text);
}

/* ---- requests ---- */

/* *handle is the socket on which the rest of an answer comes. */
static int
receive(int fd, short *length, char *reply, int *cont)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct srchdr header;
	ssize_t got;

	if (poll(&wait, 1, emulator_timeout_ms()) <= 0)
		return SRC_EMU_TIMED_OUT;
	got = recv(fd, reply, (size_t)*length, 0);
	if (got < (ssize_t)sizeof header)
		return SRC_EMU_NOT_PASSED;
	emulator_record("S->C", reply, (size_t)got, false);
	memcpy(&header, reply, sizeof header);
	*length = (short)got;
	*cont = header.cont;
	return SRC_OK;
}

static void
finish(int *handle)
{
	struct sockaddr_un own;
	socklen_t size = sizeof own;

	if (getsockname(*handle, (struct sockaddr *)&own, &size) == 0)
		unlink(own.sun_path);
	close(*handle);
	*handle = -1;
}

int
srcsrqt_r(char *host, char *name, int pid, short request_length, char *request, short *reply_length,
    char *reply, int start_it_also, int *cont, int *handle)
{
	char own[EMULATOR_PATH], to[EMULATOR_PATH], packet[EMULATOR_REQUEST];
	struct srchdr header;
	int result = SRC_OK;

	(void)host;
	(void)name;
	(void)pid;
	(void)start_it_also;
	if (*cont == NEWREQUEST) {
		if ((size_t)request_length + sizeof header > sizeof packet)
			return SRC_EMU_NOT_PASSED;
		*handle = emulator_bind(own, NULL);
		if (*handle < 0)
			return SRC_EMU_NOT_PASSED;
		memset(&header, 0, sizeof header);
		header.cont = NEWREQUEST;
		header.dversion = 1;
		memcpy(packet, &header, sizeof header);
		memcpy(packet + sizeof header, request, (size_t)request_length);
		emulator_path(to, "SRC");
		if (!emulator_send(*handle, to, packet, sizeof header + (size_t)request_length))
			result = SRC_EMU_NOT_PASSED;
	}
	if (result == SRC_OK)
		result = receive(*handle, reply_length, reply, cont);
	if (result != SRC_OK || *cont == END)
		finish(handle);
	return result;
}

static int only_handle = -1;

int
srcsrqt(char *host, char *name, int pid, short request_length, char *request, short *reply_length,
    char *reply, int start_it_also, int *cont)
{
	return srcsrqt_r(host, name, pid, request_length, request, reply_length, reply,
	    start_it_also, cont, &only_handle);
}

int
srcstat_r(char *host, char *name, int pid, short *length, void *statrep, int *cont, int *handle)
{
	struct subreq request = {.object = SUBSYSTEM, .action = STATUS, .parm1 = SHORTSTAT};

	snprintf(request.objname, sizeof request.objname, "%s", name != NULL ? name : "");
	if (name == NULL)
		snprintf(request.objname, sizeof request.objname, "%d", pid);
	return srcsrqt_r(
	    host, name, pid, sizeof request, (char *)&request, length, statrep, 0, cont, handle);
}

int
srcstat(char *host, char *name, int pid, short *length, void *statrep, int *cont)
{
	return srcstat_r(host, name, pid, length, statrep, cont, &only_handle);
}

/* Status as text: the lines of one packet, malloc'd. */
static char *
status_text(const char *reply, size_t length)
{
	size_t lines = (length - offsetof(struct statrep, statcode)) / sizeof(struct statcode),
	       size = 0;
	char *text = malloc(lines * (sizeof(struct statcode) + 24) + 1);

	if (text == NULL)
		return NULL;
	text[0] = '\0';
	for (size_t i = 0; i < lines; i++) {
		struct statcode line;

		memcpy(&line, reply + offsetof(struct statrep, statcode) + i * sizeof line,
		    sizeof line);
		/* the heading is not shifted */
		size += (size_t)sprintf(text + size, "%s%-*.*s%.*s\n",
		    strcmp(line.objname, "Subsystem") == 0 ? "" : " ",
		    strcmp(line.objname, "Subsystem") == 0 ? 18 : 17, (int)sizeof line.objname,
		    line.objname, (int)sizeof line.objtext, line.objtext);
	}
	return text;
}

int
srcsbuf_r(char *host, short type, char *name, char *object, int pid, short parm1, int version,
    char **status, int *cont, int *handle)
{
	struct subreq request = {.object = type, .action = STATUS, .parm1 = parm1};
	char reply[SRCPKTMAX];
	short length = sizeof reply;
	struct srcrep error;
	int result;

	(void)version;
	snprintf(request.objname, sizeof request.objname, "%s",
	    object != NULL && *object != '\0' ? object
	    : name != NULL		      ? name
					      : "");
	result = srcsrqt_r(
	    host, name, pid, sizeof request, (char *)&request, &length, reply, 0, cont, handle);
	*status = NULL;
	if (result != SRC_OK)
		return result;
	if (*cont == END && length == (short)sizeof error) {
		memcpy(&error, reply, sizeof error);
		if (error.svrreply.rtncode == SRC_SUBMSG)
			*status = strndup(error.svrreply.rtnmsg, sizeof error.svrreply.rtnmsg);
		return error.svrreply.rtncode;
	}
	*status = status_text(reply, (size_t)length);
	return SRC_OK;
}

int
srcsbuf(char *host, short type, char *name, char *object, int pid, short parm1, int version,
    char **status, int *cont)
{
	return srcsbuf_r(host, type, name, object, pid, parm1, version, status, cont, &only_handle);
}

int
srcstrt(char *host, char *name, char *environment, char *arguments, int restart, int *pid)
{
	struct subreq request = {.object = SUBSYSTEM, .action = START};
	char packet[2000];
	size_t at = sizeof request;
	struct srcrep reply;
	short length = sizeof reply;
	int result, cont = NEWREQUEST;

	(void)restart;
	if (arguments == NULL)
		arguments = "";
	if (environment == NULL)
		environment = "";
	if (at + strlen(arguments) + strlen(environment) + 2 > sizeof packet)
		return SRC_EMU_NOT_PASSED;
	snprintf(request.objname, sizeof request.objname, "%s", name);
	memcpy(packet, &request, sizeof request);
	memcpy(packet + at, arguments, strlen(arguments) + 1);
	at += strlen(arguments) + 1;
	memcpy(packet + at, environment, strlen(environment) + 1);
	at += strlen(environment) + 1;
	result = srcsrqt(host, name, 0, (short)at, packet, &length, (char *)&reply, 0, &cont);
	if (result != SRC_OK)
		return result;
	*pid = atoi(reply.svrreply.rtnmsg);
	return reply.svrreply.rtncode;
}

int
srcstop(char *host, char *name, int pid, short how, char *message, size_t size)
{
	struct subreq request = {.object = SUBSYSTEM, .action = STOP, .parm1 = how};
	struct srcrep reply;
	short length = sizeof reply;
	int result, cont = NEWREQUEST;

	snprintf(request.objname, sizeof request.objname, "%s", name);
	result = srcsrqt(
	    host, name, pid, sizeof request, (char *)&request, &length, (char *)&reply, 0, &cont);
	if (result != SRC_OK)
		return result;
	snprintf(message, size, "%.*s", (int)sizeof reply.svrreply.rtnmsg, reply.svrreply.rtnmsg);
	return reply.svrreply.rtncode;
}
