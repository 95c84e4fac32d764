/*
 * filter: mail filters: X lines, option Milter, lists of filters.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>

#include "base/text.h"
#include "conf/safefile.h"
#include "net/address.h"
#include "option_row.h"
#include "reading.h"

enum {
	MACROS_MAXIMUM = 50, /* V8 */
	/* V8's time-outs; the guide has the same */
	CONNECT_SECONDS = 300,
	SEND_SECONDS = 10,
	READ_SECONDS = 10,
	END_SECONDS = 300,
};

/* T=C:5m;S:10s;R:10s;E:5m */
static void
read_timeouts(struct config *config, struct filter_conf *filter, const char *text)
{
	while (*(text = text_skip_space(text)) != '\0') {
		long *place = *text == 'C'   ? &filter->connect_seconds
			      : *text == 'S' ? &filter->send_seconds
			      : *text == 'R' ? &filter->read_seconds
			      : *text == 'E' ? &filter->end_seconds
					     : NULL;

		if (*text == ';') {
			text++;
			continue;
		}
		if (text[1] != ':') {
			config_error(config, EX_SOFTWARE, "X%s, T=: `:' expected", filter->name);
			return;
		}
		if (place == NULL)
			config_error(config, EX_SOFTWARE, "X%s: unknown filter timeout %c",
			    filter->name, *text);
		else
			*place = config_parse_time(config,
			    arena_memdup(config->arena, text + 2, strcspn(text + 2, ";")), 's');
		text += strcspn(text, ";");
	}
}

const char *
config_filter_path(const struct filter_conf *filter, struct arena *arena, int *family,
    const char **port, const char **host)
{
	const char *socket = filter->socket, *place = strchr(socket, ':');
	size_t length;

	*family = AF_UNIX;
	if (place == NULL || place == socket)
		return place == NULL ? socket : place + 1;
	if (!text_starts(socket, "inet"))
		return place + 1;
	*family = text_starts(socket, "inet6:") ? AF_INET6 : AF_INET;
	place++;
	length = strcspn(place, "@");
	*port = arena_memdup(arena, place, length);
	place += length + (place[length] == '@');
	length = strlen(place);
	*host = *place == '[' && length > 1 && place[length - 1] == ']'
		    ? arena_memdup(arena, place + 1, length - 2)
		    : arena_strdup(arena, place);
	return NULL;
}

/* A host is looked up now, so that a wrong name is seen at once. */
static bool
check_host(struct config *config, const struct filter_conf *filter, int family, const char *host)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
	int result;

	if (*host == '[') {
		config_error(config, EX_SOFTWARE, "X%s: Invalid numeric domain spec \"%s\"",
		    filter->name, host);
		return false;
	}
	result = *host != '\0' ? getaddrinfo(host, NULL, &hints, &found) : EAI_NONAME;
	if (result == 0) {
		freeaddrinfo(found);
		return true;
	}
	if (result == EAI_AGAIN)
		config_error(config, EX_OSERR,
		    "X%s: Unknown host name %s: Resource temporarily unavailable", filter->name,
		    host);
	else
		config_error(config, EX_SOFTWARE, "X%s: Unknown host name %s", filter->name, host);
	return false;
}

/* inet:port@host */
static bool
check_port_and_host(struct config *config, const struct filter_conf *filter)
{
	const char *port, *host, *address = strchr(filter->socket, ':') + 1;
	int family;

	if (strchr(address, '@') == NULL) {
		config_error(config, EX_SOFTWARE, "X%s: bad address %s (expected port@host)",
		    filter->name, address);
		return false;
	}
	config_filter_path(filter, config->arena, &family, &port, &host);
	if (!text_is_digit((unsigned char)*port) && address_port_named(port) == 0) {
		config_error(config, EX_SOFTWARE, "X%s: unknown port name %s", filter->name, port);
		return false;
	}
	return check_host(config, filter, family, host);
}

/* Is it read for a process that takes mail by SMTP? */
static bool
calls_filters(const struct config *config)
{
	char mode = config->reading->request->operation_mode;

	return mode != '\0' && strchr("dDs", mode) != NULL;
}

static bool
check_path(struct config *config, const struct filter_conf *filter)
{
	static const struct sockaddr_un longest;
	const char *unused, *path, *reason;
	struct stat status;
	int family;

	path = config_filter_path(filter, config->arena, &family, &unused, &unused);
	if (path == NULL)
		return true;
	if (strlen(path) >= sizeof longest.sun_path) {
		config_error(config, EX_OSERR,
		    "X%s: local socket name %s too long: Invalid argument", filter->name, path);
		return false;
	}
	if (!calls_filters(config))
		return true;
	/* whoever may write there could put a filter of his own in its place */
	reason = safefile_check_directories(path, &config->options);
	if (reason != NULL && text_starts(reason, "World writable")) {
		config_error(config, EX_OSERR, "X%s: local socket name %s unsafe: %s", filter->name,
		    path, reason);
		return false;
	}
	if (config->reading->request->operation_mode != 's' && stat(path, &status) < 0)
		config_print(
		    config, "WARNING: X%s: local socket name %s missing", filter->name, path);
	return true;
}

static bool
check_socket(struct config *config, const struct filter_conf *filter)
{
	static const char *const types[] = {"unix", "local", "inet", "inet6"};
	size_t length;

	if (filter->socket == NULL) {
		config_error(
		    config, EX_SOFTWARE, "X%s: empty or missing socket information", filter->name);
		return false;
	}
	length = strcspn(filter->socket, ":");
	if (filter->socket[length] == '\0' || length == 0)
		return check_path(config, filter);
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strlen(types[i]) == length && strncmp(types[i], filter->socket, length) == 0)
			return *types[i] == 'i' ? check_port_and_host(config, filter)
						: check_path(config, filter);
	}
	config_error(config, EX_OSERR, "X%s: unknown socket type %.*s: Protocol not supported",
	    filter->name, (int)length, filter->socket);
	return false;
}

/* The equates of the line; false: one of them is none. */
static bool
read_equates(struct config *config, struct filter_conf *filter, const char *text)
{
	enum equate found;
	const char *value;
	int letter;

	while ((found = config_next_equate(config, &text, &letter, &value)) != EQUATE_END) {
		if (found == EQUATE_BAD) {
			config_error(config, EX_SOFTWARE, "X%s: `=' expected", filter->name);
			return false;
		}
		switch (letter) {
		case 'S':
			filter->socket = *value != '\0' ? value : NULL;
			break;
		case 'F':
			for (; *value != '\0'; value++) {
				if (!text_is_space((unsigned char)*value))
					flag_set_add(&filter->flags, (unsigned char)*value);
			}
			break;
		case 'T':
			read_timeouts(config, filter, value);
			break;
		default:
			config_error(config, EX_SOFTWARE,
			    "X%s: unknown filter equate %c=", filter->name, letter);
			break;
		}
	}
	return true;
}

static struct filter_conf *
find_filter(const struct config *config, const char *name)
{
	struct filter_conf *one = config->filters;

	while (one != NULL && !text_equal_nocase(one->name, name))
		one = one->next;
	return one;
}

void
config_read_filter(struct config *config, const char *text)
{
	struct filter_conf *filter = ARENA_NEW(config->arena, struct filter_conf);

	filter->connect_seconds = CONNECT_SECONDS;
	filter->send_seconds = SEND_SECONDS;
	filter->read_seconds = READ_SECONDS;
	filter->end_seconds = END_SECONDS;
	filter->name = config_equate_name(config, &text);
	if (filter->name[0] == '\0') {
		config_error(config, EX_SOFTWARE, "name required for mail filter");
		return;
	}
	if (!read_equates(config, filter, text) || !check_socket(config, filter))
		return;
	if (find_filter(config, filter->name) != NULL) {
		/* V8's text for the errno that is left over, and its status */
		config_error(config, EX_OSERR,
		    "X%s: duplicate filter definition: No such file or directory", filter->name);
		return;
	}
	*config->reading->last_filter = filter;
	config->reading->last_filter = &filter->next;
}

const struct filter_conf *
config_next_filter(
    const struct config *config, const char **at, const char **name, struct arena *arena)
{
	const char *start = *at;
	size_t length;

	while (start != NULL &&
	       (*start == ',' || *start == ';' || text_is_space((unsigned char)*start)))
		start++;
	if (start == NULL || *start == '\0') {
		*at = NULL;
		return NULL;
	}
	length = strcspn(start, ",; \t");
	*at = start + length;
	*name = arena_memdup(arena, start, length);
	return find_filter(config, *name);
}

static void
check_list(struct config *config, const char *list)
{
	const char *at = list, *name;

	while (at != NULL) {
		if (config_next_filter(config, &at, &name, config->arena) != NULL || at == NULL)
			continue;
		/* V8's text for the errno that is left over, and its status */
		config_note(config, EX_OSERR,
		    "InputFilter %s not defined: No such file or directory", name);
		config->error_status = EX_CONFIG;
		config->is_fatal = config->reading->request->operation_mode != 'C';
		return;
	}
}

void
config_check_filters(struct config *config)
{
	bool is_advised = config->reading->request->operation_mode == 'C';

	/* after an error a filter may be missing because its line was wrong */
	if ((!calls_filters(config) && !is_advised) || config->error_status != 0)
		return;
	check_list(config, config->options.input_mail_filters);
	for (const struct daemon_port *port = config->options.daemon_ports;
	     port != NULL && config->reading->request->operation_mode != 's'; port = port->next)
		check_list(config, port->input_mail_filters);
}

static void
set_macros(struct config *config, enum filter_stage stage, const char *sub, const char *value)
{
	const char *at = value;
	int count = 0;

	while (*(at += strspn(at, ", \t")) != '\0') {
		count++;
		at += strcspn(at, ", \t");
	}
	if (count > MACROS_MAXIMUM) {
		config_error(config, EX_SOFTWARE,
		    "milter_set_option: too many macros in Milter.%s (max %d)", sub,
		    MACROS_MAXIMUM);
		return;
	}
	config->options.milter_macros[stage] =
	    count > 0 ? arena_strdup(config->arena, value) : NULL;
}

void
option_set_milter(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	static const struct {
		const char *name;
		enum filter_stage stage;
	} stages[] = {
	    {"macros.connect", FILTER_CONNECT},
	    {"macros.helo", FILTER_HELO},
	    {"macros.envfrom", FILTER_MAIL},
	    {"macros.envrcpt", FILTER_RCPT},
	    {"macros.data", FILTER_DATA},
	    {"macros.eom", FILTER_EOM},
	    {"macros.eoh", FILTER_EOH},
	};

	(void)row;
	if (sub == NULL) {
		config_error(config, EX_SOFTWARE,
		    "milter_set_option: invalid Milter option, must specify suboption");
		return;
	}
	if (text_equal_nocase(sub, "LogLevel")) {
		config->options.milter_log_level = (int)config_number(value);
		return;
	}
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		if (text_equal_nocase(sub, stages[i].name)) {
			set_macros(config, stages[i].stage, sub, value);
			return;
		}
	}
	config_error(config, EX_SOFTWARE, "milter_set_option: invalid Milter option %s", sub);
}
