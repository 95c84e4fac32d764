/* DANE for SMTP (RFC 7672): the TLSA records of a host, where DNSSEC vouches for the way there. */
#include "client/session.h"

#include "base/text.h"

/* The name that the host's own name stands for; NULL when DNSSEC does not vouch for its addresses. */
static bool
find_secure_name(struct client *c, const char *name, const char **canonical)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	struct dns_answer answer = {0};

	*canonical = NULL;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		dns_query(name, types[i], c->arena, &answer);
		if (answer.status == DNS_TRY_AGAIN)
			return false;
		if (answer.status == DNS_FOUND) {
			*canonical = answer.is_authentic ? answer.canonical : NULL;
			return true;
		}
	}
	return true;
}

bool
client_find_dane(struct client *c, const struct mx_host *host)
{
	const char *names[2] = {NULL, c->server_name};
	struct dns_answer answer;

	c->dane = (struct tls_dane){0};
	if (!c->config->options.dane || !host->is_secure || host->is_literal || c->is_lmtp)
		return true;
	if (!find_secure_name(c, c->server_name, &names[0]))
		return false;
	if (names[0] == NULL)
		return true;
	/* 2.2.2: first the name that a CNAME leads to */
	for (size_t i = text_equal_nocase(names[0], names[1]) ? 1 : 0; i < 2; i++) {
		dns_query(arena_printf(c->arena, "_%u._tcp.%s", c->port, names[i]), DNS_TLSA,
		    c->arena, &answer);
		if (answer.status == DNS_TRY_AGAIN)
			return false;
		if (answer.status != DNS_FOUND || !answer.is_authentic)
			continue;
		c->dane = (struct tls_dane){.base_domain = names[i],
		    .next_hop = host->is_mx ? host->asked : c->server_name,
		    .records = answer.records,
		    .count = answer.count};
		return true;
	}
	return true;
}

bool
client_needs_dane(const struct client *c)
{
	return c->dane.count > 0 && !c->no_dane && !c->features.no_dane;
}
