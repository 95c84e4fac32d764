/*
 * srcmstr: the emulator's master.  One process: requests on $SRC_EMU_DIR/SRC, deaths by SIGCHLD.  It
 * never helps a subsystem: no wait until it is ready, no second attempt.
 *
 * Faults, for one request each, are words in $SRC_EMU_DIR/fault: duplicate, truncate=N, garbage, unlink
 * (of the requester's socket), retaddr100, dversion; at a start: fd0=closed|file|stream, noleader, bare.
 */
#include "emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { INSTANCES = 32, WORDS = 128 };

struct instance {
	pid_t pid; /* 0: free */
	struct SRCsubsys object;
	char socket[EMULATOR_PATH], arguments[1201], environment[1201];
	bool stop_requested, is_adopted; /* by a srcmstr that was started later */
	time_t restarts[2];
};

static struct instance instances[INSTANCES];
static struct {
	pid_t group; /* 0: free */
	time_t when;
} cancels[INSTANCES];
static int wake[2], control;

/* ---- notes ---- */

static void
log_error(const char *what, const struct instance *instance, int status)
{
	char path[EMULATOR_PATH];
	FILE *file;

	emulator_path(path, "errlog");
	file = fopen(path, "ae");
	if (file == NULL)
		return;
	fprintf(file, "%s %s %ld %s %d\n", what, instance->object.subsysname, (long)instance->pid,
	    WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fclose(file);
}

/* For the srcmstr after us. */
static void
save_state(void)
{
	char path[EMULATOR_PATH], new_path[EMULATOR_PATH];
	FILE *file;

	emulator_path(path, "state");
	emulator_path(new_path, "state.new");
	file = fopen(new_path, "we");
	if (file == NULL)
		return;
	for (int i = 0; i < INSTANCES; i++) {
		if (instances[i].pid != 0)
			fprintf(file, "%s %ld %s %d\n", instances[i].object.subsysname,
			    (long)instances[i].pid, instances[i].socket,
			    instances[i].stop_requested);
	}
	fclose(file);
	rename(new_path, path);
}

static void
load_state(void)
{
	char path[EMULATOR_PATH], name[64], socket_path[EMULATOR_PATH];
	static struct emulator_objects objects;
	int stopped, count = 0;
	long pid;
	FILE *file;

	emulator_read_objects(&objects);
	emulator_path(path, "state");
	file = fopen(path, "re");
	while (file != NULL && count < INSTANCES &&
	       fscanf(file, "%63s %ld %107s %d", name, &pid, socket_path, &stopped) == 4) {
		struct SRCsubsys *object = emulator_find_object(&objects, name);

		if (object == NULL || kill((pid_t)pid, 0) < 0)
			continue;
		instances[count] = (struct instance){.pid = (pid_t)pid,
		    .object = *object,
		    .stop_requested = stopped != 0,
		    .is_adopted = true};
		memcpy(instances[count++].socket, socket_path, sizeof socket_path);
	}
	if (file != NULL)
		fclose(file);
}

/* The value of a fault ("" without one), or NULL when it is not ordered. */
static const char *
find_fault(const char *name, const char *all)
{
	static char value[32];
	const char *at = strstr(all, name);
	size_t length = strlen(name);

	if (at == NULL)
		return NULL;
	value[0] = '\0';
	if (at[length] == '=')
		snprintf(value, sizeof value, "%.*s", (int)strcspn(at + length + 1, " \n"),
		    at + length + 1);
	return value;
}

static void
take_faults(char *faults, size_t size)
{
	char path[EMULATOR_PATH];
	FILE *file;
	size_t got = 0;

	emulator_path(path, "fault");
	file = fopen(path, "re");
	if (file != NULL) {
		got = fread(faults, 1, size - 1, file);
		fclose(file);
		unlink(path);
	}
	faults[got] = '\0';
}

/* ---- answers ---- */

static void
reply_text(struct srcreq *request, int code, const char *name, const char *text)
{
	struct srcrep reply;

	memset(&reply, 0, sizeof reply);
	reply.svrreply.rtncode = (short)code;
	reply.svrreply.objtype = SUBSYSTEM;
	snprintf(reply.svrreply.objname, sizeof reply.svrreply.objname, "%s", name);
	snprintf(reply.svrreply.rtnmsg, sizeof reply.svrreply.rtnmsg, "%s", text);
	srcsrpy(&request->srchdr, (char *)&reply, sizeof reply, END);
}

static void
add_status(struct statcode *line, const struct SRCsubsys *object, const struct instance *instance)
{
	char pid[16] = "", status[32];

	line->objtype = SUBSYSTEM;
	line->status = instance == NULL ? SRCINOP : instance->stop_requested ? SRCSTPG : SRCACT;
	if (instance != NULL)
		snprintf(pid, sizeof pid, "%ld", (long)instance->pid);
	snprintf(line->objname, sizeof line->objname, "%s", object->subsysname);
	snprintf(line->objtext, sizeof line->objtext, "%-17.17s%-13s%s", object->grpname, pid,
	    srcstattxt_r(line->status, status, sizeof status));
}

static struct instance *
find_instance(const char *name)
{
	for (int i = 0; i < INSTANCES; i++) {
		if (instances[i].pid != 0 && strcmp(instances[i].object.subsysname, name) == 0)
			return &instances[i];
	}
	return NULL;
}

static bool
is_asked_for(const struct SRCsubsys *object, const char *name)
{
	if (strcmp(name, SRCALLSUBSYS) == 0)
		return true;
	if (strncmp(name, SRCGROUP, strlen(SRCGROUP)) == 0)
		return strcmp(object->grpname, name + strlen(SRCGROUP)) == 0;
	return strcmp(object->subsysname, name) == 0 || strcmp(object->synonym, name) == 0;
}

static void
short_status(struct srcreq *request)
{
	static struct emulator_objects objects;
	static char packet[SRCPKTMAX];
	struct statcode *lines =
	    (struct statcode *)(void *)(packet + offsetof(struct statrep, statcode));
	size_t count = 1, most = (SRCPKTMAX - offsetof(struct statrep, statcode)) / sizeof *lines;

	memset(packet, 0, sizeof packet);
	srcstathdr(lines[0].objname, lines[0].objtext);
	emulator_read_objects(&objects);
	for (int i = 0; i < objects.count && count < most; i++) {
		const struct SRCsubsys *object = &objects.items[i];

		if (is_asked_for(object, request->subreq.objname))
			add_status(&lines[count++], object, find_instance(object->subsysname));
	}
	if (count == 1)
		reply_text(request, SRC_NONAME, request->subreq.objname, "");
	else
		srcsrpy(&request->srchdr, packet,
		    (int)(offsetof(struct statrep, statcode) + count * sizeof *lines), END);
}

/* ---- start ---- */

static void
open_output(const char *path, int fd)
{
	int opened = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (opened < 0)
		opened = open("/dev/null", O_WRONLY);
	if (opened >= 0 && opened != fd) {
		dup2(opened, fd);
		close(opened);
	}
}

static void
set_input(int socket_fd, const char *faults)
{
	const char *kind = find_fault("fd0", faults);
	int pair[2], file;

	if (kind == NULL) {
		if (socket_fd >= 0)
			dup2(socket_fd, 0);
		return;
	}
	if (strcmp(kind, "closed") == 0) {
		close(0);
	} else if (strcmp(kind, "file") == 0) {
		file = open("/etc/passwd", O_RDONLY);
		dup2(file, 0);
	} else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
		dup2(pair[0], 0);
	}
}

/* All that the specification leaves open, and that whoever starts a program can do to it. */
static void
make_bare(void)
{
	struct rlimit few = {64, 4096};
	sigset_t all;

	fcntl(0, F_SETFL, O_NONBLOCK);
	close(1);
	close(2);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setrlimit(RLIMIT_NOFILE, &few);
	umask(0777);
	alarm(2);
}

static void
become_subsystem(const struct instance *instance, int socket_fd, const char *faults)
{
	static char arguments[4096], environment[2048];
	const struct SRCsubsys *object = &instance->object;
	char *words[WORDS], *settings[WORDS], joined[4096];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (find_fault("noleader", faults) == NULL)
		setpgid(0, 0);
	set_input(socket_fd, faults);
	open_output(object->standout, 1);
	open_output(object->standerr, 2);
	setpriority(PRIO_PROCESS, 0, object->priority - 20);
	if (geteuid() == 0 && object->uid != 0 && setuid((uid_t)object->uid) < 0)
		_exit(1);
	emulator_split(instance->environment, environment, sizeof environment, settings, WORDS);
	for (int i = 0; settings[i] != NULL; i++)
		putenv(settings[i]);
	snprintf(joined, sizeof joined, "%s %s", object->cmdargs, instance->arguments);
	words[0] = (char *)(size_t)object->path;
	emulator_split(joined, arguments, sizeof arguments, words + 1, WORDS - 1);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	if (find_fault("bare", faults) != NULL)
		make_bare();
	execv(object->path, words);
	_exit(127);
}

static bool
launch(struct instance *instance, const char *faults)
{
	static unsigned number;
	char name[64];
	int fd = -1;

	if (instance->object.contact == SRCSOCKET) {
		snprintf(name, sizeof name, "S%ld.%u", (long)getpid(), number++);
		fd = emulator_bind(instance->socket, name);
	}
	instance->is_adopted = instance->stop_requested = false;
	instance->pid = fork();
	if (instance->pid == 0)
		become_subsystem(instance, fd, faults);
	if (fd >= 0)
		close(fd);
	if (instance->pid < 0)
		instance->pid = 0;
	save_state();
	return instance->pid != 0;
}

/* Behind the request: arguments, then environment. */
static void
take_strings(struct instance *instance, const char *bytes, size_t length)
{
	size_t first = strnlen(bytes, length);

	snprintf(instance->arguments, sizeof instance->arguments, "%.*s", (int)first, bytes);
	if (first < length)
		snprintf(instance->environment, sizeof instance->environment, "%.*s",
		    (int)(length - first - 1), bytes + first + 1);
}

static void
start(struct srcreq *request, size_t length, const struct SRCsubsys *object, const char *faults)
{
	const char *name = object->subsysname;
	struct instance *instance = NULL;
	char pid[16];

	if (find_instance(name) != NULL && object->multi == SRCNO) {
		reply_text(request, SRC_EMU_ACTIVE, name, "");
		return;
	}
	for (int i = 0; i < INSTANCES && instance == NULL; i++)
		instance = instances[i].pid == 0 ? &instances[i] : NULL;
	if (instance == NULL) {
		reply_text(request, SRC_EMU_NOT_PASSED, name, "");
		return;
	}
	*instance = (struct instance){.object = *object};
	if (length > sizeof *request)
		take_strings(instance, (const char *)(request + 1), length - sizeof *request);
	if (!launch(instance, faults)) {
		reply_text(request, SRC_EMU_NOT_PASSED, name, "");
		return;
	}
	snprintf(pid, sizeof pid, "%ld", (long)instance->pid);
	reply_text(request, SRC_OK, name, pid);
}

/* ---- death ---- */

static void
run_method(const struct instance *instance)
{
	char method[256];

	if (!emulator_find_method(instance->object.subsysname, method, sizeof method) &&
	    !emulator_find_method(instance->object.grpname, method, sizeof method))
		return;
	if (fork() == 0) {
		execl(method, method, instance->object.subsysname, (char *)NULL);
		_exit(127);
	}
}

static bool
may_respawn(struct instance *instance)
{
	time_t now = time(NULL);

	if (instance->object.action != RESPAWN)
		return false;
	for (int i = 0; i < 2; i++) {
		if (instance->restarts[i] == 0 ||
		    now - instance->restarts[i] > instance->object.waittime) {
			instance->restarts[i] = now;
			return true;
		}
	}
	return false;
}

static void
bury(struct instance *instance, int status)
{
	char text[96];

	snprintf(text, sizeof text, "end %s %ld %s %d", instance->object.subsysname,
	    (long)instance->pid, WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	emulator_note(text);
	unlink(instance->socket);
	if (instance->stop_requested) {
		instance->pid = 0;
	} else if (may_respawn(instance)) {
		log_error("respawn", instance, status);
		launch(instance, "");
	} else {
		log_error("abnormal", instance, status);
		run_method(instance);
		instance->pid = 0;
	}
	save_state();
}

static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < INSTANCES; i++) {
			if (instances[i].pid == pid)
				bury(&instances[i], status);
		}
	}
	/* those of an earlier srcmstr are nobody's children of ours */
	for (int i = 0; i < INSTANCES; i++) {
		if (instances[i].pid != 0 && instances[i].is_adopted &&
		    kill(instances[i].pid, 0) < 0)
			bury(&instances[i], 0);
	}
	for (int i = 0; i < INSTANCES; i++) {
		if (cancels[i].group != 0 && time(NULL) >= cancels[i].when) {
			kill(-cancels[i].group, SIGKILL);
			cancels[i].group = 0;
		}
	}
}

static void
cancel(struct srcreq *request, struct instance *instance)
{
	instance->stop_requested = true;
	kill(-instance->pid, SIGTERM);
	for (int i = 0; i < INSTANCES; i++) {
		if (cancels[i].group == 0) {
			cancels[i].group = instance->pid;
			cancels[i].when = time(NULL) + instance->object.waittime;
			break;
		}
	}
	save_state();
	reply_text(request, SRC_OK, instance->object.subsysname, "");
}

/* ---- what the subsystem itself answers ---- */

static void
forward(struct srcreq *request, size_t length, struct instance *instance, const char *faults)
{
	const char *value = find_fault("truncate", faults), *name = instance->object.subsysname;
	int times = find_fault("duplicate", faults) != NULL ? 2 : 1;
	char requester[sizeof request->srchdr.retaddr.sun_path];

	memcpy(requester, request->srchdr.retaddr.sun_path, sizeof requester);
	request->srchdr.cont = END;
	snprintf(request->subreq.objname, sizeof request->subreq.objname, "%s", name);
	if (value != NULL && (size_t)atoi(value) < length)
		length = (size_t)atoi(value);
	if (find_fault("garbage", faults) != NULL)
		memset(&request->subreq, 0xa5, sizeof request->subreq);
	if (find_fault("dversion", faults) != NULL)
		request->srchdr.dversion = 31000;
	if (find_fault("retaddr100", faults) != NULL) {
		char longer[101];

		memset(longer, 'x', sizeof longer);
		memcpy(longer, "/tmp/", 5);
		longer[sizeof longer - 1] = '\0';
		emulator_set_address(&request->srchdr.retaddr, longer);
	}
	if (find_fault("unlink", faults) != NULL)
		unlink(requester);
	while (times-- > 0) {
		emulator_record("M->S", request, length, true);
		if (!emulator_send(control, instance->socket, request, length))
			reply_text(request, SRC_EMU_NOT_PASSED, name, "");
	}
}

static void
stop_by_signal(struct srcreq *request, struct instance *instance)
{
	const struct SRCsubsys *object = &instance->object;

	instance->stop_requested = true;
	kill(instance->pid, request->subreq.parm1 == FORCED ? object->sigforce : object->signorm);
	save_state();
	reply_text(request, SRC_OK, object->subsysname, "");
}

static void
pass_on(struct srcreq *request, size_t length, const struct SRCsubsys *object, const char *faults)
{
	struct instance *instance = find_instance(object->subsysname);
	const struct subreq *sub = &request->subreq;
	bool is_stop = sub->action == STOP && sub->object == SUBSYSTEM;

	if (instance == NULL)
		reply_text(request, SRC_EMU_INOPERATIVE, object->subsysname, "");
	else if (is_stop && sub->parm1 == CANCEL)
		cancel(request, instance);
	else if (is_stop && instance->object.contact == SRCSIGNAL)
		stop_by_signal(request, instance);
	else if (instance->object.contact == SRCSIGNAL)
		reply_text(request, SRC_EMU_SIGNALS, object->subsysname, "");
	else {
		if (is_stop)
			instance->stop_requested = true;
		save_state();
		forward(request, length, instance, faults);
	}
}

static void
serve(void)
{
	static union {
		struct srcreq request;
		char bytes[EMULATOR_REQUEST];
	} packet;
	static struct emulator_objects objects;
	struct sockaddr_un from;
	socklen_t size = sizeof from;
	char faults[256];
	const struct SRCsubsys *object;
	ssize_t got;

	memset(&packet, 0, sizeof packet);
	memset(&from, 0, sizeof from);
	got = recvfrom(
	    control, packet.bytes, sizeof packet.bytes, 0, (struct sockaddr *)&from, &size);
	/* who has no address can be told nothing */
	if (got < (ssize_t)sizeof packet.request || from.sun_path[0] != '/')
		return;
	emulator_record("C->M", packet.bytes, (size_t)got, true);
	emulator_set_address(&packet.request.srchdr.retaddr, from.sun_path);
	packet.request.subreq.objname[SRCNAMESZ - 1] = '\0';
	take_faults(faults, sizeof faults);
	if (packet.request.subreq.action == STATUS && packet.request.subreq.parm1 == SHORTSTAT) {
		short_status(&packet.request);
		return;
	}
	emulator_read_objects(&objects);
	object = emulator_find_object(&objects, packet.request.subreq.objname);
	if (object == NULL)
		reply_text(&packet.request, SRC_NONAME, packet.request.subreq.objname, "");
	else if (packet.request.subreq.action == START && packet.request.subreq.object == SUBSYSTEM)
		start(&packet.request, (size_t)got, object, faults);
	else
		pass_on(&packet.request, (size_t)got, object, faults);
}

static void
note(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	if (write(wake[1], "", 1) < 0)
		errno = saved;
	errno = saved;
}

int
main(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[EMULATOR_PATH], byte[64];

	emulator_path(path, ".SRC-unix");
	mkdir(path, 0755);
	emulator_path(path, "objrepos");
	mkdir(path, 0755);
	emulator_path(path, "SRC");
	unlink(path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	control = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (control < 0 || bind(control, (struct sockaddr *)&address, sizeof address) < 0 ||
	    pipe(wake) < 0) {
		perror("srcmstr");
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		fcntl(wake[i], F_SETFL, O_NONBLOCK);
		fcntl(wake[i], F_SETFD, FD_CLOEXEC);
	}
	fcntl(control, F_SETFD, FD_CLOEXEC);
	signal(SIGCHLD, note);
	signal(SIGPIPE, SIG_IGN);
	load_state();
	save_state();
	for (;;) {
		struct pollfd wait[2] = {
		    {.fd = control, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};

		if (poll(wait, 2, 200) > 0 && wait[0].revents != 0)
			serve();
		while (read(wake[0], byte, sizeof byte) > 0)
			continue;
		reap();
	}
}
