/* STARTTLS (RFC 3207), and TLS from the first byte (modifier s of a port). */
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/tls.h"
#include "server/session.h"

static void
set_macro(void *context, const char *name, const char *value)
{
	session_set_macro(context, name, value);
}

void *
server_prepare_tls(const struct config *config)
{
	struct tls_settings settings;

	option_tls_settings(&config->options, TLS_SERVER, &settings);
	return tls_context_create(TLS_SERVER, &settings);
}

/* V8: after TLS all that the client said before is forgotten (RFC 3207 4.2). */
static void
begin_anew(struct session *s)
{
	session_new_envelope(s);
	s->is_greeted = s->is_esmtp = false;
	s->helo = "";
	s->is_first_command = true;
	session_set_macro(s, "s", s->peer_name);
	session_set_macro(s, "r", "SMTPS");
}

/* tls_srv_features; false: it asks for what cannot be had. */
static bool
find_features(struct session *s, struct tls_features *features)
{
	struct rule_context context;
	struct rule_result result = {0};
	const char *wrong = NULL;

	*features = (struct tls_features){0};
	if (!ruleset_is_there(s->config, "tls_srv_features"))
		return true;
	session_rule_context(s, &context);
	rule_check(&context, "tls_srv_features", s->peer_name, s->peer_address, &result);
	if (result.text == NULL || tls_features_parse(result.text, s->arena, features, &wrong))
		return true;
	log_at(5, LOG_ERR, "STARTTLS=server, relay=%s, tls_srv_features=%s, error: unknown",
	    s->peer, wrong);
	return false;
}

bool
session_start_tls(struct session *s)
{
	struct tls_features features;
	struct tls_info info = {0};
	struct verdict verdict;
	const char *verify;
	bool done;

	conn_set_deadline(s->conn, deadline_in(s->options->timeouts.starttls));
	if (!find_features(s, &features)) {
		s->is_over = true;
		return false;
	}
	done = tls_start(s->conn, s->context->tls, NULL, &features, s->arena, &info);
	tls_info_each_macro(&info, s->arena, set_macro, s);
	if (!done) {
		log_at(6, LOG_WARNING,
		    "STARTTLS=server, error: accept failed=-1, reason=%s, relay=%s",
		    info.reason != NULL ? info.reason : "unknown", s->peer);
		s->is_over = true;
		return false;
	}
	s->has_tls = true;
	log_at(6, LOG_INFO,
	    "STARTTLS=server, relay=%s, version=%s, verify=%s, cipher=%s, bits=%d/%d", s->peer,
	    info.version, info.verify, info.cipher, info.cipher_bits, info.algorithm_bits);
	config_set_alternative_names(s->config, info.alternative_names);
	begin_anew(s);
	verify = arena_strdup(s->scratch, session_macro(s, "verify"));
	if (!session_check(s, "tls_client", verify, "STARTTLS", false, &verdict)) {
		s->refusal = REFUSAL_RULE;
		s->refusal_verdict = verdict;
		s->refusal_verdict.text = arena_strdup(s->arena, verdict.text);
	}
	return true;
}

void
command_starttls(struct session *s, char *argument)
{
	if (s->context->tls == NULL || !s->features.starttls) {
		session_reply(s, 454, "4.3.3", "TLS not available after start");
	} else if (s->has_tls) {
		session_reply(s, 503, "5.5.0", "TLS already started");
	} else if (*argument != '\0') {
		session_reply(s, 501, "5.5.2", "Syntax error (no parameters allowed)");
	} else {
		session_reply(s, 220, "2.0.0", "Ready to start TLS");
		conn_flush(s->conn);
		session_start_tls(s);
	}
}
