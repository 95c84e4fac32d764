/*
 * srcprobe: packets that no command sends, straight to a subsystem's socket.
 *
 *   srcprobe [-l LENGTH] [-n TIMES] [-w MS] [-q] [-g] SUBSYSTEM ACTION OBJECT PARM1 PARM2 [NAME]
 *
 * -w waits that long for an answer (1500).  -l sends that many bytes of the request, or garbage behind it; -n sends it so often; -q never
 * reads an answer, -g is gone before there is one.  Prints the answers that come, until END or none comes.
 */
#include "emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
find_socket(const char *subsystem, char socket_path[EMULATOR_PATH])
{
	char path[EMULATOR_PATH], name[64];
	bool found = false;
	long pid;
	int stopped;
	FILE *file;

	emulator_path(path, "state");
	file = fopen(path, "re");
	while (file != NULL && !found &&
	       fscanf(file, "%63s %ld %107s %d", name, &pid, socket_path, &stopped) == 4)
		found = strcmp(name, subsystem) == 0;
	if (file != NULL)
		fclose(file);
	return found;
}

static bool
is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void
print_status(const char *packet, size_t length)
{
	size_t at = offsetof(struct statrep, statcode);

	for (; at + sizeof(struct statcode) <= length; at += sizeof(struct statcode)) {
		struct statcode line;

		memcpy(&line, packet + at, sizeof line);
		printf("stat %s|%.*s|%.*s|%s\n", emulator_name(line.objtype, "o"),
		    (int)sizeof line.objname, line.objname, (int)sizeof line.objtext, line.objtext,
		    is_terminated(line.objname, sizeof line.objname) &&
			    is_terminated(line.objtext, sizeof line.objtext)
			? "terminated"
			: "NOT TERMINATED");
	}
	if (at != length)
		printf("stat WRONG LENGTH\n");
}

/* True when it was the last one. */
static bool
print_answer(const char *packet, size_t length)
{
	struct srcrep reply;

	if (length < sizeof reply.srchdr) {
		printf("short %zu\n", length);
		return false;
	}
	memset(&reply, 0, sizeof reply);
	memcpy(&reply, packet, length < sizeof reply ? length : sizeof reply);
	printf("packet %zu %s\n", length, emulator_name(reply.srchdr.cont, "c"));
	if (length == sizeof reply && reply.srchdr.cont != STATCONTINUED)
		printf("reply %s %s|%.*s|%.*s%s", emulator_name(reply.svrreply.rtncode, "e"),
		    emulator_name(reply.svrreply.objtype, "o"), (int)sizeof reply.svrreply.objname,
		    reply.svrreply.objname, (int)sizeof reply.svrreply.rtnmsg,
		    reply.svrreply.rtnmsg,
		    is_terminated(reply.svrreply.rtnmsg, sizeof reply.svrreply.rtnmsg)
			? reply.svrreply.rtnmsg[0] != '\0' ? "" : "\n"
			: "NOT TERMINATED\n");
	else
		print_status(packet, length);
	return reply.srchdr.cont == END;
}

int
main(int argc, char **argv)
{
	static char packet[256 * 1024], answer[2 * SRCPKTMAX];
	char own[EMULATOR_PATH], to[EMULATOR_PATH];
	struct srcreq request;
	long length = sizeof request, times = 1;
	bool is_quiet = false, is_gone = false;
	int fd, letter, ended = 0, wait_ms = 1500;

	while ((letter = getopt(argc, argv, "l:n:w:qg")) != -1) {
		if (letter == 'l')
			length = atol(optarg);
		else if (letter == 'n')
			times = atol(optarg);
		else if (letter == 'w')
			wait_ms = atoi(optarg);
		else if (letter == 'q')
			is_quiet = true;
		else
			is_gone = true;
	}
	if (argc - optind == 1 && strcmp(argv[optind], "sizes") == 0) {
		printf("%zu %zu %zu %d\n", sizeof(struct srchdr),
		    offsetof(struct srcreq, subreq.objname), sizeof request, SRCPKTMAX);
		return 0;
	}
	if (argc - optind < 5 || length > (long)sizeof packet || !find_socket(argv[optind], to))
		return 1;
	fd = emulator_bind(own, NULL);
	memset(&request, 0, sizeof request);
	emulator_set_address(&request.srchdr.retaddr, own);
	request.srchdr.dversion = 1;
	request.srchdr.cont = END;
	request.subreq.action = (short)emulator_value(argv[optind + 1]);
	request.subreq.object = (short)emulator_value(argv[optind + 2]);
	request.subreq.parm1 = (short)emulator_value(argv[optind + 3]);
	request.subreq.parm2 = (short)emulator_value(argv[optind + 4]);
	if (argc - optind > 5)
		snprintf(
		    request.subreq.objname, sizeof request.subreq.objname, "%s", argv[optind + 5]);
	memset(packet, 0x5a, sizeof packet);
	memcpy(packet, &request, sizeof request);
	for (long i = 0; i < times; i++) {
		if (!emulator_send(fd, to, packet, (size_t)length)) {
			printf("cannot send: %s\n", strerror(errno));
			break;
		}
		if (is_gone)
			unlink(own);
	}
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		/* after the last one there must be none, which takes a moment to see */
		if (is_quiet || is_gone || poll(&wait, 1, ended ? wait_ms / 7 : wait_ms) <= 0)
			break;
		got = recv(fd, answer, sizeof answer, 0);
		if (got >= 0 && print_answer(answer, (size_t)got))
			ended++;
	}
	if (is_quiet)
		pause();
	unlink(own);
	return 0;
}
