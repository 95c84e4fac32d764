/*
 * host: what this machine is called, $w $j $m $k and class w.
 *
 * V8 asks the resolver for all of it and sleeps a minute when the name stays unqualified.  Here the
 * hosts file comes first and mostly suffices; DNS is asked, for a second at most, only for a host
 * name without a dot that the hosts file does not know, and only where no Dj line settles it.
 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/text.h"
#include "net/address.h"
#include "net/dns.h"
#include "os/os.h"
#include "reading.h"

enum { HOST_SIZE = 256, DNS_SECONDS = 1 };

/* Calls back with each line of the hosts file: an address and its names, cut in place; true stops. */
static bool
each_host(const char *file,
    bool (*each)(void *context, const char *address, char **names, size_t count), void *context)
{
	FILE *hosts = fopen(file, "r");
	char line[1024];
	bool stopped = false;

	while (!stopped && hosts != NULL && fgets(line, sizeof line, hosts) != NULL) {
		char *words[32], *at = line;
		size_t count = 0;

		line[strcspn(line, "#\n")] = '\0';
		while (count < 32 && *(at = text_skip_space(at)) != '\0') {
			words[count++] = at;
			while (*at != '\0' && !text_is_space((unsigned char)*at))
				at++;
			if (*at != '\0')
				*at++ = '\0';
		}
		if (count > 1)
			stopped = each(context, words[0], words + 1, count - 1);
	}
	if (hosts != NULL)
		fclose(hosts);
	return stopped;
}

/* -- the host's own name -- */

/* "[192.0.2.1]" into class w, and names in brackets alike. */
static void
add_bracketed(struct config *config, const char *text)
{
	char bracketed[HOST_SIZE + 2];

	if (snprintf(bracketed, sizeof bracketed, "[%s]", text) < (int)sizeof bracketed)
		class_add(config->classes, 'w', bracketed);
}

struct name_search {
	const char *name;
	struct config *config;
	char full[HOST_SIZE];
	bool is_known; /* to the hosts file, with or without domain */
};

static bool
take_full_name(void *context, const char *address, char **names, size_t count)
{
	struct name_search *search = context;
	struct net_address parsed;
	char text[ADDRESS_TEXT_SIZE];
	bool is_ours = false;

	for (size_t i = 0; i < count; i++)
		is_ours |= text_equal_nocase(names[i], search->name);
	if (!is_ours)
		return false;
	search->is_known = true;
	if (address_parse(address, &parsed)) {
		address_text((const struct sockaddr *)&parsed.storage, false, text);
		add_bracketed(search->config, text);
	}
	/* the first name of the line is the official one, all of them are ours */
	for (size_t i = 0; i < count; i++) {
		class_add(search->config->classes, 'w', names[i]);
		if (search->full[0] == '\0' && strchr(names[i], '.') != NULL)
			text_copy(search->full, sizeof search->full, names[i]);
	}
	return search->full[0] != '\0';
}

/* The domain that resolv.conf puts behind names without one; "" when it has none. */
static void
default_domain(char domain[HOST_SIZE])
{
	FILE *file = fopen("/etc/resolv.conf", "r");
	char line[1024];

	domain[0] = '\0';
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		const char *at = line;

		if (!text_starts(line, "domain") && !text_starts(line, "search"))
			continue;
		at = text_skip_space(at + strlen("domain"));
		if (at > line + strlen("domain"))
			snprintf(domain, HOST_SIZE, "%.*s", (int)strcspn(at, " \t\r\n"), at);
	}
	if (file != NULL)
		fclose(file);
}

/* One question, one second: a name server that is away must not hold up each start. */
static void
ask_dns(struct name_search *search)
{
	struct arena *arena = arena_create();
	struct dns_answer answer = {0};
	char domain[HOST_SIZE];

	default_domain(domain);
	if (domain[0] != '\0') {
		dns_query_within(arena_printf(arena, "%s.%s", search->name, domain), DNS_A,
		    DNS_SECONDS, 1, arena, &answer);
		if (answer.status == DNS_FOUND && strchr(answer.canonical, '.') != NULL)
			text_copy(search->full, sizeof search->full, answer.canonical);
	}
	arena_destroy(arena);
}

void
config_set_host_names(struct config *config, bool may_ask)
{
	struct name_search search = {.config = config};
	char name[HOST_SIZE] = "", date[DATE_RFC822_SIZE];
	struct utsname system;
	const char *dot;

	if (gethostname(name, sizeof name - 1) < 0 || name[0] == '\0')
		text_copy(name, sizeof name, "localhost");
	search.name = name;
	each_host(config->options.hosts_file, take_full_name, &search);
	if (search.full[0] == '\0' && strchr(name, '.') != NULL)
		text_copy(search.full, sizeof search.full, name);
	if (may_ask && search.full[0] == '\0' && !search.is_known &&
	    !text_equal_nocase(name, "localhost"))
		ask_dns(&search);
	if (search.full[0] == '\0')
		text_copy(search.full, sizeof search.full, name);
	dot = strchr(search.full, '.');
	macro_set(config->macros, 'w', search.full);
	macro_set(config->macros, 'j', search.full);
	class_add(config->classes, 'w', name);
	class_add(config->classes, 'w', search.full);
	if (dot != NULL)
		macro_set(config->macros, 'm', dot + 1);
	if (uname(&system) >= 0) {
		macro_set(config->macros, 'k', system.nodename);
		class_add(config->classes, 'k', system.nodename);
		class_add(config->classes, 'w', system.nodename);
	}
	macro_set(config->macros, 'v', CONFIG_V8_VERSION);
	macro_set(config->macros, 'b', date_rfc822(clock_now(), date));
}

/* -- class w: every address of this machine, and the names it has in the hosts file -- */

enum { ADDRESSES_MAXIMUM = 64 };

struct interfaces {
	struct config *config;
	char addresses[ADDRESSES_MAXIMUM][ADDRESS_TEXT_SIZE];
	size_t count;
};

static void
add_interface(const struct sockaddr *address, bool is_loopback, void *context)
{
	struct interfaces *found = context;
	struct config *config = found->config;
	char *text = found->addresses[found->count];

	if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
	    found->count == ADDRESSES_MAXIMUM)
		return;
	/* V8 asks for addresses in a way that never shows it ::1 */
	if (is_loopback &&
	    (config->options.dont_probe_interfaces == 'l' || address->sa_family == AF_INET6))
		return;
	address_text(address, config->options.use_compressed_ipv6, text);
	if (text_starts_nocase(text, "IPv6:fe8")) /* link-local */
		return;
	add_bracketed(config, text);
	found->count++;
}

static bool
take_interface_names(void *context, const char *address, char **names, size_t count)
{
	struct interfaces *found = context;
	struct net_address parsed;
	char text[ADDRESS_TEXT_SIZE];

	if (!address_parse(address, &parsed))
		return false;
	address_text((const struct sockaddr *)&parsed.storage,
	    found->config->options.use_compressed_ipv6, text);
	for (size_t i = 0; i < found->count; i++) {
		if (!text_equal_nocase(found->addresses[i], text))
			continue;
		for (size_t k = 0; k < count; k++) {
			/* V8: a name that is not known by other means is taken with and without brackets */
			if (class_has(found->config->classes, 'w', names[k], strlen(names[k])))
				continue;
			class_add(found->config->classes, 'w', names[k]);
			add_bracketed(found->config, names[k]);
		}
		break;
	}
	return false;
}

void
config_set_host_classes(struct config *config)
{
	const char *name = config_macro(config, config->macros, "j"),
		   *domain = config_macro(config, config->macros, "m");

	if (config->options.dont_probe_interfaces != 't') {
		struct interfaces *found = ARENA_NEW(config->arena, struct interfaces);

		found->config = config;
		os_interfaces(add_interface, found);
		each_host(config->options.hosts_file, take_interface_names, found);
	}
	if (domain != NULL && *domain != '\0')
		class_add(config->classes, 'm', domain);
	if (name == NULL)
		name = "";
	else
		class_add(config->classes, 'w', name);
	/* V8's message(): shown to who asked for it, in test mode always */
	if (strchr(name, '.') == NULL && config_shows_messages(config))
		config_note(config, 0,
		    "WARNING: local host name (%s) is not qualified; see cf/README: WHO AM I?",
		    name);
}
