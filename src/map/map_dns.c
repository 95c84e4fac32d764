/* Classes dns and bestmx. */
#include "map_internal.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/text.h"
#include "base/trace.h"
#include "net/dns.h"

enum { EXCHANGERS_MAXIMUM = 100 };

struct dns_state {
	bool has_type;
	enum dns_type type;
	int retransmit_seconds, retry;
};

/* "5", "5s", "2m" to seconds; anything else 0, the resolver's own. */
static int
read_seconds(const char *text)
{
	char *unit;
	long number = strtol(text, &unit, 10);

	if (number < 0 || number > 3600)
		return 0;
	return (int)(*unit == 'm' ? number * 60 : number);
}

static bool
take_dns_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	struct dns_state *state = map->state;
	const char *name;

	switch (letter) {
	case 'R':
		name = text_skip_space(value);
		state->has_type = dns_type_named(name, &state->type);
		if (!state->has_type)
			map_add_error(errors, "dns map %s: wrong type %s", map->name, name);
		return true;
	case 'd':
		state->retransmit_seconds = read_seconds(value);
		return true;
	case 'r':
		state->retry = atoi(value);
		return true;
	default:
		return false;
	}
}

static bool
declare_dns(struct map *map, const char *arguments, struct map_errors *errors)
{
	struct dns_state *state = ARENA_NEW(map->set->arena, struct dns_state);

	map->state = state;
	map_read_options(map, arguments, take_dns_option, false, errors);
	if (!state->has_type)
		map_add_error(errors, "dns map %s: missing -R type", map->name);
	return true;
}

/* In order of preference; what is equal keeps the order of the answer. */
static struct dns_record *
sort_by_preference(struct dns_record *records)
{
	struct dns_record *sorted = NULL;

	while (records != NULL) {
		struct dns_record *one = records, **link = &sorted;

		records = one->next;
		while (*link != NULL && (*link)->preference <= one->preference)
			link = &(*link)->next;
		one->next = *link;
		*link = one;
	}
	return sorted;
}

static void
add_record(struct str *out, const struct dns_record *record)
{
	const unsigned char *bytes = record->address;

	switch (record->type) {
	case DNS_A:
		str_printf(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
		break;
	case DNS_AAAA: /* V8: not compressed */
		str_add_text(out, "IPv6");
		for (size_t i = 0; i < 16; i += 2)
			str_printf(out, ":%x", (unsigned)bytes[i] << 8 | bytes[i + 1]);
		break;
	case DNS_SRV:
		str_printf(out, "%u %u %u %s", record->preference, record->weight, record->port,
		    record->name);
		break;
	case DNS_TXT:
		str_add_text(out, record->text);
		break;
	default:
		str_add_text(out, record->name);
		break;
	}
}

static int
status_of(enum dns_status status)
{
	return status == DNS_TRY_AGAIN ? EX_TEMPFAIL : MAP_NOT_FOUND;
}

static void
lookup_dns(struct map *map, struct map_call *call)
{
	struct dns_state *state = map->state;
	struct dns_answer answer;
	struct str values = {0};
	const char *text;

	if (!state->has_type) {
		map_miss(call, MAP_NOT_FOUND);
		return;
	}
	dns_query_within(
	    call->key, state->type, state->retransmit_seconds, state->retry, call->arena, &answer);
	if (answer.status != DNS_FOUND) {
		map_miss(call, status_of(answer.status));
		return;
	}
	if (state->type == DNS_MX || state->type == DNS_SRV)
		answer.records = sort_by_preference(answer.records);
	for (const struct dns_record *record = answer.records; record != NULL;
	     record = record->next) {
		if (record != answer.records)
			str_add_char(&values, map->options.delimiter);
		add_record(&values, record);
		if (!map->options.has_delimiter)
			break;
	}
	text = arena_strdup(call->arena, str_text(&values));
	str_free(&values);
	map_give_literal(map, call, text);
}

const struct map_class map_class_dns = {
    .name = "dns", .declare = declare_dns, .lookup = lookup_dns};

/* --- bestmx */

static bool
asks_dns(const struct map_hooks *hooks)
{
	const char *methods[8];
	size_t count;

	if (hooks->switch_methods == NULL)
		return true;
	count = hooks->switch_methods(hooks->context, "hosts", methods, 8);
	for (size_t i = 0; i < count; i++) {
		if (text_equal_nocase(methods[i], "dns"))
			return true;
	}
	return false;
}

/* V8: a name without MX is its own, when it is its own canonical name or has no dot. */
static int
take_own_name(
    const char *name, const struct map_hooks *hooks, struct arena *arena, const char *names[])
{
	const char *canonical, *message;
	size_t length = strlen(name);

	if (length > 0 && name[length - 1] == '.')
		name = arena_memdup(arena, name, length - 1);
	if (map_canonical_name(name, false, hooks, arena, &canonical, &message) != EX_OK ||
	    (!text_equal_nocase(canonical, name) && strchr(name, '.') != NULL))
		return 0;
	names[0] = arena_printf(arena, "%s.", canonical);
	return 1;
}

/* What V8 has from its resolver. */
static int
trace_error_number(enum dns_status status)
{
	if (status == DNS_NO_NAME)
		return HOST_NOT_FOUND;
	return status == DNS_TRY_AGAIN ? TRY_AGAIN : NO_DATA;
}

int
map_mail_exchangers(const char *name, const struct map_hooks *hooks, struct arena *arena,
    const char *names[], size_t size, int *status)
{
	struct dns_answer answer;
	size_t count = 0;

	*status = EX_OK;
	if (trace_on(8, 2))
		trace_print("getmxrr(%s, droplocalhost=0, flags=2, port=-1)\n", name);
	if (*name == '[') {
		struct sockaddr_storage address;
		socklen_t length;

		names[0] = name;
		return map_read_literal(name, &address, &length);
	}
	if (!asks_dns(hooks))
		return 0;
	dns_search(name, DNS_MX, arena, &answer);
	if (answer.status != DNS_FOUND && trace_on(8, 1))
		trace_print("getmxrr: res_search(%s) failed, h_errno=%d\n", name,
		    trace_error_number(answer.status));
	if (answer.status == DNS_TRY_AGAIN) {
		*status = EX_TEMPFAIL;
		return -1;
	}
	if (answer.status != DNS_FOUND) {
		*status = answer.status == DNS_NO_NAME ? EX_NOHOST : EX_OK;
		return take_own_name(name, hooks, arena, names);
	}
	if (answer.count == 1 && *answer.records->name == '\0') {
		*status = EX_UNAVAILABLE;
		return 0;
	}
	answer.records = sort_by_preference(answer.records);
	for (const struct dns_record *record = answer.records; record != NULL && count < size;
	     record = record->next)
		names[count++] = arena_printf(arena, "%s.", record->name);
	return (int)count;
}

static void
lookup_bestmx(struct map *map, struct map_call *call)
{
	const char *names[EXCHANGERS_MAXIMUM];
	int status, count = map_mail_exchangers(
			call->key, call->hooks, call->arena, names, EXCHANGERS_MAXIMUM, &status);
	struct str list = {0};

	for (int i = 0; i < count && (i == 0 || map->options.has_delimiter); i++) {
		if (i > 0)
			str_add_char(&list, map->options.delimiter);
		str_add_text(&list, names[i]);
	}
	if (count > 0)
		map_give_literal(map, call, str_text(&list));
	else
		map_miss(call, status);
	call->result->status =
	    status; /* V8: of the question, even where the name itself is the answer */
	str_free(&list);
}

const struct map_class map_class_bestmx = {
    .name = "bestmx", .declare = map_declare_plain, .lookup = lookup_bestmx};
