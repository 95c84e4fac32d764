/* Who is at the other end, and what macros say of it. */
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/tls.h"
#include "net/address.h"
#include "os/os.h"
#include "server/session.h"

static const char *
login_name(struct session *s, uid_t uid)
{
	struct passwd *entry = getpwuid(uid);

	return entry != NULL ? arena_strdup(s->arena, entry->pw_name)
			     : arena_printf(s->arena, "%ld", (long)uid);
}

static bool
same_host(const struct sockaddr *one, const struct sockaddr *other)
{
	char first[ADDRESS_TEXT_SIZE], second[ADDRESS_TEXT_SIZE];

	return strcmp(address_text(one, false, first), address_text(other, false, second)) == 0;
}

/* A name is believed when it leads back to the address.  ${client_resolve} in the end. */
static const char *
verify_name(struct session *s, const char *name, const struct sockaddr *peer)
{
	struct net_address *list;
	size_t count, i;

	switch (address_resolve(name, AF_UNSPEC, s->arena, &list, &count)) {
	case ADDRESS_TRY_AGAIN:
		return "TEMP";
	case ADDRESS_NO_NAME:
	case ADDRESS_NO_DATA:
		return "FORGED";
	case ADDRESS_FOUND:
		break;
	}
	for (i = 0; i < count; i++)
		if (same_host((struct sockaddr *)&list[i].storage, peer))
			return "OK";
	return "FORGED";
}

/* A name from a resolver is data: whatever could not be in a host name makes it none. */
static bool
is_host_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (!text_is_alnum((unsigned char)*name) && strchr("-._", *name) == NULL)
			return false;
	return true;
}

static void
find_name(struct session *s, const struct net_address *peer)
{
	char name[NI_MAXHOST];
	const char *resolve = "FAIL", *ptr = NULL;
	int error = getnameinfo((const struct sockaddr *)&peer->storage, peer->length, name,
	    sizeof name, NULL, 0, NI_NAMEREQD);
	const char *bracketed = arena_printf(s->arena, "[%s]", s->peer_address);

	if (error == EAI_AGAIN)
		resolve = "TEMP";
	if (error == 0) {
		size_t length = strlen(name);

		if (length > 1 && name[length - 1] == '.')
			name[length - 1] = '\0';
		if (is_host_name(name)) {
			ptr = arena_strdup(s->arena, name);
			resolve = verify_name(s, name, (const struct sockaddr *)&peer->storage);
		}
	}
	session_set_macro(s, "client_resolve", resolve);
	session_set_macro(s, "client_ptr", ptr != NULL ? ptr : bracketed);
	s->peer_name =
	    strcmp(resolve, "OK") == 0 || strcmp(resolve, "FORGED") == 0 ? ptr : bracketed;
	if (s->peer_name == bracketed)
		s->peer = bracketed;
	else
		s->peer = arena_printf(s->arena, "%s %s%s", ptr, bracketed,
		    strcmp(resolve, "FORGED") == 0 ? " (may be forged)" : "");
	/* V8: a name that does not lead back is not the name rules see */
	if (strcmp(resolve, "FORGED") == 0)
		s->peer_name = ptr;
}

static void
set_number(struct session *s, const char *name, unsigned number)
{
	session_set_macro(s, name, arena_printf(s->arena, "%u", number));
}

static const char *
family_name(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6  ? "inet6"
	       : address->sa_family == AF_INET ? "inet"
					       : "local";
}

/* ${daemon_flags}: letters apart by blanks, capitals doubled. */
static const char *
spell_flags(struct session *s, const char *modifiers)
{
	struct str out = {0};
	const char *result;

	for (; *modifiers != '\0'; modifiers++) {
		if (*modifiers == ' ' || *modifiers == ',')
			continue;
		if (out.length > 0)
			str_add_char(&out, ' ');
		str_add_char(&out, *modifiers);
		if (*modifiers >= 'A' && *modifiers <= 'Z')
			str_add_char(&out, *modifiers);
	}
	result = arena_strdup(s->arena, str_text(&out));
	str_free(&out);
	return result;
}

static void
describe_own_end(struct session *s, const struct sockaddr *own)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *address =
	    arena_strdup(s->arena, address_text(own, s->options->use_compressed_ipv6, text));
	const struct daemon_port *port = s->link->port;

	session_set_macro(s, "if_addr", address);
	session_set_macro(s, "if_family", family_name(own));
	session_set_macro(s, "if_name", config_macro(s->config, s->macros, "j"));
	session_set_macro(s, "daemon_family", family_name(own));
	session_set_macro(s, "daemon_addr",
	    port != NULL && port->address != NULL ? port->address
	    : own->sa_family == AF_INET6	  ? "IPv6:::"
						  : "0.0.0.0");
	set_number(s, "daemon_port", address_port(own));
}

/* ${client_rate} and its fellows, for FEATURE(ratecontrol) and FEATURE(conncontrol). */
static void
count_client(struct session *s, const struct sockaddr *address)
{
	const struct server_context *context = s->context;
	struct server_counts counts;

	if (context->count == NULL)
		return;
	if (address->sa_family == AF_INET6)
		context->count(context->context, &((const struct sockaddr_in6 *)address)->sin6_addr,
		    sizeof(struct in6_addr), &counts);
	else
		context->count(context->context, &((const struct sockaddr_in *)address)->sin_addr,
		    sizeof(struct in_addr), &counts);
	set_number(s, "client_rate", counts.client_rate);
	set_number(s, "total_rate", counts.total_rate);
	set_number(s, "client_connections", counts.client_connections);
}

/* A connected TCP socket; false when it is none. */
static bool
find_tcp_peer(struct session *s)
{
	struct net_address peer = {.length = sizeof peer.storage},
			   own = {.length = sizeof own.storage};
	const struct sockaddr *address = (const struct sockaddr *)&peer.storage;
	char text[ADDRESS_TEXT_SIZE];

	if (getpeername(s->link->input_fd, (struct sockaddr *)&peer.storage, &peer.length) != 0 ||
	    (address->sa_family != AF_INET && address->sa_family != AF_INET6))
		return false;
	s->peer_address =
	    arena_strdup(s->arena, address_text(address, s->options->use_compressed_ipv6, text));
	find_name(s, &peer);
	set_number(s, "client_port", address_port(address));
	count_client(s, address);
	if (getsockname(s->link->input_fd, (struct sockaddr *)&own.storage, &own.length) == 0)
		describe_own_end(s, (const struct sockaddr *)&own.storage);
	return true;
}

static void
find_local_peer(struct session *s)
{
	uid_t uid = getuid();
	gid_t gid;
	pid_t pid;

	if (s->link->kind == SERVER_LOCAL && os_peer(s->link->input_fd, &uid, &gid, &pid) != 0)
		uid = (uid_t)-1; /* nobody we know */
	s->uid = uid;
	s->peer_name = "localhost";
	s->peer_address = "0";
	s->peer = arena_printf(s->arena, "%s@localhost",
	    s->link->kind == SERVER_STDIN && s->context->caller_name != NULL
		? s->context->caller_name
		: login_name(s, uid));
	session_set_macro(s, "client_resolve", "OK");
	session_set_macro(s, "client_ptr", "localhost");
	set_number(s, "client_port", 0);
}

/* V8: a port without a name is Daemon0, Daemon1, ... */
static const char *
nth_daemon(struct session *s, const struct daemon_port *port)
{
	const struct daemon_port *one = s->options->daemon_ports;
	int number = 0;

	for (; one != NULL && one != port; one = one->next)
		number++;
	return arena_printf(s->arena, "Daemon%d", number);
}

void
session_find_peer(struct session *s)
{
	const struct daemon_port *port = s->link->port;
	bool is_tcp = s->link->kind != SERVER_LOCAL && find_tcp_peer(s);

	if (!is_tcp)
		find_local_peer(s);
	if (port != NULL)
		s->daemon_name = port->name != NULL ? port->name : nth_daemon(s, port);
	else
		s->daemon_name = s->link->kind == SERVER_TCP	 ? "MTA"
				 : s->link->kind == SERVER_STDIN ? "stdin"
								 : "local";
	session_set_macro(s, "client_name", s->peer_name);
	session_set_macro(s, "client_addr", s->peer_address);
	session_set_macro(s, "client_flags", "");
	session_set_macro(s, "daemon_name", s->daemon_name);
	/* V8: what comes by -bs is submitted, its addresses are completed */
	session_set_macro(s, "daemon_flags",
	    s->link->kind == SERVER_TCP
		? spell_flags(s, port != NULL && port->modifiers != NULL ? port->modifiers : "")
		: "c u");
	session_set_macro(s, "_", s->peer);
	/* V8: mail of the command has neither, unless -p says so */
	session_set_macro(s, "s", s->link->kind == SERVER_LOCAL ? NULL : s->peer_name);
	session_set_macro(s, "r", s->link->kind == SERVER_LOCAL ? NULL : "SMTP");
	session_set_macro(s, "verify", "NONE");
	config_set_alternative_names(s->config, NULL);
}
