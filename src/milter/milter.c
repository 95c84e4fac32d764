/* All filters of a session, asked one after the other at each stage. */
#include "stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/address.h"

enum { ACTION_SIZE = 32 };

static const struct stage connect_stage = {
    .name = "connect",
    .command = MILTER_CONNECT,
    .macros = FILTER_CONNECT,
    .unwanted = MILTER_NO_CONNECT,
    .silent = MILTER_SILENT_CONNECT,
    .version = MILTER_VERSION_OLDEST,
};
static const struct stage helo_stage = {
    .name = "helo",
    .command = MILTER_HELO,
    .macros = FILTER_HELO,
    .unwanted = MILTER_NO_HELO,
    .silent = MILTER_SILENT_HELO,
    .version = MILTER_VERSION_OLDEST,
};
static const struct stage mail_stage = {.name = "mail",
    .command = MILTER_MAIL,
    .macros = FILTER_MAIL,
    .unwanted = MILTER_NO_MAIL,
    .silent = MILTER_SILENT_MAIL,
    .version = MILTER_VERSION_OLDEST,
    .is_of_message = true};
static const struct stage rcpt_stage = {.name = "rcpt",
    .command = MILTER_RCPT,
    .macros = FILTER_RCPT,
    .unwanted = MILTER_NO_RCPT,
    .silent = MILTER_SILENT_RCPT,
    .version = MILTER_VERSION_OLDEST,
    .is_of_message = true};
static const struct stage data_stage = {.name = "data",
    .command = MILTER_DATA,
    .macros = FILTER_DATA,
    .unwanted = MILTER_NO_DATA,
    .silent = MILTER_SILENT_DATA,
    .version = MILTER_VERSION_DATA,
    .is_of_message = true};
static const struct stage unknown_stage = {
    .name = "unknown",
    .command = MILTER_UNKNOWN,
    .macros = FILTER_STAGES,
    .unwanted = MILTER_NO_UNKNOWN,
    .silent = MILTER_SILENT_UNKNOWN,
    .version = MILTER_VERSION_UNKNOWN,
};

void
milter_log(struct milters *all, int level, int priority, const char *format, ...)
{
	struct str line = {0};
	va_list arguments;

	if (all->log_level < level)
		return;
	va_start(arguments, format);
	str_vprintf(&line, format, arguments);
	va_end(arguments);
	log_at(0, priority, "%s: %s", all->host.id(all->host.context), str_text(&line));
	str_free(&line);
}

const char *
milter_show(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 4 * strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++) {
		const char *known = strchr("\r\n\t", *text);

		if (known != NULL) {
			*to++ = '\\';
			*to++ = *text == '\r' ? 'r' : *text == '\n' ? 'n' : 't';
		} else if ((unsigned char)*text > 126) {
			to += sprintf(to, "\\%03o", (unsigned)(unsigned char)*text);
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	return out;
}

/* A reply code of the filter's own; what is none is a refusal in sendmail's words. */
static void
take_reply(struct milters *all, struct milter_packet *packet, struct milter_result *result)
{
	const char *text;

	result->answer = MILTER_REPLIED;
	if (milter_take_text(packet, &text) &&
	    milter_parse_reply(text, all->arena, &result->verdict)) {
		result->reply = milter_show(all->arena, text);
		return;
	}
	result->reply = "550 5.7.1 Command rejected";
	milter_parse_reply(result->reply, all->arena, &result->verdict);
}

bool
stage_take_answer(struct milters *all, struct filter *filter, struct milter_packet *packet,
    const char *action, struct milter_result *result)
{
	/* V8 tells of an answer to the whole message at another level */
	static const struct {
		char letter;
		const char *word;
		enum milter_answer answer;
		int level;
	} rows[] = {
	    {MILTER_CONTINUE, "continue", MILTER_GOES_ON, 13},
	    {MILTER_SKIP, "skip", MILTER_GOES_ON, 13},
	    {MILTER_ACCEPT, "accepted", MILTER_GOES_ON, 11},
	    {MILTER_REJECT, "reject", MILTER_REFUSED, 11},
	    {MILTER_TEMPFAIL, "tempfail", MILTER_PUT_OFF, 11},
	    {MILTER_DISCARD, "discard", MILTER_DISCARDED, 11},
	};
	const char *name = filter->conf->name;

	if (packet->letter == MILTER_REPLY_CODE) {
		take_reply(all, packet, result);
		milter_log(all, *action != '\0' ? 11 : 13, LOG_INFO, "milter=%s%s, reject=%s", name,
		    action, result->reply);
		return true;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].letter != packet->letter)
			continue;
		result->answer = rows[i].answer;
		if (*action != '\0' || result->answer != MILTER_GOES_ON)
			milter_log(all, *action != '\0' ? rows[i].level : 13, LOG_INFO,
			    "milter=%s%s, %s", name, action, rows[i].word);
		return true;
	}
	return false;
}

bool
stage_ask(struct milters *all, struct filter *filter, const struct stage *stage,
    const struct str *data, struct milter_result *result)
{
	struct milter_packet packet;
	char action[ACTION_SIZE];

	*result = (struct milter_result){.answer = MILTER_GOES_ON};
	if (!filter_send(all, filter, stage->command, str_text(data), data->length)) {
		result->answer = filter_policy(filter);
		return false;
	}
	if ((filter->protocol & stage->silent) != 0)
		return true;
	if (!filter_receive(
		all, filter, &packet, stage->where != NULL ? stage->where : stage->name)) {
		result->answer = filter_policy(filter);
		return false;
	}
	snprintf(action, sizeof action, ", action=%s", stage->name);
	if (!stage_take_answer(all, filter, &packet, action, result)) {
		milter_log(all, 1, LOG_ERR,
		    "milter_send_command(%s): action=%s returned bogus response %c",
		    filter->conf->name, stage->name, packet.letter);
		filter_fail(all, filter);
		result->answer = filter_policy(filter);
		return false;
	}
	if (packet.letter == MILTER_SKIP)
		filter->skips = true;
	if (packet.letter == MILTER_ACCEPT)
		filter->state = stage->is_of_message ? FILTER_DONE : FILTER_LEFT;
	return packet.letter != MILTER_ACCEPT;
}

/* One stage at one filter. */
static void
ask_one(struct milters *all, struct filter *filter, const struct stage *stage,
    const struct str *data, struct milter_result *result)
{
	int64_t start = clock_monotonic_ms();

	if (stage->macros != FILTER_STAGES)
		filter_tell_macros(all, filter, stage->macros, stage->command);
	if (filter->state == FILTER_FAILED)
		result->answer = filter_policy(filter);
	else if (filter->version >= stage->version && (filter->protocol & stage->unwanted) == 0)
		stage_ask(all, filter, stage, data, result);
	milter_log(all, 22, LOG_INFO, "Milter (%s): time command (%c), %ld", filter->conf->name,
	    stage->command, (long)(clock_monotonic_ms() - start) / 1000);
	if (stage->command == MILTER_MAIL && filter->state == FILTER_OPEN &&
	    result->answer == MILTER_GOES_ON)
		filter->state = FILTER_IN_MESSAGE;
}

/* All of them, until one has something against it. */
static void
ask_all(struct milters *all, const struct stage *stage, const struct str *data,
    bool (*concerns)(const struct filter *), struct milter_result *result)
{
	*result = (struct milter_result){.answer = MILTER_GOES_ON};
	if (all == NULL)
		return;
	arena_reset(all->scratch);
	for (size_t i = 0; i < all->count && result->answer == MILTER_GOES_ON; i++) {
		struct filter *filter = &all->filters[i];

		if (filter->state == FILTER_FAILED)
			result->answer = filter_policy(filter);
		else if (filter->state != FILTER_LEFT && filter->state != FILTER_DONE &&
			 (concerns == NULL || concerns(filter)))
			ask_one(all, filter, stage, data, result);
	}
}

static void
read_list(struct milters *all, const char *list)
{
	const struct filter_conf *conf;
	const char *name, *at;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 1)
			all->filters = ARENA_ARRAY(all->arena, struct filter, all->count + 1);
		all->count = 0;
		at = list;
		while (at != NULL) {
			conf = config_next_filter(all->config, &at, &name, all->arena);
			if (conf != NULL && pass == 1)
				all->filters[all->count].conf = conf;
			all->count += conf != NULL;
		}
	}
}

static void
quit_all(struct milters *all)
{
	for (size_t i = 0; i < all->count; i++)
		filter_quit(all, &all->filters[i]);
}

struct milters *
milter_open(const struct config *config, const char *list, const struct milter_host *host,
    struct milter_result *result)
{
	static const char *const words[] = {[MILTER_REFUSED] = "rejecting commands",
	    [MILTER_PUT_OFF] = "temp failing commands",
	    [MILTER_CLOSES] = "closing connection"};
	struct arena *arena = arena_create();
	struct milters *all = ARENA_NEW(arena, struct milters);

	*result = (struct milter_result){.answer = MILTER_GOES_ON};
	*all = (struct milters){.config = config,
	    .host = *host,
	    .arena = arena,
	    .scratch = arena_create(),
	    .log_level = config->options.milter_log_level >= 0 ? config->options.milter_log_level
							       : log_level()};
	read_list(all, list);
	for (size_t i = 0; i < all->count && result->answer == MILTER_GOES_ON; i++) {
		if (!filter_open(all, &all->filters[i]))
			result->answer = filter_policy(&all->filters[i]);
	}
	if (result->answer != MILTER_GOES_ON) {
		quit_all(all);
		milter_log(
		    all, 5, LOG_INFO, "Milter: initialization failed, %s", words[result->answer]);
	}
	if (all->count > 0)
		return all;
	milter_close(all);
	return NULL;
}

void
milter_close(struct milters *all)
{
	if (all == NULL)
		return;
	for (size_t i = 0; i < all->count; i++) {
		if (all->filters[i].conn != NULL)
			filter_quit(all, &all->filters[i]);
		str_free(&all->filters[i].packet);
	}
	arena_destroy(all->scratch);
	arena_destroy(all->arena);
}

void
milter_connect(struct milters *all, const char *host, const struct sockaddr *address,
    struct milter_result *result)
{
	struct str data = {0};
	int family = address != NULL ? address->sa_family : AF_UNSPEC;

	if (all != NULL)
		milter_log(all, 10, LOG_INFO, "Milter: connect to filters");
	milter_add_text(&data, host);
	if (family == AF_INET || family == AF_INET6) {
		unsigned port = address_port(address);
		char text[INET6_ADDRSTRLEN + 1] = "";
		const void *bytes =
		    family == AF_INET
			? (const void *)&((const struct sockaddr_in *)(const void *)address)
			      ->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)(const void *)address)
			      ->sin6_addr;

		str_add_char(&data, family == AF_INET ? '4' : '6');
		str_add_char(&data, (char)(port >> 8 & 0xff));
		str_add_char(&data, (char)(port & 0xff));
		inet_ntop(family, bytes, text, sizeof text);
		milter_add_text(&data, text);
	} else {
		str_add_char(&data, 'U');
	}
	ask_all(all, &connect_stage, &data, NULL, result);
	str_free(&data);
	if (all == NULL || result->answer == MILTER_GOES_ON)
		return;
	/* V8: nobody is asked about a connection that one of them ended, nor after it was to be discarded */
	milter_log(all, 10, LOG_INFO, "Milter: connect, ending");
	quit_all(all);
	if (result->answer == MILTER_DISCARDED)
		result->answer = MILTER_GOES_ON;
}

void
milter_helo(struct milters *all, const char *name, struct milter_result *result)
{
	struct str data = {0};

	milter_add_text(&data, name);
	ask_all(all, &helo_stage, &data, NULL, result);
	str_free(&data);
	/* V8: there is no message yet that could be discarded */
	if (result->answer == MILTER_DISCARDED)
		result->answer = MILTER_GOES_ON;
}

static void
add_arguments(struct str *data, const char *address, const char *const *parameters)
{
	milter_add_text(data, address);
	for (; *parameters != NULL; parameters++)
		milter_add_text(data, *parameters);
}

void
milter_mail(struct milters *all, const char *address, const char *const *parameters,
    struct milter_result *result)
{
	struct str data = {0};

	if (all != NULL)
		milter_log(all, 15, LOG_INFO, "Milter: sender: %s", address);
	for (size_t i = 0; all != NULL && i < all->count; i++) {
		struct filter *filter = &all->filters[i];

		if (filter->state == FILTER_DONE || filter->state == FILTER_IN_MESSAGE)
			filter->state = FILTER_OPEN;
		filter->skips = false;
	}
	add_arguments(&data, address, parameters);
	ask_all(all, &mail_stage, &data, NULL, result);
	str_free(&data);
	if (result->answer == MILTER_REFUSED)
		milter_log(all, 11, LOG_INFO, "Milter: reject, sender");
}

static bool
hears_rejected(const struct filter *filter)
{
	return filter->state != FILTER_FAILED && (filter->protocol & MILTER_REJECTED_RCPT) != 0;
}

bool
milter_wants_rejected(const struct milters *all)
{
	for (size_t i = 0; all != NULL && i < all->count; i++) {
		if (hears_rejected(&all->filters[i]))
			return true;
	}
	return false;
}

void
milter_rcpt(struct milters *all, const char *address, const char *const *parameters,
    bool is_refused, struct milter_result *result)
{
	struct str data = {0};

	if (all != NULL)
		milter_log(all, 15, LOG_INFO, "Milter: rcpts: %s", address);
	add_arguments(&data, address, parameters);
	ask_all(all, &rcpt_stage, &data, is_refused ? hears_rejected : NULL, result);
	str_free(&data);
}

void
milter_data(struct milters *all, struct milter_result *result)
{
	struct str nothing = {0};

	ask_all(all, &data_stage, &nothing, NULL, result);
}

void
milter_unknown(struct milters *all, const char *line, struct milter_result *result)
{
	struct str data = {0};

	if (all != NULL)
		milter_log(all, 10, LOG_INFO, "Sending \"%s\" to Milter", line);
	milter_add_text(&data, line);
	ask_all(all, &unknown_stage, &data, NULL, result);
	str_free(&data);
}

void
milter_abort(struct milters *all)
{
	for (size_t i = 0; all != NULL && i < all->count; i++) {
		struct filter *filter = &all->filters[i];

		if (filter->state == FILTER_IN_MESSAGE) {
			filter->state = FILTER_OPEN;
			milter_log(
			    all, 11, LOG_INFO, "Milter (%s): abort filter", filter->conf->name);
			filter_send(all, filter, MILTER_ABORT, "", 0);
		} else if (filter->state == FILTER_DONE) {
			filter->state = FILTER_OPEN;
		}
	}
}
