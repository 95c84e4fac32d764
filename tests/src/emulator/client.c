/*
 * client: startsrc stopsrc refresh lssrc traceson tracesoff mkssys chssys rmssys mknotify rmnotify, by
 * the name under which it was called.  Exit 0 or 1.
 */
#include "emulator.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char *subsystem, *group, *arguments, *environment, *type;
	bool force, cancel, is_long, all, objects;
	long pid;
} given;

static int
complain(int code, const char *name, const char *text)
{
	char *words;

	if (code == SRC_SUBMSG) {
		printf("%.*s", SRC_EMU_MESSAGE, text);
	} else if (code == SRC_EMU_INOPERATIVE) {
		printf("0513-004 The Subsystem or Group, %s, is currently inoperative.\n", name);
	} else if (code == SRC_EMU_ACTIVE) {
		printf("0513-029 The %s Subsystem is already active.\n"
		       "Multiple instances are not supported.\n",
		    name);
	} else if (code == SRC_EMU_SIGNALS) {
		printf("0513-005 The Subsystem, %s, only supports signal communication.\n", name);
	} else if (code == SRC_EMU_NOT_PASSED) {
		printf("0513-036 The request could not be passed to the %s subsystem.\n", name);
	} else if (code == SRC_EMU_TIMED_OUT) {
		printf("0513-056 Timeout waiting for command response.\n");
	} else if (code == SRC_NONAME) {
		printf("0513-085 The %s Subsystem is not on file.\n", name);
	} else {
		src_err_msg_r(code, &words);
		printf("0513-000 The %s Subsystem: %s (%d).\n", name, words, code);
		free(words);
	}
	return 1;
}

/* One request of one packet's answer; the commands that act on a running subsystem. */
static int
request(const char *name, int action, int parm1, int parm2, const char *done)
{
	struct subreq sub = {.object = SUBSYSTEM,
	    .action = (short)action,
	    .parm1 = (short)parm1,
	    .parm2 = (short)parm2};
	char reply[SRCPKTMAX];
	struct srcrep answer;
	int result, cont = NEWREQUEST;

	snprintf(sub.objname, sizeof sub.objname, "%s", name);
	do {
		short length = sizeof reply;

		result = srcsrqt(NULL, (char *)(size_t)name, 0, sizeof sub, (char *)&sub, &length,
		    reply, 0, &cont);
		if (result != SRC_OK)
			return complain(result, name, "");
		if (length < (short)sizeof answer)
			return complain(SRC_EMU_NOT_PASSED, name, "");
		memcpy(&answer, reply, sizeof answer);
		if (cont == CONTINUED)
			printf("%.*s", SRC_EMU_MESSAGE, answer.svrreply.rtnmsg);
	} while (cont != END);
	if (answer.svrreply.rtncode != SRC_OK)
		return complain(answer.svrreply.rtncode, name, answer.svrreply.rtnmsg);
	if (answer.svrreply.rtnmsg[0] != '\0' && action != STOP)
		printf("%.*s", SRC_EMU_MESSAGE, answer.svrreply.rtnmsg);
	printf(done, name);
	return 0;
}

static int
start(const char *name)
{
	int pid = 0, result = srcstrt(NULL, (char *)(size_t)name, (char *)(size_t)given.environment,
			 (char *)(size_t)given.arguments, 0, &pid);

	if (result != SRC_OK)
		return complain(result, name, "");
	printf("0513-059 The %s Subsystem has been started. Subsystem PID is %d.\n", name, pid);
	return 0;
}

static int
stop(const char *name)
{
	return request(name, STOP,
	    given.cancel  ? CANCEL
	    : given.force ? FORCED
			  : NORMAL,
	    0, "0513-044 The %s Subsystem was requested to stop.\n");
}

static int
refresh(const char *name)
{
	return request(name, REFRESH, 0, 0,
	    "0513-095 The request for subsystem refresh was completed successfully.\n");
}

static int
trace_on(const char *name)
{
	return request(name, TRACE, given.is_long ? LONGTRACE : SHORTTRACE, TRACEON,
	    "0513-091 The request to turn on tracing was completed successfully.\n");
}

static int
trace_off(const char *name)
{
	return request(name, TRACE, SHORTTRACE, TRACEOFF,
	    "0513-092 The request to turn off tracing was completed successfully.\n");
}

static int
status(const char *name)
{
	int cont = NEWREQUEST;

	do {
		char *text = NULL;
		int result = srcsbuf(NULL, SUBSYSTEM, (char *)(size_t)name, NULL, 0,
		    given.is_long ? LONGSTAT : SHORTSTAT, 1, &text, &cont);

		if (result != SRC_OK) {
			complain(result, name, text != NULL ? text : "");
			free(text);
			return 1;
		}
		if (text != NULL)
			fputs(text, stdout);
		free(text);
	} while (cont != END);
	return 0;
}

static int
list(void)
{
	static struct emulator_objects objects;
	const struct SRCsubsys *object;
	char name[SRCNAMESZ + 16];

	if (!given.objects) {
		snprintf(name, sizeof name, "%s",
		    given.all		      ? SRCALLSUBSYS
		    : given.subsystem != NULL ? given.subsystem
					      : "");
		if (given.group != NULL)
			snprintf(name, sizeof name, "%s%s", SRCGROUP, given.group);
		return status(name);
	}
	emulator_read_objects(&objects);
	object = emulator_find_object(&objects, given.subsystem != NULL ? given.subsystem : "");
	if (object == NULL)
		return complain(SRC_NONAME, given.subsystem != NULL ? given.subsystem : "", "");
	fputs(emulator_object_heading, stdout);
	emulator_print_object(stdout, object);
	return 0;
}

/* -s, or -g: each of the group. */
static int
each(int (*act)(const char *name))
{
	static struct emulator_objects objects;
	int result = 1;

	if (given.subsystem != NULL)
		return act(given.subsystem);
	emulator_read_objects(&objects);
	for (int i = 0; i < objects.count; i++) {
		if (given.all ||
		    (given.group != NULL && strcmp(objects.items[i].grpname, given.group) == 0))
			result = act(objects.items[i].subsysname);
	}
	return result;
}

static void
read_flags(int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "s:g:a:e:t:p:h:fclSd")) != -1) {
		switch (letter) {
		case 's':
			given.subsystem = optarg;
			break;
		case 'g':
			given.group = optarg;
			break;
		case 'a':
			given.arguments = optarg;
			break;
		case 'e':
			given.environment = optarg;
			break;
		case 't':
			given.type = optarg;
			break;
		case 'p':
			given.pid = atol(optarg);
			break;
		case 'f':
			given.force = true;
			break;
		case 'c':
			given.cancel = true;
			break;
		case 'l':
			given.is_long = true;
			break;
		case 'S':
			given.objects = true;
			break;
		case 'h':
		case 'd':
			break;
		default:
			exit(1);
		}
	}
}

/* ---- objects ---- */

static bool
set_text(char *field, size_t size, const char *value)
{
	return snprintf(field, size, "%s", value) < (int)size && strpbrk(value, ":\n") == NULL;
}

static bool
set_field(struct SRCsubsys *object, int letter, const char *value)
{
	switch (letter) {
	case 's':
		return set_text(object->subsysname, sizeof object->subsysname, value);
	case 't':
		return set_text(object->synonym, sizeof object->synonym, value);
	case 'a':
		return set_text(object->cmdargs, sizeof object->cmdargs, value);
	case 'p':
		return value[0] == '/' && set_text(object->path, sizeof object->path, value);
	case 'i':
		return set_text(object->standin, sizeof object->standin, value);
	case 'o':
		return set_text(object->standout, sizeof object->standout, value);
	case 'e':
		return set_text(object->standerr, sizeof object->standerr, value);
	case 'G':
		return set_text(object->grpname, sizeof object->grpname, value);
	case 'u':
		object->uid = atoi(value);
		return true;
	case 'n':
		object->signorm = atoi(value);
		return true;
	case 'f':
		object->sigforce = atoi(value);
		return true;
	case 'E':
		object->priority = atoi(value);
		return true;
	case 'w':
		object->waittime = atoi(value);
		return true;
	case 'O':
	case 'R':
		object->action = letter == 'O' ? ONCE : RESPAWN;
		return true;
	case 'q':
	case 'Q':
		object->multi = letter == 'q' ? SRCYES : SRCNO;
		return true;
	case 'd':
	case 'D':
		object->display = letter == 'd' ? SRCYES : SRCNO;
		return true;
	case 'S':
	case 'K':
		object->contact = letter == 'S' ? SRCSIGNAL : SRCSOCKET;
		return true;
	default:
		return false;
	}
}

static const char object_flags[] = "s:t:a:p:i:o:e:G:u:n:f:E:w:ORqQdDSK";

static int
make_object(int argc, char **argv)
{
	static struct emulator_objects objects;
	struct SRCsubsys object = {.standin = "/dev/console",
	    .standout = "/dev/console",
	    .standerr = "/dev/console",
	    .action = ONCE,
	    .multi = SRCNO,
	    .contact = SRCSOCKET,
	    .priority = 20,
	    .display = SRCYES,
	    .waittime = 20};
	int letter;

	while ((letter = getopt(argc, argv, object_flags)) != -1) {
		if (!set_field(&object, letter, optarg))
			return 1;
	}
	emulator_read_objects(&objects);
	if (object.subsysname[0] == '\0' || object.path[0] == '\0' ||
	    (object.contact == SRCSIGNAL && (object.signorm == 0 || object.sigforce == 0)))
		return 1;
	if (emulator_find_object(&objects, object.subsysname) != NULL ||
	    objects.count == EMULATOR_OBJECTS) {
		printf("0513-069 The %s Subsystem is already on file.\n", object.subsysname);
		return 1;
	}
	objects.items[objects.count++] = object;
	if (!emulator_write_objects(&objects))
		return 1;
	printf("0513-071 The %s Subsystem has been added.\n", object.subsysname);
	return 0;
}

static int
change_object(int argc, char **argv)
{
	static struct emulator_objects objects;
	struct SRCsubsys *object = NULL;
	int letter;

	emulator_read_objects(&objects);
	for (int i = 1; i + 1 < argc && object == NULL; i++) {
		if (strcmp(argv[i], "-s") == 0)
			object = emulator_find_object(&objects, argv[i + 1]);
	}
	if (object == NULL) {
		printf("0513-085 The Subsystem is not on file.\n");
		return 1;
	}
	while ((letter = getopt(argc, argv, object_flags)) != -1) {
		if (letter != 's' && !set_field(object, letter, optarg))
			return 1;
	}
	if (!emulator_write_objects(&objects))
		return 1;
	printf("0513-077 Subsystem has been changed.\n");
	return 0;
}

static int
remove_object(void)
{
	static struct emulator_objects objects;
	struct SRCsubsys *object;

	emulator_read_objects(&objects);
	object = given.subsystem != NULL ? emulator_find_object(&objects, given.subsystem) : NULL;
	if (object == NULL) {
		printf("0513-085 The Subsystem is not on file.\n");
		return 1;
	}
	*object = objects.items[--objects.count];
	if (!emulator_write_objects(&objects))
		return 1;
	printf("0513-083 Subsystem has been Deleted.\n");
	return 0;
}

/* mknotify -n NAME -m METHOD, rmnotify -n NAME. */
static int
change_method(int argc, char **argv, bool is_new)
{
	const char *name = NULL, *method = NULL;
	char path[EMULATOR_PATH];
	FILE *file;
	int letter;

	while ((letter = getopt(argc, argv, "n:m:")) != -1) {
		if (letter == 'n')
			name = optarg;
		else if (letter == 'm')
			method = optarg;
		else
			return 1;
	}
	if (name == NULL || (is_new && method == NULL))
		return 1;
	emulator_path(path, "objrepos/SRCnotify");
	file = fopen(path, is_new ? "ae" : "we");
	if (file == NULL)
		return 1;
	if (is_new)
		fprintf(file, "%s:%s\n", name, method);
	return fclose(file) == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name != NULL ? name + 1 : argv[0];
	if (strcmp(name, "mkssys") == 0)
		return make_object(argc, argv);
	if (strcmp(name, "chssys") == 0)
		return change_object(argc, argv);
	if (strcmp(name, "mknotify") == 0 || strcmp(name, "rmnotify") == 0)
		return change_method(argc, argv, name[0] == 'm');
	if (strcmp(name, "lssrc") == 0) {
		/* -a is a flag here, and has a value for startsrc */
		for (int i = 1; i < argc; i++)
			given.all = given.all || strcmp(argv[i], "-a") == 0;
		if (given.all)
			return list();
	}
	read_flags(argc, argv);
	if (strcmp(name, "lssrc") == 0)
		return list();
	if (strcmp(name, "rmssys") == 0)
		return remove_object();
	if (strcmp(name, "startsrc") == 0)
		return each(start);
	if (strcmp(name, "stopsrc") == 0)
		return each(stop);
	if (strcmp(name, "refresh") == 0)
		return each(refresh);
	if (strcmp(name, "traceson") == 0)
		return each(trace_on);
	if (strcmp(name, "tracesoff") == 0)
		return each(trace_off);
	fprintf(stderr, "%s: no command of SRC\n", name);
	return 1;
}
