/* Class host: canonical names, by the hosts file and the DNS as the service switch says. */
#include "map_internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "base/trace.h"
#include "net/dns.h"

enum { METHODS_MAXIMUM = 8, SHOWN_NAME = 33, CACHE_MAXIMUM = 200 };

enum found { FOUND, NOT_FOUND, FOR_NOW_NOT };

static bool
take_host_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	(void)map;
	(void)errors;
	(void)value;
	return letter == 'v' || letter == 'k'; /* without meaning here */
}

static bool
declare_host(struct map *map, const char *arguments, struct map_errors *errors)
{
	map->options.is_put_off = true; /* V8: host is never asked in deferred mode */
	map_read_options(map, arguments, take_host_option, false, errors);
	return true;
}

/*
 * V8: a name in our own domain is looked for without it as well; so is one that ends in the first
 * labels of the domain, unless it had a final dot ("relay.example" where $m is example.com).
 */
static const char *
shorten_name(const char *name, bool had_final_dot, const char *domain, struct arena *arena)
{
	const char *dot = strchr(name, '.');
	size_t length;

	if (dot == NULL || domain == NULL || *domain == '\0')
		return name;
	length = strlen(dot + 1);
	if (length > strlen(domain) || !text_starts_nocase(domain, dot + 1))
		return name;
	if (domain[length] != '\0' && (had_final_dot || domain[length] != '.'))
		return name;
	return arena_memdup(arena, name, (size_t)(dot - name));
}

/*
 * One line of the hosts file.  The canonical name is its first name with a dot, or its first name;
 * true when `name` or `short_name` is one of them.
 */
static bool
read_hosts_line(char *line, const char *name, const char *short_name, const char **canonical)
{
	char *position, *word = strtok_r(line, " \t\r\n", &position);
	bool found = false;

	*canonical = NULL;
	if (word == NULL)
		return false;
	while ((word = strtok_r(NULL, " \t\r\n", &position)) != NULL) {
		if (*canonical == NULL ||
		    (strchr(*canonical, '.') == NULL && strchr(word, '.') != NULL))
			*canonical = word;
		if (text_equal_nocase(word, name) || text_equal_nocase(word, short_name))
			found = true;
	}
	return found;
}

static enum found
ask_files(const char *name, bool had_final_dot, const struct map_hooks *hooks, struct arena *arena,
    const char **canonical)
{
	const char *short_name = shorten_name(name, had_final_dot, hooks->domain, arena);
	FILE *file = fopen(hooks->hosts_file != NULL ? hooks->hosts_file : "/etc/hosts", "r");
	char *line = NULL;
	size_t size = 0;
	enum found result = NOT_FOUND;

	if (file == NULL)
		return NOT_FOUND;
	while (result == NOT_FOUND && getline(&line, &size, file) >= 0) {
		const char *first;

		line[strcspn(line, "#")] = '\0';
		if (!read_hosts_line(line, name, short_name, &first))
			continue;
		result = FOUND;
		if (strchr(first, '.') == NULL && hooks->domain != NULL && *hooks->domain != '\0')
			*canonical = arena_printf(arena, "%s.%s", first, hooks->domain);
		else
			*canonical = arena_strdup(arena, first);
	}
	free(line);
	fclose(file);
	return result;
}

/* A, then AAAA, then MX where that counts: the first that the name has decides. */
static enum found
ask_dns(const char *name, bool with_mx, const struct map_hooks *hooks, struct arena *arena,
    const char **canonical, const char **message)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX};
	bool failed = false;

	for (size_t i = 0; i < (with_mx ? 3 : 2); i++) {
		struct dns_answer answer;

		dns_search(name, types[i], arena, &answer);
		/* V8: no name without a dot is canonical, though the DNS may know it */
		if (answer.status == DNS_FOUND && strchr(answer.canonical, '.') != NULL) {
			*canonical = hooks->keeps_aliases ? answer.asked : answer.canonical;
			return FOUND;
		}
		if (answer.status == DNS_LOOP) {
			*canonical = answer.canonical;
			*message =
			    arena_printf(arena, "DNS failure: CNAME loop for %s", answer.canonical);
			return NOT_FOUND;
		}
		if (answer.status == DNS_TRY_AGAIN) {
			failed = true;
			break; /* the others would wait as long */
		}
	}
	return failed ? FOR_NOW_NOT : NOT_FOUND;
}

int
map_canonical_name(const char *name, bool with_mx, const struct map_hooks *hooks,
    struct arena *arena, const char **canonical, const char **message)
{
	const char *methods[METHODS_MAXIMUM] = {"files", "dns"}, *plain;
	size_t count = 2, length = strlen(name);
	bool failed = false, had_final_dot;

	*canonical = NULL;
	*message = NULL;
	if (length == 0)
		return EX_NOHOST;
	had_final_dot = name[length - 1] == '.';
	plain = arena_memdup(arena, name, length - had_final_dot);
	if (hooks->switch_methods != NULL)
		count = hooks->switch_methods(hooks->context, "hosts", methods, METHODS_MAXIMUM);
	for (size_t i = 0; i < count; i++) {
		enum found found = NOT_FOUND;

		if (trace_on(38, 20))
			trace_print("getcanonname(%s), trying %s\n", name, methods[i]);
		if (text_equal_nocase(methods[i], "files")) {
			if (trace_on(38, 20))
				trace_print("text_getcanonname(%s)\n", name);
			found = ask_files(plain, had_final_dot, hooks, arena, canonical);
		} else if (text_equal_nocase(methods[i], "dns")) {
			if (trace_on(8, 2))
				trace_print("dns_getcanonname(%s, trymx=%d)\n", name, with_mx);
			found = ask_dns(plain, with_mx, hooks, arena, canonical, message);
			/* V8: looking there took the dot off */
			if (found == NOT_FOUND && had_final_dot && *canonical == NULL)
				*canonical = plain;
		}
		if (found == FOUND) {
			if (trace_on(38, 20))
				trace_print("getcanonname(%s), found, ad=%d\n", *canonical,
				    text_equal_nocase(methods[i], "files"));
			return EX_OK;
		}
		failed = failed || found == FOR_NOW_NOT;
	}
	if (trace_on(38, 20))
		trace_print("getcanonname(%s), failed, status=%d\n", name,
		    failed ? EX_TEMPFAIL : EX_NOHOST);
	return failed ? EX_TEMPFAIL : EX_NOHOST;
}

bool
map_read_literal(const char *key, struct sockaddr_storage *address, socklen_t *length)
{
	char text[INET6_ADDRSTRLEN + 8];
	size_t size = strcspn(key + 1, "]");
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;

	if (key[1 + size] != ']' || size >= sizeof text)
		return false;
	memcpy(text, key + 1, size);
	text[size] = '\0';
	memset(address, 0, sizeof *address);
	if (text_starts_nocase(text, "IPv6:")) {
		six->sin6_family = AF_INET6;
		*length = sizeof *six;
		return inet_pton(AF_INET6, text + 5, &six->sin6_addr) == 1;
	}
	four->sin_family = AF_INET;
	*length = sizeof *four;
	return inet_pton(AF_INET, text, &four->sin_addr) == 1;
}

static void
lookup_literal(struct map *map, struct map_call *call)
{
	struct sockaddr_storage address;
	socklen_t length;
	char name[NI_MAXHOST];
	int error;

	if (!map_read_literal(call->key, &address, &length)) {
		map_miss(call, strchr(call->key, ']') != NULL ? EX_UNAVAILABLE : EX_OK);
		return;
	}
	error = getnameinfo(
	    (struct sockaddr *)&address, length, name, sizeof name, NULL, 0, NI_NAMEREQD);
	if (error == 0 && trace_on(9, 1))
		trace_print("host_map_lookup(%s) => FOUND %s\n", call->key, name);
	if (error == 0)
		map_give_literal(map, call, name);
	else
		map_miss(call, error == EAI_AGAIN ? EX_TEMPFAIL : EX_NOHOST);
}

/*
 * V8 keeps what it found.  Here it is asked anew each time, and what was found is kept for -d9 and
 * -d38 alone, which show it.
 */
static bool
take_from_cache(struct map *map, struct map_call *call)
{
	const char *known;

	if (map->set->hosts == NULL)
		map->set->hosts = table_create(TABLE_NOCASE);
	if (!trace_on(9, 1) && !trace_on(38, 20))
		return false;
	known = table_get(map->set->hosts, call->key);
	if (known != NULL && trace_on(9, 1))
		trace_print("host_map_lookup(%s) => CACHE %s\n", call->key,
		    *known != '\0' ? known : "NULL");
	if (known != NULL && *known != '\0')
		map_give_literal(map, call, known);
	else if (known != NULL)
		map_miss(call, EX_NOHOST);
	return known != NULL;
}

static void
keep_in_cache(struct map *map, const struct map_call *call, const char *canonical)
{
	const struct map_result *result = call->result;

	if (trace_on(9, 1) && result->found)
		trace_print("host_map_lookup(%s) => FOUND %s\n", call->key, canonical);
	else if (trace_on(9, 1))
		trace_print("host_map_lookup(%s) => FAIL (%d)\n", call->key,
		    result->status == EX_TEMPFAIL ? TRY_AGAIN : HOST_NOT_FOUND);
	if (table_count(map->set->hosts) < CACHE_MAXIMUM && result->status != EX_TEMPFAIL)
		table_set(map->set->hosts, call->key,
		    arena_strdup(map->set->arena, canonical != NULL ? canonical : ""));
}

static void
lookup_host(struct map *map, struct map_call *call)
{
	const char *canonical = NULL, *message;
	int status;

	if (*call->key == '[') {
		lookup_literal(map, call);
		return;
	}
	if (take_from_cache(map, call))
		return;
	status =
	    map_canonical_name(call->key, true, call->hooks, call->arena, &canonical, &message);
	if (status == EX_TEMPFAIL)
		map_notice(call, "%.*s: %s", SHOWN_NAME, call->key, dns_status_text(DNS_TRY_AGAIN));
	else if (message != NULL)
		map_notice(call, "%s", message);
	call->result->found = status == EX_OK;
	call->result->status = status;
	keep_in_cache(map, call, status == EX_OK ? canonical : NULL);
	if (status == EX_OK)
		map_give_literal(map, call, canonical);
	else
		map_miss(call, status);
}

const struct map_class map_class_host = {
    .name = "host", .declare = declare_host, .lookup = lookup_host};
