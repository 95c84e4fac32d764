/*
 * option_port: DaemonPortOptions and ClientPortOptions.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/text.h"
#include "option_row.h"
#include "reading.h"
#include "net/address.h"

enum { PORTS_MAXIMUM = 64 };

static void
check_family(struct config *config, const char *value)
{
	static const char *const families[] = {"inet", "inet6", "local", "unix"};

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
		if (text_equal_nocase(families[i], value))
			return;
	}
	if (!text_is_digit((unsigned char)*value))
		config_error(
		    config, EX_SOFTWARE, "Unknown address family %s in Family=option", value);
}

static void
check_port(struct config *config, const char *value)
{
	if (!text_is_digit((unsigned char)*value) && address_port_named(value) == 0)
		config_error(config, EX_SOFTWARE, "service \"%s\" unknown", value);
}

/* A name is looked up now, so that a wrong one is seen at once. */
static void
check_address(struct config *config, const struct daemon_port *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
			    .ai_family = AF_INET,
			    .ai_socktype = SOCK_STREAM},
			*found;
	const char *address = port->address;
	int result;

	if (address == NULL || *address == '/' ||
	    (port->family != NULL && text_equal_nocase(port->family, "local")))
		return;
	if (text_starts_nocase(address, "IPv6:"))
		address += 5;
	if (port->family != NULL && text_equal_nocase(port->family, "inet6"))
		hints.ai_family = AF_INET6;
	result = *address != '\0' ? getaddrinfo(address, NULL, &hints, &found) : EAI_NONAME;
	if (result == EAI_NONAME && text_is_alpha((unsigned char)*address)) {
		hints.ai_flags = 0;
		result = getaddrinfo(address, NULL, &hints, &found);
	}
	if (result == 0)
		freeaddrinfo(found);
	else
		config_error(config, result == EAI_AGAIN ? EX_OSERR : EX_SOFTWARE,
		    "host \"%s\" unknown%s", port->address,
		    result == EAI_AGAIN ? ": Resource temporarily unavailable" : "");
}

static void
set_parameter(
    struct config *config, struct daemon_port *port, const char *parameter, const char *value)
{
	char *copy = arena_strdup(config->arena, value);

	text_trim_end(copy);

	switch (*parameter) {
	case 'A':
	case 'a':
		port->address = copy;
		break;
	case 'c':
		port->children_maximum = (int)config_number(value);
		break;
	case 'D':
		if (*value != '\0' && strchr("biqd", *value) != NULL)
			port->delivery_mode = *value;
		else
			config_error(config, EX_SOFTWARE, "Unknown delivery mode %.1s", value);
		break;
	case 'd':
		port->delay_load = (int)config_number(value);
		break;
	case 'F':
	case 'f':
		port->family = copy;
		check_family(config, copy);
		break;
	case 'I':
	case 'i':
		port->input_mail_filters = copy;
		break;
	case 'L':
	case 'l':
		port->listen_backlog = (int)config_number(value);
		break;
	case 'M':
	case 'm':
		port->modifiers = copy;
		break;
	case 'N':
	case 'n':
		port->name = copy;
		break;
	case 'P':
	case 'p':
		port->port = copy;
		check_port(config, copy);
		break;
	case 'q':
		port->queue_load = (int)config_number(value);
		break;
	case 'R':
		port->receive_buffer = (int)config_number(value);
		break;
	case 'r':
		port->refuse_load = (int)config_number(value);
		break;
	case 'S':
	case 's':
		port->send_buffer = (int)config_number(value);
		break;
	default:
		config_error(
		    config, EX_SOFTWARE, "PortOptions parameter \"%s\" unknown", parameter);
		break;
	}
}

static void
set_port(struct config *config, struct daemon_port **list, const char *text)
{
	struct daemon_port *port = ARENA_NEW(config->arena, struct daemon_port);
	char *parameters = arena_strdup(config->arena, text);
	struct daemon_port *const *list_start = list;
	int count = 0;

	port->modifiers = "";
	for (char *at = parameters, *next; *at != '\0'; at = next) {
		char *equals;

		next = at + strcspn(at, ",");
		if (*next != '\0')
			*next++ = '\0';
		at = text_skip_space(at);
		equals = strchr(at, '=');
		if (equals == NULL)
			continue; /* V8: without a value it is skipped silently */
		set_parameter(config, port, at, text_skip_space(equals + 1));
	}
	check_address(config, port);
	while (*list != NULL) {
		list = &(*list)->next;
		count++;
	}
	if (count < PORTS_MAXIMUM || list_start == &config->options.client_ports)
		*list = port;
	else
		config_error(
		    config, EX_SOFTWARE, "too many daemons defined (%d max)", PORTS_MAXIMUM);
}

void
option_set_daemon_port(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	set_port(config, &config->options.daemon_ports, value);
}

void
option_set_client_port(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	(void)row;
	(void)sub;
	set_port(config, &config->options.client_ports, value);
}
