#include "client/session.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/tls.h"

static void
set_macro(void *context, const char *name, const char *value)
{
	struct client *c = context;

	config_set_macro(c->config, c->macros, name, value);
}

const char *
client_rule_words(struct arena *arena, const struct verdict *verdict)
{
	return arena_printf(arena, "%d %s%s%s", verdict->code, verdict->dsn,
	    verdict->dsn[0] != '\0' ? " " : "", verdict->text != NULL ? verdict->text : "");
}

static void
log_rejection(const struct client *c, const char *ruleset, const char *argument, const char *words)
{
	log_at(3, LOG_NOTICE, "ruleset=%s, arg1=%s, relay=%s, reject=%s", ruleset, argument,
	    c->server_name, words);
}

enum outcome_event
client_forbidden(const struct client *c, const struct verdict *verdict)
{
	return !c->is_smart_host && verdict_is_permanent(verdict) ? EVENT_FORBIDDEN_FOR_GOOD
								  : EVENT_FORBIDDEN;
}

/* tls_server, once the security of the session is known. */
static bool
check_server(struct client *c, const char *verify)
{
	struct rule_result result;
	const char *words;

	config_set_macro(c->config, c->macros, "verify", verify);
	client_rule(c, "tls_server", verify, NULL, c->arena, &result);
	if (result.answer != RULE_REJECT)
		return true;
	words = client_rule_words(c->arena, &result.verdict);
	log_rejection(c, "tls_server", verify, words);
	c->may_quit = true;
	c->failure_reason = words;
	client_end(c,
	    outcome_of_event(
		c->arena, STAGE_TLS, client_forbidden(c, &result.verdict), "%s", words),
	    NULL);
	return false;
}

/*
 * RFC 7672 2.2: a host with TLSA records that is not what they say is not to be had mail, whatever tls_server thinks
 * of it; the words are those of sendmail's own rules.
 */
static bool
check_dane(struct client *c, const char *verify, const char *words)
{
	if (!check_server(c, verify))
		return false;
	c->may_quit = true;
	client_end(
	    c, outcome_of_event(c->arena, STAGE_TLS, EVENT_FORBIDDEN, "454 4.7.0 %s", words), NULL);
	return false;
}

/* Without TLS: `verify` is NONE or CLEAR. */
static bool
check_clear(struct client *c, const char *verify, const char *what)
{
	if (!client_needs_dane(c))
		return check_server(c, verify);
	log_at(4, LOG_NOTICE,
	    "STARTTLS=client, relay=%s, warning=DANE configured in DNS but STARTTLS %s",
	    c->server_name, what);
	return check_dane(c, "DANE_NOTLS", "DANE: missing STARTTLS.");
}

/* Whether try_tls lets us use what is offered. */
static bool
may_try(struct client *c)
{
	struct rule_result result;

	client_rule(c, "try_tls", c->server_name, NULL, c->arena, &result);
	if (result.answer != RULE_REJECT)
		return true;
	log_rejection(c, "try_tls", c->server_name, client_rule_words(c->arena, &result.verdict));
	return false;
}

/* V8: TLS with other features than those that were asked for is worse than none. */
static bool
end_misconfigured(struct client *c, const char *wrong)
{
	log_at(5, LOG_ERR, "STARTTLS=client, relay=%s, tls_clt_features=%s, error: unknown",
	    c->host, wrong);
	if (check_server(c, "CONFIG"))
		client_end(c,
		    outcome_of_event(c->arena, STAGE_TLS, EVENT_HANDSHAKE,
			"454 4.7.0 tls_clt_features: %s", wrong),
		    NULL);
	c->may_quit = true;
	return false;
}

/* tls_clt_features, before TLS begins. */
static bool
find_features(struct client *c)
{
	struct rule_result result;
	const char *wrong = NULL;

	c->features = (struct tls_features){0};
	client_rule(c, "tls_clt_features", c->server_name, c->server_address, c->arena, &result);
	if (result.text == NULL || tls_features_parse(result.text, c->arena, &c->features, &wrong))
		return true;
	return end_misconfigured(c, wrong);
}

static bool
shake_hands(struct client *c)
{
	conn_set_deadline(c->conn, deadline_in(c->config->options.timeouts.starttls));
	if (client_needs_dane(c))
		c->features.dane = c->dane;
	c->tls_failed =
	    !tls_start(c->conn, c->tls_context, c->server_name, &c->features, c->arena, &c->tls);
	if (c->tls_failed) {
		log_at(5, LOG_WARNING,
		    "STARTTLS=client, relay=%s, error: connect failed, reason=%s", c->host,
		    c->tls.reason);
		config_set_macro(c->config, c->macros, "verify", c->tls.verify);
		c->may_quit = false;
		client_end(c,
		    outcome_of_event(
			c->arena, STAGE_TLS, EVENT_HANDSHAKE, "454 4.7.0 TLS handshake failed."),
		    NULL);
		return false;
	}
	c->is_tls = true;
	tls_info_each_macro(&c->tls, c->arena, set_macro, c);
	config_set_alternative_names(c->config, c->tls.alternative_names);
	log_at(9, LOG_INFO,
	    "STARTTLS=client, relay=%s, version=%s, verify=%s, cipher=%s, bits=%d/%d%s", c->host,
	    c->tls.version, c->tls.verify, c->tls.cipher, c->tls.cipher_bits, c->tls.algorithm_bits,
	    c->tls.is_dane_unusable ? ", status=all TLSA RRs are unsupported" : "");
	log_at(14, LOG_INFO, "STARTTLS=client, cert-subject=%s, cert-issuer=%s, verifymsg=%s",
	    c->tls.cert_subject, c->tls.cert_issuer, c->tls.verify_message);
	if (strcmp(c->tls.verify, "DANE_FAIL") == 0)
		return check_dane(c, c->tls.verify, "DANE check failed.");
	return check_server(c, c->tls.verify);
}

bool
client_secure(struct client *c, bool implicit)
{
	const struct options *options = &c->config->options;
	struct reply answer;

	if (implicit)
		return find_features(c) && shake_hands(c);
	if (!c->offers.starttls || c->is_lmtp)
		return check_clear(c, "NONE", "not offered");
	if (c->no_starttls || c->tls_context == NULL || !may_try(c))
		return check_clear(c, "CLEAR", "not used");
	if (!find_features(c))
		return false;
	client_ask(c, &answer, STAGE_STARTTLS, options->timeouts.starttls, "STARTTLS");
	if (c->verdict.code != 0) {
		/* a refusal in words, where the cf has no need of TLS */
		c->tls_failed =
		    reply_is(&answer, 5) || (reply_is(&answer, 4) && answer.code != 421);
		return false;
	}
	/* a new EHLO counts, what was said before TLS does not */
	return shake_hands(c) && client_hello(c);
}
