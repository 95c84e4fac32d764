#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "client/connect.h"
#include "client/host_status.h"
#include "client/session.h"
#include "conf/tls.h"
#include "route/mx.h"

enum { QUIT_SECONDS = 10 }; /* nobody waits longer for a good-bye */

struct tls_context *
client_make_tls(const struct config *config)
{
	struct tls_settings settings;

	option_tls_settings(&config->options, TLS_CLIENT, &settings);
	return tls_context_create(TLS_CLIENT, &settings);
}

static bool
has_modifier(const struct daemon_port *port, char letter)
{
	return port != NULL && port->modifiers != NULL && strchr(port->modifiers, letter) != NULL;
}

/* From an open connection to a session that is ready for MAIL. */
static bool
open_session(struct client *c, const struct daemon_port *port)
{
	bool implicit =
	    (c->port == 465 || c->port == 2465) && c->tls_context != NULL && !c->is_lmtp;

	if (has_modifier(port, 'S'))
		c->no_starttls = true;
	if (implicit && !client_secure(c, true))
		return false;
	if (!client_greet(c) || !client_hello(c))
		return false;
	if (c->is_program)
		return true;
	if (!implicit && !c->is_nearby && !client_secure(c, false))
		return false;
	return has_modifier(port, 'A') || client_authenticate(c);
}

static void
say_goodbye(struct client *c)
{
	long seconds = c->config->options.timeouts.quit;
	struct reply answer;

	if (c->conn == NULL)
		return;
	client_show(c, "Closing connection to %s", c->host);
	c->answers = c->arena;
	if (!conn_failed(c->conn) && c->may_quit && c->question_count == 0) {
		c->verdict = (struct verdict){0};
		if (c->needs_rset)
			client_ask(
			    c, &answer, STAGE_MISC, c->config->options.timeouts.rset, "RSET");
		client_sync(c);
		c->offers.pipelining = false;
		client_ask(c, &answer, STAGE_MISC,
		    seconds > 0 && seconds < QUIT_SECONDS ? seconds : QUIT_SECONDS, "QUIT");
	}
	conn_close(c->conn);
	c->conn = NULL;
}

/* Closes after a failed attempt, keeping why it failed. */
static void
hang_up(struct client *c)
{
	struct verdict verdict = c->verdict;
	const char *reply = c->failure_reply, *trouble = c->trouble;

	say_goodbye(c);
	c->verdict = verdict;
	c->failure_reply = reply;
	c->trouble = trouble;
	c->is_open = c->is_tls = c->is_authenticated = c->needs_rset = c->may_quit = false;
	c->question_count = 0;
}

/* TLSFallbacktoClear, or what tls_clt_features says of this session. */
static bool
may_fall_back(const struct client *c)
{
	return client_needs_dane(c)	  ? false
	       : c->features.has_fallback ? c->features.fallback_to_clear
					  : c->config->options.tls_fallback_to_clear;
}

/* Ruleset clt_features: letter D is about DANE; M is about MTA-STS, which we have not. */
static void
call_clt_features(struct client *c)
{
	struct rule_result result;

	client_rule(c, "clt_features", c->server_name, NULL, c->arena, &result);
	c->no_dane = result.text != NULL && strchr(result.text, 'D') != NULL;
}

static bool
try_address(struct client *c, const struct net_address *address, int64_t all_deadline)
{
	const struct daemon_port *port = connect_find_port(c, address->storage.ss_family);
	const struct sockaddr *number = (const struct sockaddr *)&address->storage;
	char text[ADDRESS_TEXT_SIZE];

	c->address = *address;
	address_text(number, c->config->options.use_compressed_ipv6, text);
	c->server_address = arena_strdup(c->arena, text);
	c->relay = arena_printf(c->arena, "%s [%s]", c->host, text);
	config_set_macro(c->config, c->macros, "server_name", c->server_name);
	config_set_macro(c->config, c->macros, "server_addr", c->server_address);
	for (int attempt = 0; attempt < 2; attempt++) {
		c->verdict = (struct verdict){0};
		c->failure_reply = c->failure_reason = c->trouble = NULL;
		c->tls_failed = false;
		c->no_starttls = attempt > 0;
		if (!connect_open(c, address, port, all_deadline))
			return false;
		config_set_alternative_names(c->config, NULL);
		call_clt_features(c);
		if (open_session(c, port)) {
			c->is_open = c->may_quit = true;
			return true;
		}
		hang_up(c);
		if (!c->tls_failed || !may_fall_back(c))
			break;
	}
	return false;
}

bool
client_reset(struct client *c, const struct client_context *context)
{
	struct reply answer;

	c->verbose = context->verbose;
	c->log_id = context->log_id;
	c->answers = c->arena;
	c->needs_rset = false;
	client_ask(c, &answer, STAGE_MISC, c->config->options.timeouts.rset, "RSET");
	client_sync(c);
	return c->is_open && reply_is(&answer, 2);
}

void
client_reopen(struct client *c)
{
	struct net_address address = c->address;

	hang_up(c);
	try_address(c, &address, deadline_in(c->config->options.timeouts.all_connect));
}

static const char *
bare_name(struct arena *arena, const char *name)
{
	size_t length = strlen(name);

	if (length >= 2 && name[0] == '[' && name[length - 1] == ']')
		return arena_memdup(arena, name + 1, length - 2);
	return length > 0 && name[length - 1] == '.' ? arena_memdup(arena, name, length - 1) : name;
}

void
client_end_self(struct client *c, const char *words, const char *diagnostic)
{
	const char *text = words + strlen("554 5.0.0 ");

	log_at(
	    1, LOG_CRIT, "%s: SYSERR(root): %s", c->log_id != NULL ? c->log_id : "NOQUEUE", text);
	if (!c->is_submission)
		client_show(c, "%s", text);
	if (c->is_smart_host) {
		client_end(c,
		    outcome_of_event(c->arena, STAGE_RESOLVE, EVENT_SMART_SELF, "%s", text), NULL);
		return;
	}
	c->told = arena_printf(c->arena, "%s\n", words);
	c->diagnostic = diagnostic;
	client_end(c,
	    outcome_of_event(
		c->arena, STAGE_RESOLVE, EVENT_SELF, "%s", verdict_text_from_exit(EX_CONFIG)),
	    NULL);
}

static void
end_unresolved(struct client *c, const char *name, enum mx_status status)
{
	enum outcome_event no_name = c->is_smart_host ? EVENT_NO_SMART_HOST : EVENT_NO_NAME;
	enum outcome_event null_mx = c->is_smart_host ? EVENT_SMART_NULL_MX : EVENT_NULL_MX;
	struct verdict verdict;

	switch (status) {
	case MX_NULL:
		/* V8 has these words for its trace alone */
		verdict = outcome_of_event(c->arena, STAGE_RESOLVE, null_mx, "%s",
		    c->is_smart_host ? "Host does not accept mail: MX 0 ."
				     : verdict_text_from_exit(EX_UNAVAILABLE));
		if (null_mx == EVENT_NULL_MX) {
			verdict.code = 556;
			c->diagnostic = "556 Host does not accept mail: MX 0 .";
		}
		break;
	case MX_SELF:
		client_end_self(c,
		    arena_printf(c->arena, "554 5.0.0 MX list for %s points back to %s", name,
			config_macro(c->config, c->macros, "j")),
		    NULL);
		return;
	case MX_NO_NAME:
		verdict = outcome_of_event(c->arena, STAGE_RESOLVE, no_name,
		    c->is_smart_host ? "Name server: %s: host not found"
				     : "Host unknown (Name server: %s: host not found)",
		    name);
		c->diagnostic = "550 Host unknown";
		break;
	default:
		verdict = outcome_of_event(c->arena, STAGE_RESOLVE, EVENT_TRY_AGAIN,
		    "Name server: %s: host name lookup failure", name);
	}
	client_end(c, verdict, NULL);
}

/* What others found out about this host a short while ago; false when it is to be left alone. */
static bool
ask_host_status(struct client *c)
{
	struct host_state state;

	c->connect_error = 0;
	if (mailer_has(c->mailer, 'W'))
		return true;
	switch (host_status_begin(c->config, c->host, &c->status, &state)) {
	case HOST_TRY:
		return true;
	case HOST_IS_BUSY:
		state = (struct host_state){0};
		break;
	case HOST_IS_DOWN:
		break;
	}
	c->verdict = (struct verdict){0};
	if (state.error != 0)
		connect_end_failed(c, state.error);
	else if (state.name_error != 0)
		end_unresolved(c, c->host, MX_TRY_AGAIN);
	else
		client_end(c, verdict_make(c->arena, 451, "4.0.0", EX_TEMPFAIL, "%s", ""), NULL);
	text_copy(c->verdict.dsn, sizeof c->verdict.dsn, state.dsn[0] == '4' ? state.dsn : "4.0.0");
	return false;
}

/* What this attempt says of the host. */
static void
tell_host_status(struct client *c, bool is_open)
{
	if (is_open)
		host_status_note(c->status, EX_OK, 0, "", NULL);
	else
		host_status_note(c->status, EX_TEMPFAIL, c->connect_error, c->verdict.dsn,
		    c->connect_error == 0 ? c->failure_reply : NULL);
	if (!is_open) {
		host_status_end(c->status);
		c->status = NULL;
	}
}

/* V8's words: a name that was canonified, and an MX, keep their dot. */
static void
end_without_address(struct client *c, enum address_status status)
{
	enum outcome_event no_name = c->is_smart_host ? EVENT_NO_SMART_HOST : EVENT_NO_NAME;

	c->verdict = (struct verdict){0};
	if (status == ADDRESS_TRY_AGAIN) {
		end_unresolved(c, c->host, MX_TRY_AGAIN);
		return;
	}
	client_end(c,
	    outcome_of_event(c->arena, STAGE_RESOLVE, no_name,
		c->is_smart_host ? "Name server: %s: %s" : "Host unknown (Name server: %s: %s)",
		c->host, status == ADDRESS_NO_DATA ? "no data known" : "host not found"),
	    NULL);
}

/* All addresses of one host; true when one of them has let us in. */
static bool
try_addresses(struct client *c, const struct mx_host *host, int64_t all_deadline)
{
	struct net_address literal, *list = &literal;
	enum address_status status = ADDRESS_FOUND;
	size_t count = 1;

	if (host->addresses != NULL) {
		list = host->addresses;
		count = host->address_count;
	} else if (!host->is_literal) {
		status = address_resolve(host->look_up, AF_UNSPEC, c->arena, &list, &count);
	} else if (!address_parse(host->look_up, &literal)) {
		status = ADDRESS_NO_NAME;
	}
	if (status != ADDRESS_FOUND && status != ADDRESS_TRY_AGAIN && !host->is_mx)
		c->host = c->relay = host->given;
	if (c->prefix != NULL)
		client_show(
		    c, "%s... Connecting to %s via %s...", c->prefix, c->host, c->mailer->name);
	if (status != ADDRESS_FOUND) {
		end_without_address(c, status);
		return false;
	}
	if (!client_find_dane(c, host)) {
		c->verdict = (struct verdict){0};
		client_end(c,
		    outcome_of_event(c->arena, STAGE_RESOLVE, EVENT_TRY_AGAIN,
			"Name server: %s: host name lookup failure for TLSA RR", c->host),
		    NULL);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		address_set_port(&list[i], c->port);
		if (try_address(c, &list[i], all_deadline))
			return true;
		/* V8: another address only where the connection itself failed */
		if (c->verdict.dsn[0] != '\0' && strcmp(c->verdict.dsn, "4.4.1") != 0)
			break;
	}
	return false;
}

static bool
try_host(struct client *c, const struct mx_host *host, int64_t all_deadline)
{
	bool is_open;

	c->host = host->name;
	c->relay = host->name;
	c->server_name = bare_name(c->arena, host->name);
	if (!ask_host_status(c))
		return false;
	is_open = try_addresses(c, host, all_deadline);
	tell_host_status(c, is_open);
	return is_open;
}

/* Of two reasons the one that leaves hope counts. */
static void
prefer(struct verdict *kept, const char **kept_reply, const char **kept_relay, struct client *c)
{
	if (kept->code == 0 || !verdict_is_permanent(&c->verdict) || verdict_is_permanent(kept)) {
		*kept = c->verdict;
		*kept_reply = c->failure_reply;
		*kept_relay = c->relay;
	}
}

static void
try_hosts(struct client *c, size_t first)
{
	const struct mx_list *list = &c->hosts;
	int64_t all_deadline = deadline_in(c->config->options.timeouts.all_connect);
	const char *reply = NULL, *relay = c->relay;
	struct verdict kept = {0};

	for (size_t i = mx_next(list, first); i < list->count; i = mx_next(list, i + 1)) {
		if (i > first && deadline_passed(all_deadline))
			break;
		c->host_index = i;
		if (try_host(c, &list->hosts[i], all_deadline))
			return;
		prefer(&kept, &reply, &relay, c);
	}
	c->verdict = kept;
	c->failure_reply = reply;
	c->relay = relay;
}

/* A=FILE path: LMTP to a local socket. */
static void
open_local(struct client *c, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct net_address address = {.length = sizeof name};

	c->host = c->server_name = c->relay = path;
	if (c->prefix != NULL)
		client_show(
		    c, "%s... Connecting to %s via %s...", c->prefix, c->host, c->mailer->name);
	if (!text_copy(name.sun_path, sizeof name.sun_path, path)) {
		connect_end_failed(c, ENAMETOOLONG);
		return;
	}
	memcpy(&address.storage, &name, sizeof name);
	c->is_nearby = true;
	if (!connect_open(c, &address, NULL, DEADLINE_NEVER))
		return;
	c->relay = arena_printf(c->arena, "%s [localhost]", path);
	c->server_address = "localhost";
	c->is_open = c->may_quit = open_session(c, NULL);
	if (!c->is_open)
		hang_up(c);
}

static struct client *
create(struct client_context *context, const struct mailer *mailer, bool is_smart_host)
{
	struct client *c = check_malloc(sizeof *c);

	memset(c, 0, sizeof *c);
	c->arena = c->answers = arena_create();
	c->config = context->config;
	c->macros =
	    macro_env_create(context->macros != NULL ? context->macros : context->config->macros);
	c->verbose = context->verbose;
	c->prefix = context->verbose_prefix;
	c->log_id = context->log_id;
	c->mailer = mailer;
	c->is_smart_host = is_smart_host;
	c->is_first_attempt = context->is_first_attempt;
	c->is_submission = context->is_submission;
	c->is_lmtp = mailer_has(mailer, 'z');
	c->host = c->relay = c->server_name = c->server_address = "";
	c->offers.mechanisms = "";
	/* one made here stays for the sessions to come */
	if (context->tls == NULL)
		context->tls = client_make_tls(context->config);
	c->tls_context = context->tls;
	return c;
}

static const char *
argument(const struct client *c, size_t index, const char *otherwise)
{
	const char *text;

	if (index >= c->mailer->argument_count)
		return otherwise;
	text = config_expand(c->config, c->macros, c->mailer->arguments[index], c->arena);
	return text != NULL && *text != '\0' ? text : otherwise;
}

static const char *
bracketed(struct arena *arena, const char *name)
{
	return *name == '[' ? name : arena_printf(arena, "[%s]", name);
}

struct client *
client_open_program(
    struct client_context *context, const struct mailer *mailer, int from_fd, int to_fd)
{
	struct client *c = create(context, mailer, true);

	c->host = c->server_name = mailer->name;
	c->relay = "";
	c->server_address = "localhost";
	c->is_program = true;
	c->conn = conn_create(from_fd, to_fd);
	c->is_open = c->may_quit = open_session(c, NULL);
	if (!c->is_open)
		hang_up(c);
	return c;
}

struct client *
client_open(struct client_context *context, const struct mailer *mailer, const char *host,
    bool host_is_smart_host)
{
	struct client *c = create(context, mailer, host_is_smart_host);

	config_set_macro(c->config, c->macros, "h", host);
	if (text_equal_nocase(argument(c, 0, "TCP"), "FILE")) {
		open_local(c, argument(c, 1, "/nowhere"));
		return c;
	}
	host = argument(c, 1, host);
	if (c->config->options.connect_only_to != NULL &&
	    *c->config->options.connect_only_to != '\0')
		host = bracketed(c->arena, c->config->options.connect_only_to);
	c->port = address_port_named(argument(c, 2, "25"));
	if (c->port == 0) {
		c->relay = arena_strdup(c->arena, host);
		client_end(c,
		    outcome_of_event(c->arena, STAGE_RESOLVE, EVENT_NO_PORT,
			"%s: unknown service %s", mailer->name, argument(c, 2, "")),
		    NULL);
		return c;
	}
	mx_find(c->config, host, mailer_has(mailer, '0'), dns_query, c->arena, &c->hosts);
	if (c->hosts.status != MX_FOUND) {
		c->relay = c->hosts.name;
		if (c->hosts.status == MX_TRY_AGAIN && c->prefix != NULL)
			client_show(c, "%s... Connecting to %s via %s...", c->prefix, c->hosts.name,
			    mailer->name);
		end_unresolved(c, c->hosts.name, c->hosts.status);
		return c;
	}
	try_hosts(c, 0);
	return c;
}

const char *
client_next_host(const struct client *c)
{
	size_t next = mx_next(&c->hosts, c->host_index + 1);

	return next < c->hosts.count && !c->hosts.hosts[next].is_last_resort
		   ? c->hosts.hosts[next].name
		   : NULL;
}

struct client *
client_open_next(struct client_context *context, const struct client *before)
{
	struct client *c = create(context, before->mailer, before->is_smart_host);

	config_set_macro(
	    c->config, c->macros, "h", config_macro(before->config, before->macros, "h"));
	c->port = before->port;
	mx_copy(&before->hosts, c->arena, &c->hosts);
	try_hosts(c, before->host_index + 1);
	return c;
}

bool
client_is_open(const struct client *c)
{
	return c->is_open;
}

struct verdict
client_verdict(const struct client *c)
{
	return c->verdict;
}

const char *
client_failure_reply(const struct client *c)
{
	return c->failure_reply;
}

void
client_describe(const struct client *c, struct str *tls, struct str *auth)
{
	if (c->is_tls)
		str_printf(tls, "%s, %s, verify=%s",
		    c->tls.version != NULL ? c->tls.version : "TLS",
		    c->tls.cipher != NULL ? c->tls.cipher : "?",
		    c->tls.verify != NULL ? c->tls.verify : "?");
	else
		str_add_text(tls, "none");
	str_add_text(auth, c->is_authenticated && c->mechanism != NULL ? c->mechanism : "none");
}

const char *
client_trouble(const struct client *c)
{
	return c->trouble;
}

const char *
client_told(const struct client *c)
{
	return c->told;
}

const char *
client_diagnostic(const struct client *c)
{
	return c->diagnostic;
}

const char *
client_failure_reason(const struct client *c)
{
	return c->failure_reason;
}

const char *
client_relay(const struct client *c)
{
	return c->relay;
}

bool
client_takes_more(const struct client *c)
{
	int maximum = c->mailer->maximum_messages;

	return c->is_open && !c->is_spent && (maximum <= 0 || c->messages < (size_t)maximum);
}

bool
client_is_reusable(const struct client *c)
{
	return client_takes_more(c) && c->question_count == 0 && c->pending_count == 0 &&
	       conn_is_quiet(c->conn);
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	client_send_finish(c);
	say_goodbye(c);
	host_status_end(c->status);
	macro_env_destroy(c->macros);
	arena_destroy(c->arena);
	free(c);
}
