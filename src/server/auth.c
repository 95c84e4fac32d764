/* AUTH (RFC 4954), by Cyrus SASL. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <sasl/sasl.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "os/os.h"
#include "server/session.h"

enum {
	ANSWER_MAXIMUM = 12288, /* RFC 4954 4: of a line of base64 */
	AUTH_ATTEMPTS = 15,
};

struct auth {
	sasl_conn_t *conn;
	const char *offered; /* for EHLO; NULL: none */
	bool has_tls;	     /* what `offered` was made for */
};

/* One SASL library a process; it has no notion of configurations. */
static bool
start_library(void)
{
	static int state; /* 0 not tried, 1 there, -1 no use */

	if (state == 0)
		state = sasl_server_init(NULL, "Sendmail") == SASL_OK ? 1 : -1;
	return state > 0;
}

void
server_prepare_auth(void)
{
	start_library();
}

static const char *
ip_and_port(struct session *s, bool own)
{
	const char *address = session_macro(s, own ? "if_addr" : "client_addr");
	const char *port = session_macro(s, own ? "daemon_port" : "client_port");

	if (*address == '\0' || strcmp(address, "0") == 0)
		return NULL;
	if (text_starts_nocase(address, "IPv6:"))
		address += 5;
	return arena_printf(s->scratch, "%s;%s", address, port);
}

/* AuthOptions as security properties, as far as the letters are known to V8. */
static void
set_properties(struct session *s, struct auth *auth)
{
	const char *letters = s->options->auth_options != NULL ? s->options->auth_options : "";
	sasl_security_properties_t properties = {.max_ssf = 0, .maxbufsize = 0};
	sasl_ssf_t external = s->has_tls ? 128 : 0;

	if (strchr(letters, 'p') != NULL && !s->has_tls)
		properties.security_flags |= SASL_SEC_NOPLAINTEXT;
	if (strchr(letters, 'a') != NULL)
		properties.security_flags |= SASL_SEC_NOACTIVE;
	if (strchr(letters, 'd') != NULL)
		properties.security_flags |= SASL_SEC_NODICTIONARY;
	if (strchr(letters, 'f') != NULL)
		properties.security_flags |= SASL_SEC_FORWARD_SECRECY;
	if (strchr(letters, 'y') != NULL)
		properties.security_flags |= SASL_SEC_NOANONYMOUS;
	sasl_setprop(auth->conn, SASL_SEC_PROPS, &properties);
	sasl_setprop(auth->conn, SASL_SSF_EXTERNAL, &external);
}

static bool
is_allowed(const char *allowed, const char *word, size_t length)
{
	while (*allowed != '\0') {
		size_t here = strcspn(allowed, " \t,");

		if (here == length && strncasecmp(allowed, word, length) == 0)
			return true;
		allowed += here;
		allowed += strspn(allowed, " \t,");
	}
	return false;
}

/* What AuthMechanisms allows, as far as the library has it, in the option's order. */
static const char *
intersect(struct session *s, const char *available)
{
	const char *allowed = s->options->auth_mechanisms;
	struct str list = {0};
	const char *result;

	if (allowed == NULL)
		allowed = "EXTERNAL GSSAPI KERBEROS_V4 DIGEST-MD5 CRAM-MD5";
	while (*allowed != '\0') {
		size_t length = strcspn(allowed, " \t,");
		bool plain = length == 5 && (strncasecmp(allowed, "PLAIN", 5) == 0 ||
						strncasecmp(allowed, "LOGIN", 5) == 0);

		if (length > 0 && is_allowed(available, allowed, length) &&
		    !(plain && s->features.plaintext_needs_layer && !s->has_tls)) {
			if (list.length > 0)
				str_add_char(&list, ' ');
			str_add(&list, allowed, length);
		}
		allowed += length;
		allowed += strspn(allowed, " \t,");
	}
	result = list.length > 0 ? arena_strdup(s->arena, list.data) : NULL;
	str_free(&list);
	return result;
}

static struct auth *
prepare(struct session *s)
{
	struct auth *auth = s->sasl;
	const char *available = NULL;
	const char *realm = s->options->auth_realm;

	if (auth != NULL && auth->has_tls == s->has_tls)
		return auth->conn != NULL ? auth : NULL;
	if (auth == NULL)
		s->sasl = auth = ARENA_NEW(s->arena, struct auth);
	auth->has_tls = s->has_tls;
	auth->offered = NULL;
	if (auth->conn != NULL)
		sasl_dispose(&auth->conn);
	auth->conn = NULL;
	if (!start_library() ||
	    sasl_server_new("smtp", session_macro(s, "j"),
		realm != NULL && *realm != '\0' ? realm : NULL, ip_and_port(s, true),
		ip_and_port(s, false), NULL, 0, &auth->conn) != SASL_OK) {
		auth->conn = NULL;
		return NULL;
	}
	set_properties(s, auth);
	if (sasl_listmech(auth->conn, NULL, "", " ", "", &available, NULL, NULL) == SASL_OK &&
	    available != NULL)
		auth->offered = intersect(s, available);
	return auth;
}

const char *
auth_mechanisms(struct session *s)
{
	struct auth *auth;

	if (!s->features.auth || s->refusal != REFUSAL_NONE)
		return NULL;
	auth = prepare(s);
	return auth != NULL ? auth->offered : NULL;
}

void
auth_close(struct session *s)
{
	struct auth *auth = s->sasl;

	if (auth != NULL && auth->conn != NULL)
		sasl_dispose(&auth->conn);
	s->sasl = NULL;
}

static void
log_failure(struct session *s, const char *mechanism, int result)
{
	struct auth *auth = s->sasl;
	/* first: asking for the user is a call that may fail itself */
	const char *detail = arena_strdup(s->scratch, sasl_errdetail(auth->conn));
	const void *user = NULL;

	if (sasl_getprop(auth->conn, SASL_AUTHUSER, &user) != SASL_OK || user == NULL)
		user = "";
	log_at(5, LOG_WARNING, "%s: AUTH failure (%s): %s (%d) %s, user=%s, relay=%.100s",
	    session_id(s), mechanism, sasl_errstring(result, NULL, NULL), result, detail,
	    (const char *)user, s->peer);
}

static void
succeed(struct session *s, const char *mechanism)
{
	struct auth *auth = s->sasl;
	const void *user = NULL, *layer = NULL;
	const char *name;
	int bits = 0;

	if (sasl_getprop(auth->conn, SASL_USERNAME, &user) != SASL_OK || user == NULL)
		user = "";
	if (sasl_getprop(auth->conn, SASL_SSF, &layer) == SASL_OK && layer != NULL)
		bits = (int)*(const sasl_ssf_t *)layer;
	name = arena_strdup(s->arena, user);
	s->is_authenticated = true;
	session_set_macro(s, "auth_authen", name);
	session_set_macro(s, "auth_type", arena_strdup(s->arena, mechanism));
	session_set_macro(s, "auth_ssf", arena_printf(s->arena, "%d", bits));
	session_set_macro(s, "r",
	    arena_printf(s->arena, "%s%sA", s->is_esmtp ? "ESMTP" : "SMTP", s->has_tls ? "S" : ""));
	log_at(9, LOG_INFO, "AUTH=server, relay=%s, authid=%.128s, mech=%.16s, bits=%d", s->peer,
	    name, mechanism, bits);
	session_reply(s, 235, "2.0.0", "OK Authenticated");
}

/* The client's next line, decoded.  False: it gave up, or nonsense came; answered. */
static bool
read_answer(struct session *s, struct str *answer)
{
	char *line;
	size_t length;
	enum conn_line kind;

	str_clear(answer);
	conn_set_deadline(s->conn, deadline_in(s->options->timeouts.auth));
	kind = conn_read_line(s->conn, ANSWER_MAXIMUM, &line, &length);
	if (kind == CONN_LINE_FAILED) {
		s->is_over = true;
		return false;
	}
	if (kind == CONN_LINE_TOO_LONG) {
		session_reply(s, 500, "5.5.6", "AUTH exchange line too long");
		return false;
	}
	if (strcmp(line, "*") == 0) {
		session_reply(s, 501, "5.0.0", "AUTH aborted");
		return false;
	}
	if (!base64_decode(answer, line, length)) {
		session_reply(s, 501, "5.5.4", "cannot decode AUTH parameter %.20s", line);
		return false;
	}
	os_wipe(line, length);
	return true;
}

static void
exchange(struct session *s, const char *mechanism, const struct str *initial)
{
	struct auth *auth = s->sasl;
	struct str answer = {0}, challenge = {0};
	const char *out = NULL;
	unsigned out_length = 0;
	int result =
	    sasl_server_start(auth->conn, mechanism, initial != NULL ? str_text(initial) : NULL,
		initial != NULL ? (unsigned)initial->length : 0, &out, &out_length);

	while (result == SASL_CONTINUE) {
		str_clear(&challenge);
		base64_encode(&challenge, out, out_length);
		session_reply(s, 334, NULL, "%s", str_text(&challenge));
		if (!read_answer(s, &answer))
			goto out;
		result = sasl_server_step(
		    auth->conn, str_text(&answer), (unsigned)answer.length, &out, &out_length);
	}
	if (result == SASL_OK) {
		succeed(s, mechanism);
	} else {
		log_failure(s, mechanism, result);
		if (result == SASL_TRYAGAIN || result == SASL_NOMEM)
			session_reply(s, 454, "4.3.0", "Temporary authentication failure");
		else
			session_reply(s, 535, "5.7.0", "authentication failed");
	}
out:
	if (answer.data != NULL)
		os_wipe(answer.data, answer.capacity);
	str_free(&answer);
	str_free(&challenge);
}

static bool
may_start(struct session *s, const char *argument)
{
	if (s->has_mail)
		session_reply(s, 503, "5.5.0", "AUTH not permitted during a mail transaction");
	else if (s->is_authenticated)
		session_reply(s, 503, "5.5.0", "Already Authenticated");
	else if (!s->features.auth || (auth_mechanisms(s) == NULL && s->sasl == NULL))
		session_reply(s, 503, "5.3.3", "AUTH not available");
	else if (*argument == '\0')
		session_reply(s, 501, "5.5.2", "AUTH mechanism must be specified");
	else
		return true;
	return false;
}

void
command_auth(struct session *s, char *argument)
{
	size_t length = strcspn(argument, " \t");
	char *initial_text, *mechanism;
	struct str initial = {0};
	struct auth *auth;

	if (!may_start(s, argument))
		return;
	auth = s->sasl;
	mechanism = arena_memdup(s->scratch, argument, length);
	initial_text = text_skip_space(argument + length);
	text_trim_end(initial_text);
	if (auth->offered == NULL || !is_allowed(auth->offered, mechanism, length)) {
		session_reply(s, 504, "5.3.3", "AUTH mechanism %.32s not available", mechanism);
		return;
	}
	session_count(s, COUNT_AUTH, AUTH_ATTEMPTS, "AUTH");
	if (*initial_text == '\0') {
		exchange(s, mechanism, NULL);
		return;
	}
	/* RFC 4954 4: "=" is an empty first answer */
	if (strcmp(initial_text, "=") != 0 &&
	    !base64_decode(&initial, initial_text, strlen(initial_text))) {
		log_at(5, LOG_WARNING, "%s: AUTH decode64 error [1 for \"%.20s\"], relay=%.100s",
		    session_id(s), initial_text, s->peer);
		session_reply(s, 501, "5.5.4", "cannot BASE64 decode '%.20s'", initial_text);
	} else {
		exchange(s, mechanism, &initial);
	}
	if (initial.data != NULL)
		os_wipe(initial.data, initial.capacity);
	str_free(&initial);
}
