/* What the parts of the emulator share: paths, sockets, the record, objects, words. */
#include "emulator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

void
emulator_path(char path[EMULATOR_PATH], const char *name)
{
	const char *directory = getenv("SRC_EMU_DIR");
	int length =
	    snprintf(path, EMULATOR_PATH, "%s/%s", directory != NULL ? directory : "/dev", name);

	if (length >= EMULATOR_PATH) {
		fprintf(stderr, "SRC_EMU_DIR is too long for sockets: %s\n", directory);
		exit(1);
	}
}

void
emulator_set_address(struct src_emu_address *address, const char *path)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
}

int
emulator_bind(char path[EMULATOR_PATH], const char *name)
{
	static unsigned number;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char generated[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (fd < 0)
		return -1;
	snprintf(generated, sizeof generated, ".SRC-unix/%s%ld.%u", name != NULL ? "" : "C",
	    (long)getpid(), number++);
	if (name != NULL)
		snprintf(generated, sizeof generated, ".SRC-unix/%s", name);
	emulator_path(path, generated);
	unlink(path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
emulator_send(int fd, const char *path, const void *bytes, size_t length)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	return sendto(fd, bytes, length, 0, (struct sockaddr *)&address, sizeof address) >= 0;
}

int
emulator_timeout_ms(void)
{
	const char *seconds = getenv("SRC_EMU_TIMEOUT");

	return (int)((seconds != NULL ? atof(seconds) : 5.0) * 1000);
}

/* ---- names of values ---- */

static const struct value_name {
	const char *name;
	char family;
	int value;
} value_names[] = {
    {"START", 'a', START},
    {"STOP", 'a', STOP},
    {"STATUS", 'a', STATUS},
    {"TRACE", 'a', TRACE},
    {"REFRESH", 'a', REFRESH},
    {"NORMAL", 'p', NORMAL},
    {"FORCED", 'p', FORCED},
    {"CANCEL", 'p', CANCEL},
    {"SHORTSTAT", 'p', SHORTSTAT},
    {"LONGSTAT", 'p', LONGSTAT},
    {"TRACEOFF", 't', TRACEOFF},
    {"TRACEON", 't', TRACEON},
    {"SHORTTRACE", 't', SHORTTRACE},
    {"LONGTRACE", 't', LONGTRACE},
    {"END", 'c', END},
    {"CONTINUED", 'c', CONTINUED},
    {"STATCONTINUED", 'c', STATCONTINUED},
    {"NEWREQUEST", 'c', NEWREQUEST},
    {"SUBSYSTEM", 'o', SUBSYSTEM},
    {"SRC_OK", 'e', SRC_OK},
    {"SRC_SUBMSG", 'e', SRC_SUBMSG},
    {"SRC_SUBICMD", 'e', SRC_SUBICMD},
};

const char *
emulator_name(int value, const char *families)
{
	static char number[16];

	for (size_t i = 0; i < sizeof value_names / sizeof value_names[0]; i++) {
		if (value_names[i].value == value && strchr(families, value_names[i].family))
			return value_names[i].name;
	}
	snprintf(number, sizeof number, "%d", value);
	return number;
}

int
emulator_value(const char *name)
{
	for (size_t i = 0; i < sizeof value_names / sizeof value_names[0]; i++) {
		if (strcmp(value_names[i].name, name) == 0)
			return value_names[i].value;
	}
	return atoi(name);
}

void
emulator_note(const char *text)
{
	char path[EMULATOR_PATH], line[512];
	struct timeval now;
	int length, fd;

	emulator_path(path, "record");
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	gettimeofday(&now, NULL);
	length = snprintf(
	    line, sizeof line, "%ld.%03ld %s\n", (long)now.tv_sec, (long)now.tv_usec / 1000, text);
	if (write(fd, line, (size_t)length) < 0)
		perror("record");
	close(fd);
}

void
emulator_record(const char *direction, const void *packet, size_t length, bool is_request)
{
	struct srcreq request;
	const struct subreq *sub = &request.subreq;
	char line[400];
	int at;

	memset(&request, 0, sizeof request);
	memcpy(&request, packet, length < sizeof request ? length : sizeof request);
	at = snprintf(line, sizeof line, "%s %zu bytes cont=%s", direction, length,
	    emulator_name(request.srchdr.cont, "c"));
	if (is_request) {
		at += snprintf(line + at, sizeof line - (size_t)at, " action=%s",
		    emulator_name(sub->action, "a"));
		at += snprintf(line + at, sizeof line - (size_t)at, " object=%s",
		    emulator_name(sub->object, "o"));
		at += snprintf(line + at, sizeof line - (size_t)at, " parm1=%s",
		    emulator_name(sub->parm1, "pt"));
		snprintf(line + at, sizeof line - (size_t)at, " parm2=%s name=%.*s",
		    emulator_name(sub->parm2, "t"), SRCNAMESZ, sub->objname);
	}
	emulator_note(line);
}

/* ---- objects ---- */

const char emulator_object_heading[] =
    "#subsysname:synonym:cmdargs:path:uid:auditid:standin:standout:standerr:action:multi:contact:"
    "svrkey:svrmtype:priority:signorm:sigforce:display:waittime:grpname:\n";

static const struct flag {
	const char *text;
	int value;
} flags[] = {{"-O", ONCE}, {"-R", RESPAWN}, {"-q", SRCYES}, {"-Q", SRCNO}, {"-d", SRCYES},
    {"-D", SRCNO}, {"-I", SRCIPC}, {"-S", SRCSIGNAL}, {"-K", SRCSOCKET}};

static const char *
flag_text(int value, size_t first)
{
	for (size_t i = first; i < sizeof flags / sizeof flags[0]; i++) {
		if (flags[i].value == value)
			return flags[i].text;
	}
	return "";
}

static int
flag_value(const char *text)
{
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (strcmp(flags[i].text, text) == 0)
			return flags[i].value;
	}
	return 0;
}

void
emulator_print_object(FILE *file, const struct SRCsubsys *object)
{
	fprintf(file, "%s:%s:%s:%s:%d:%d:%s:%s:%s:%s:%s:%s:%d:%d:%d:%d:%d:%s:%d:%s:\n",
	    object->subsysname, object->synonym, object->cmdargs, object->path, object->uid,
	    object->auditid, object->standin, object->standout, object->standerr,
	    flag_text(object->action, 0), flag_text(object->multi, 2),
	    flag_text(object->contact, 6), object->svrkey, object->svrmtype, object->priority,
	    object->signorm, object->sigforce, flag_text(object->display, 4), object->waittime,
	    object->grpname);
}

static void
take_text(char *to, size_t size, char **line)
{
	const char *field = strsep(line, ":");

	snprintf(to, size, "%s", field != NULL ? field : "");
}

static int
take_number(char **line)
{
	const char *field = strsep(line, ":");

	return field != NULL ? atoi(field) : 0;
}

static int
take_flag(char **line)
{
	const char *field = strsep(line, ":");

	return field != NULL ? flag_value(field) : 0;
}

static void
read_object(struct SRCsubsys *object, char *line)
{
	memset(object, 0, sizeof *object);
	take_text(object->subsysname, sizeof object->subsysname, &line);
	take_text(object->synonym, sizeof object->synonym, &line);
	take_text(object->cmdargs, sizeof object->cmdargs, &line);
	take_text(object->path, sizeof object->path, &line);
	object->uid = take_number(&line);
	object->auditid = take_number(&line);
	take_text(object->standin, sizeof object->standin, &line);
	take_text(object->standout, sizeof object->standout, &line);
	take_text(object->standerr, sizeof object->standerr, &line);
	object->action = take_flag(&line);
	object->multi = take_flag(&line);
	object->contact = take_flag(&line);
	object->svrkey = take_number(&line);
	object->svrmtype = take_number(&line);
	object->priority = take_number(&line);
	object->signorm = take_number(&line);
	object->sigforce = take_number(&line);
	object->display = take_flag(&line);
	object->waittime = take_number(&line);
	take_text(object->grpname, sizeof object->grpname, &line);
}

void
emulator_read_objects(struct emulator_objects *objects)
{
	char path[EMULATOR_PATH], *line = NULL;
	size_t size = 0;
	FILE *file;

	objects->count = 0;
	emulator_path(path, "objrepos/SRCsubsys");
	file = fopen(path, "re");
	if (file == NULL)
		return;
	while (objects->count < EMULATOR_OBJECTS && getline(&line, &size, file) > 0) {
		if (line[0] != '#' && line[0] != '\n')
			read_object(&objects->items[objects->count++], line);
	}
	free(line);
	fclose(file);
}

bool
emulator_write_objects(const struct emulator_objects *objects)
{
	char path[EMULATOR_PATH], new_path[EMULATOR_PATH];
	FILE *file;

	emulator_path(path, "objrepos/SRCsubsys");
	emulator_path(new_path, "objrepos/SRCsubsys.new");
	file = fopen(new_path, "we");
	if (file == NULL)
		return false;
	fputs(emulator_object_heading, file);
	for (int i = 0; i < objects->count; i++)
		emulator_print_object(file, &objects->items[i]);
	return fclose(file) == 0 && rename(new_path, path) == 0;
}

struct SRCsubsys *
emulator_find_object(struct emulator_objects *objects, const char *name)
{
	for (int i = 0; i < objects->count; i++) {
		struct SRCsubsys *object = &objects->items[i];

		if (strcmp(object->subsysname, name) == 0 ||
		    (object->synonym[0] != '\0' && strcmp(object->synonym, name) == 0))
			return object;
	}
	return NULL;
}

bool
emulator_find_method(const char *name, char *method, size_t size)
{
	char path[EMULATOR_PATH], line[512];
	bool found = false;
	FILE *file;

	emulator_path(path, "objrepos/SRCnotify");
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
		char *rest = line, *first = strsep(&rest, ":");

		if (rest == NULL || strcmp(first, name) != 0)
			continue;
		rest[strcspn(rest, "\n")] = '\0';
		snprintf(method, size, "%s", rest);
		found = true;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

int
emulator_split(const char *text, char *buffer, size_t size, char **words, int maximum)
{
	char *to = buffer, *end = buffer + size - 1;
	int count = 0;

	while (count < maximum - 1) {
		char quote = '\0';

		text += strspn(text, " \t\n");
		if (*text == '\0')
			break;
		words[count++] = to;
		for (; *text != '\0' && (quote != '\0' || strchr(" \t\n", *text) == NULL); text++) {
			if (quote == '\0' && (*text == '"' || *text == '\''))
				quote = *text;
			else if (*text == quote)
				quote = '\0';
			else if (to < end - 1)
				*to++ = *text;
		}
		*to++ = '\0';
	}
	words[count] = NULL;
	return count;
}
