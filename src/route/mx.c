#include "route/mx.h"

#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "conf/service_switch.h"
#include "net/address.h"
#include "os/os.h"

struct search {
	const struct config *config;
	struct arena *arena;
	mx_query *query;
	struct mx_list *list;
	size_t capacity;
	bool no_mx;
};

static void
add(struct search *search, struct mx_host host)
{
	struct mx_list *list = search->list;

	if (host.given == NULL)
		host.given = host.name;
	if (list->count == search->capacity) {
		size_t capacity = search->capacity > 0 ? search->capacity * 2 : 8;

		list->hosts = arena_grow(search->arena, list->hosts,
		    search->capacity * sizeof *list->hosts, capacity * sizeof *list->hosts);
		search->capacity = capacity;
	}
	list->hosts[list->count++] = host;
}

static const char *
with_dot(struct arena *arena, const char *name)
{
	size_t length = strlen(name);

	return length > 0 && name[length - 1] == '.' ? name : arena_printf(arena, "%s.", name);
}

static const char *
without_dot(struct arena *arena, const char *name)
{
	size_t length = strlen(name);

	return arena_memdup(
	    arena, name, length > 0 && name[length - 1] == '.' ? length - 1 : length);
}

static bool
is_self(const struct config *config, const char *name)
{
	size_t length = strlen(name);

	if (length > 0 && name[length - 1] == '.')
		length--;
	return class_has(config->classes, macro_id(config->names, "w"), name, length);
}

static void
set_status(struct search *search, enum mx_status status, const char *name)
{
	if (search->list->count == 0) {
		search->list->status = status;
		search->list->name = name;
	}
}

/* By preference; equal ones in random order, so that a domain's hosts share the load. */
static struct dns_record **
sort(struct arena *arena, const struct dns_answer *answer)
{
	struct dns_record **sorted = ARENA_ARRAY(arena, struct dns_record *, answer->count + 1);
	uint32_t *weights = ARENA_ARRAY(arena, uint32_t, answer->count + 1), weight;
	size_t count = 0, at;

	for (struct dns_record *record = answer->records; record != NULL && count < answer->count;
	     record = record->next) {
		os_random(&weight, sizeof weight);
		for (at = count++; at > 0; at--) {
			const struct dns_record *before = sorted[at - 1];

			if (before->preference < record->preference ||
			    (before->preference == record->preference && weights[at - 1] <= weight))
				break;
			sorted[at] = sorted[at - 1];
			weights[at] = weights[at - 1];
		}
		sorted[at] = record;
		weights[at] = weight;
	}
	return sorted;
}

static void
add_answer(struct search *search, const char *name, const struct dns_answer *answer)
{
	struct dns_record **sorted = sort(search->arena, answer);
	size_t count = 0, before = search->list->count;
	const char *self = NULL;

	while (sorted[count] != NULL)
		count++;
	if (count == 1 && sorted[0]->name[0] == '\0') {
		set_status(search, MX_NULL, name);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (self == NULL && is_self(search->config, sorted[i]->name))
			self = sorted[i]->name;
		/* its equals go as well: they would only send the mail back */
		if (self != NULL) {
			unsigned limit = sorted[i]->preference;

			for (count = 0; count < i && sorted[count]->preference < limit; count++)
				continue;
			break;
		}
	}
	for (size_t i = 0; i < count; i++) {
		const char *full = with_dot(search->arena, sorted[i]->name);

		if (sorted[i]->name[0] != '\0')
			add(search, (struct mx_host){.name = full,
					.look_up = full,
					.asked = without_dot(search->arena, name),
					.is_mx = true,
					.is_secure = answer->is_authentic,
					.preference = sorted[i]->preference});
	}
	if (search->list->count > before)
		return;
	if (self != NULL && search->config->options.try_null_mx_list) {
		add(search, (struct mx_host){.name = name, .look_up = name});
	} else if (self != NULL) {
		set_status(search, MX_SELF, name);
		search->list->self = self;
	} else {
		set_status(search, MX_NO_NAME, name);
	}
}

/*
 * V8: a name that DNS does not know may stand in the hosts file.  Only that is read: a search list
 * could lead the mail of a misspelt domain somewhere else.
 */
static bool
add_from_hosts_file(struct search *search, const char *name, const char *full)
{
	struct mx_host host = {.name = full, .look_up = full, .given = name};

	if (address_find_in_hosts(search->config->options.hosts_file, name, search->arena,
		&host.addresses, &host.address_count) != ADDRESS_FOUND)
		return false;
	add(search, host);
	return true;
}

/* The service switch: may DNS be asked, and does the hosts file come before it? */
static void
read_switch(const struct config *config, bool *asks_dns, bool *files_first)
{
	const char *methods[SERVICE_METHODS];
	size_t count = config_switch_methods(config, "hosts", methods, SERVICE_METHODS);
	bool has_files = false;

	*asks_dns = *files_first = false;
	for (size_t i = 0; i < count; i++) {
		if (text_equal_nocase(methods[i], "dns")) {
			*asks_dns = true;
			*files_first = has_files;
		}
		has_files |= text_equal_nocase(methods[i], "files");
	}
}

static void
find_mx(struct search *search, const char *name)
{
	const char *full = with_dot(search->arena, name);
	struct dns_answer answer = {0};
	bool asks_dns, files_first;

	read_switch(search->config, &asks_dns, &files_first);
	if (!asks_dns) {
		/* no MX anywhere: the host itself, by whatever the system has for names */
		if (!add_from_hosts_file(search, name, full))
			add(search, (struct mx_host){.name = full, .look_up = name, .given = name});
		return;
	}
	search->query(name, DNS_MX, search->arena, &answer);
	switch (answer.status) {
	case DNS_FOUND:
		add_answer(search, full, &answer);
		break;
	case DNS_NO_DATA:
	case DNS_LOOP:
		add(search, (struct mx_host){.name = full,
				.look_up = full,
				.given = name,
				.is_secure = answer.is_authentic});
		break;
	case DNS_NO_NAME:
		if (!add_from_hosts_file(search, name, full))
			set_status(search, MX_NO_NAME, name);
		break;
	case DNS_TRY_AGAIN:
		/* a smart host of the hosts file need not wait for a name server that is down */
		if (!files_first || !add_from_hosts_file(search, name, full))
			set_status(search, MX_TRY_AGAIN, full);
		break;
	}
}

/* One name of the list, `[...]` or not. */
static void
find_one(struct search *search, const char *name)
{
	size_t length = strlen(name);
	struct net_address number;
	const char *inner;

	if (length == 0)
		return;
	if (name[0] == '[' && name[length - 1] == ']') {
		if (address_parse(name, &number)) {
			add(search,
			    (struct mx_host){.name = name, .look_up = name, .is_literal = true});
			return;
		}
		inner = arena_memdup(search->arena, name + 1, length - 2);
		add(search, (struct mx_host){.name = with_dot(search->arena, inner),
				.look_up = inner,
				.given = name,
				.is_secure = true});
	} else if (search->no_mx) {
		add(search, (struct mx_host){.name = with_dot(search->arena, name),
				.look_up = name,
				.given = name,
				.is_secure = true});
	} else {
		find_mx(search, name);
	}
}

/* Puts list->hosts[first..last) into random order. */
static void
shuffle(struct mx_list *list, size_t first, size_t last)
{
	for (size_t i = last; i > first + 1; i--) {
		struct mx_host moved = list->hosts[i - 1];
		uint32_t number;
		size_t other;

		os_random(&number, sizeof number);
		other = first + number % (i - first);
		list->hosts[i - 1] = list->hosts[other];
		list->hosts[other] = moved;
	}
}

/* Where the name at `text` ends: at a list separator outside brackets (IPv6 has colons). */
static size_t
name_length(const char *text)
{
	bool in_brackets = false;
	size_t length;

	for (length = 0; text[length] != '\0'; length++) {
		if (text[length] == '[')
			in_brackets = true;
		else if (text[length] == ']')
			in_brackets = false;
		else if (!in_brackets && (text[length] == ':' || text[length] == ','))
			break;
	}
	return length;
}

static void
find_list(struct search *search, const char *text)
{
	size_t group = search->list->count;
	bool has_equals = false;

	while (*text != '\0') {
		size_t length = name_length(text);
		char separator = text[length];
		char *name = arena_memdup(search->arena, text_skip_space(text),
		    length - (size_t)(text_skip_space(text) - text));

		text_trim_end(name);
		find_one(search, name);
		has_equals = has_equals || separator == ',';
		if (separator != ',') {
			if (has_equals)
				shuffle(search->list, group, search->list->count);
			has_equals = false;
			group = search->list->count;
		}
		text += length + (separator != '\0');
	}
}

/* V8 shows a FallbackSmartHost without the final dot. */
static void
add_fallback(struct search *search, const char *hosts, bool is_last_resort)
{
	enum mx_status status = search->list->status;
	const char *name = search->list->name;
	size_t first = search->list->count;

	if (hosts == NULL || *hosts == '\0')
		return;
	find_list(search, hosts);
	if (search->list->count == first) { /* what is wrong with the host itself is the news */
		search->list->status = status;
		search->list->name = name;
	}
	for (size_t i = first; i < search->list->count && is_last_resort; i++) {
		struct mx_host *host = &search->list->hosts[i];

		host->is_last_resort = true;
		host->name = without_dot(search->arena, host->name);
	}
}

void
mx_find(const struct config *config, const char *host, bool no_mx, mx_query *query,
    struct arena *arena, struct mx_list *list)
{
	struct search search = {
	    .config = config, .arena = arena, .query = query, .list = list, .no_mx = no_mx};
	const struct options *options = &config->options;

	*list = (struct mx_list){.status = MX_NO_NAME, .name = host};
	find_list(&search, host);
	/* a domain that takes no mail, and mail that would come back here, are not for others either */
	if (list->count > 0 || list->status == MX_TRY_AGAIN || list->status == MX_NO_NAME) {
		search.no_mx = false;
		add_fallback(&search, options->fallback_mx_host, false);
		add_fallback(&search, options->fallback_smart_host, true);
	}
	if (list->count > 0)
		list->status = MX_FOUND;
}

void
mx_copy(const struct mx_list *list, struct arena *arena, struct mx_list *copy)
{
	*copy = (struct mx_list){
	    .status = list->status, .name = arena_strdup(arena, list->name), .count = list->count};
	copy->hosts = ARENA_ARRAY(arena, struct mx_host, copy->count + 1);
	for (size_t i = 0; i < copy->count; i++) {
		const struct mx_host *host = &list->hosts[i];
		struct mx_host *other = &copy->hosts[i];

		*other = *host;
		other->name = arena_strdup(arena, host->name);
		other->look_up = arena_strdup(arena, host->look_up);
		other->given = arena_strdup(arena, host->given);
		other->asked = arena_strdup(arena, host->asked);
		if (host->addresses != NULL) {
			other->addresses =
			    ARENA_ARRAY(arena, struct net_address, host->address_count);
			memcpy(other->addresses, host->addresses,
			    host->address_count * sizeof *host->addresses);
		}
	}
}

size_t
mx_next(const struct mx_list *list, size_t index)
{
	for (; index < list->count; index++) {
		size_t before = 0;

		while (before < index &&
		       !text_equal_nocase(list->hosts[before].name, list->hosts[index].name))
			before++;
		if (before == index)
			break;
	}
	return index;
}
