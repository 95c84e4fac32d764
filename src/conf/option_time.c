/*
 * option_time: Timeout.* and QueueTimeout.
 */
#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "option_row.h"
#include "reading.h"

#define TIMEOUT(field) offsetof(struct timeouts, field)

static const struct timeout_row {
	const char *name;
	char unit;     /* of a bare number; 'n': a number of tries */
	bool is_group; /* the first of four classes: sets them all */
	size_t offset;
	const char *default_value;
} rows[] = {
    {"connect", 'm', false, TIMEOUT(connect), "5m"},
    {"iconnect", 'm', false, TIMEOUT(initial_connect), NULL}, /* as connect */
    {"aconnect", 'm', false, TIMEOUT(all_connect), "0"},
    {"initial", 'm', false, TIMEOUT(initial), "5m"},
    {"helo", 'm', false, TIMEOUT(helo), "5m"},
    {"mail", 'm', false, TIMEOUT(mail), "10m"},
    {"rcpt", 'm', false, TIMEOUT(rcpt), "1h"},
    {"datainit", 'm', false, TIMEOUT(data_init), "5m"},
    {"datablock", 'm', false, TIMEOUT(data_block), "1h"},
    {"datafinal", 'm', false, TIMEOUT(data_final), "1h"},
    {"rset", 'm', false, TIMEOUT(rset), "5m"},
    {"quit", 'm', false, TIMEOUT(quit), "2m"},
    {"misc", 'm', false, TIMEOUT(misc), "2m"},
    {"command", 'm', false, TIMEOUT(command), "1h"},
    {"ident", 'm', false, TIMEOUT(ident), "0"},
    {"fileopen", 'm', false, TIMEOUT(file_open), "60s"},
    {"control", 'm', false, TIMEOUT(control), "2m"},
    {"lhlo", 'm', false, TIMEOUT(lhlo), "2m"},
    {"auth", 'm', false, TIMEOUT(auth), "10m"},
    {"starttls", 'm', false, TIMEOUT(starttls), "1h"},
    {"hoststatus", 'm', false, TIMEOUT(host_status), "30m"},
    {"queuereturn", 'd', true, TIMEOUT(queue_return), "5d"},
    {"queuereturn.normal", 'd', false, TIMEOUT(queue_return.normal), NULL},
    {"queuereturn.urgent", 'd', false, TIMEOUT(queue_return.urgent), NULL},
    {"queuereturn.non-urgent", 'd', false, TIMEOUT(queue_return.non_urgent), NULL},
    {"queuereturn.dsn", 'd', false, TIMEOUT(queue_return.dsn), NULL},
    {"queuewarn", 'h', true, TIMEOUT(queue_warn), "0"},
    {"queuewarn.normal", 'h', false, TIMEOUT(queue_warn.normal), NULL},
    {"queuewarn.urgent", 'h', false, TIMEOUT(queue_warn.urgent), NULL},
    {"queuewarn.non-urgent", 'h', false, TIMEOUT(queue_warn.non_urgent), NULL},
    {"queuewarn.dsn", 'h', false, TIMEOUT(queue_warn.dsn), NULL},
    {"resolver.retrans", 's', false, TIMEOUT(resolver_retrans), "0"},
    {"resolver.retrans.first", 's', false, TIMEOUT(resolver_retrans_first), "0"},
    {"resolver.retrans.normal", 's', false, TIMEOUT(resolver_retrans), NULL},
    {"resolver.retry", 'n', false, TIMEOUT(resolver_retry), "0"},
    {"resolver.retry.first", 'n', false, TIMEOUT(resolver_retry_first), "0"},
    {"resolver.retry.normal", 'n', false, TIMEOUT(resolver_retry), NULL},
};

static long *
field_of(struct config *config, size_t offset)
{
	return (long *)((char *)&config->options.timeouts + offset);
}

static void
set_class_timeouts(struct class_timeouts *timeouts, long seconds)
{
	*timeouts = (struct class_timeouts){
	    .normal = seconds, .urgent = seconds, .non_urgent = seconds, .dsn = seconds};
}

static void
set_timeout_row(struct config *config, const struct timeout_row *row, const char *value)
{
	long seconds;

	if (row->unit == 'n') {
		/* V8 reads it as a time and complains as for one */
		config_parse_time(config, value, 's');
		*field_of(config, row->offset) = config_number(value);
		return;
	}
	seconds = config_parse_time(config, value, row->unit);
	/* V8 reads these twice, and complains twice */
	if (text_starts_nocase(row->name, "queue") || row->unit == 's')
		config_parse_time(config, value, row->unit);
	if (row->is_group) {
		set_class_timeouts(
		    (struct class_timeouts *)(void *)field_of(config, row->offset), seconds);
		return;
	}
	*field_of(config, row->offset) = seconds;
	/* the names without .first and .normal set both */
	if (text_equal_nocase(row->name, "resolver.retrans"))
		config->options.timeouts.resolver_retrans_first = seconds;
}

/* Was it set on the command line, and is this now the file?  Then it stays; the parts of a group alike. */
static bool
is_settled(struct config *config, size_t index)
{
	bool *sticky = config->reading != NULL ? config->reading->timeout_is_sticky : NULL;

	if (sticky == NULL)
		return false;
	if (!config->reading->is_command_line)
		return sticky[index];
	for (size_t i = index; i < sizeof rows / sizeof rows[0]; i++) {
		if (text_starts(rows[i].name, rows[index].name))
			sticky[i] = true;
	}
	return false;
}

static void
set_named(struct config *config, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (text_equal_nocase(rows[i].name, name)) {
			if (is_settled(config, i))
				return;
			set_timeout_row(config, &rows[i], value);
			if (text_equal_nocase(name, "resolver.retry"))
				config->options.timeouts.resolver_retry_first =
				    config->options.timeouts.resolver_retry;
			return;
		}
	}
	config_error(config, EX_SOFTWARE, "settimeout: invalid timeout %s", name);
}

void
option_set_timeout(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	char *list;

	(void)row;
	if (sub != NULL) {
		set_named(config, sub, value);
		return;
	}
	if (text_is_digit((unsigned char)*value)) {
		/* V8: the old form, one time for all commands */
		static const size_t offsets[] = {TIMEOUT(helo), TIMEOUT(mail), TIMEOUT(rcpt),
		    TIMEOUT(data_init), TIMEOUT(data_block), TIMEOUT(data_final), TIMEOUT(command)};
		long seconds = config_parse_time(config, value, 'm');

		for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++)
			*field_of(config, offsets[i]) = seconds;
		return;
	}
	list = arena_strdup(config->arena, value);
	for (char *item = list, *next; *item != '\0'; item = next) {
		char *equals;
		size_t length = strcspn(item, ",;");

		next = item + length;
		if (*next != '\0')
			*next++ = '\0';
		item = text_skip_space(item);
		equals = strchr(item, '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		set_named(config, item, equals + 1);
	}
}

void
option_set_queue_timeout(
    struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	const char *slash = strchr(value, '/');

	(void)row;
	(void)sub;
	/* V8: in this order */
	if (slash != NULL)
		set_named(config, "queuewarn", slash + 1);
	set_named(config, "queuereturn",
	    slash != NULL ? arena_memdup(config->arena, value, (size_t)(slash - value)) : value);
}

void
option_set_timeout_defaults(struct config *config)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].default_value != NULL)
			set_timeout_row(config, &rows[i], rows[i].default_value);
	}
	config->options.timeouts.queue_return_default =
	    config->options.timeouts.queue_return.normal;
}

bool
option_is_idle_timeout(const char *name)
{
	static const char *const idle[] = {"fileopen", "misc", "ident",
	    "resolver.retrans.first", "resolver.retry.first"};

	for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++) {
		if (text_equal_nocase(idle[i], name))
			return true;
	}
	return false;
}
