#include "client/session.h"

#include <string.h>
#include <sysexits.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "net/sasl.h"
#include "os/os.h"

static bool
has_word(const char *list, const char *word, size_t length)
{
	for (; *list != '\0'; list += strcspn(list, " \t,")) {
		list += strspn(list, " \t,");
		if (strcspn(list, " \t,") == length && length > 0) {
			size_t same = 0;

			while (same < length && text_lower((unsigned char)list[same]) ==
						    text_lower((unsigned char)word[same]))
				same++;
			if (same == length)
				return true;
		}
	}
	return false;
}

/* Words of `first` that are also in `second`, in upper case as SASL has them. */
static void
intersect(struct str *out, const char *first, const char *second)
{
	while (*first != '\0') {
		size_t length;

		first += strspn(first, " \t,");
		length = strcspn(first, " \t,");
		if (length > 0 && has_word(second, first, length)) {
			if (out->length > 0)
				str_add_char(out, ' ');
			for (size_t i = 0; i < length; i++) {
				char byte = first[i];

				str_add_char(
				    out, byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : byte);
			}
		}
		first += length;
	}
}

/* Takes a mechanism that did not do out of the list. */
static void
remove_word(struct str *list, const char *word)
{
	struct str rest = {0};
	const char *at = str_text(list);

	while (*at != '\0') {
		size_t length;

		at += strspn(at, " ");
		length = strcspn(at, " ");
		if (length > 0 && !has_word(word, at, length)) {
			if (rest.length > 0)
				str_add_char(&rest, ' ');
			str_add(&rest, at, length);
		}
		at += length;
	}
	str_free(list);
	*list = rest;
}

static void
end_temporary(struct client *c)
{
	log_at(5, LOG_ERR, "AUTH=client, relay=%s, temporary failure, connection abort", c->host);
	c->may_quit = true;
	client_end(c,
	    outcome_of_event(c->arena, STAGE_AUTH, EVENT_NO_MECHANISM, "Temporary AUTH failure"),
	    NULL);
}

/* Writes a line that may hold a password: it goes to the conn and nowhere else. */
static void
send_secret(struct client *c, const char *before, const struct secret *secret, bool empty_is_equals)
{
	struct str line = {0};

	str_reserve(&line, strlen(before) + secret->length * 4 / 3 + 16);
	str_add_text(&line, before);
	if (secret->length > 0)
		base64_encode(&line, secret->data, secret->length);
	else if (empty_is_equals)
		str_add_char(&line, '=');
	str_add_text(&line, "\r\n");
	conn_write(c->conn, line.data, line.length);
	os_wipe(line.data, line.capacity);
	str_free(&line);
}

static void
expect(struct client *c, struct reply *answer)
{
	client_expect(c, answer, STAGE_AUTH, c->config->options.timeouts.auth, NULL);
	client_sync(c);
}

/* The rest of one exchange, from the answer to AUTH on. */
static void
converse(struct client *c, struct exchange *exchange, struct reply *answer)
{
	enum exchange_status status = EXCHANGE_CONTINUE;
	struct secret out = {0};
	const char *reason = "";

	while (c->verdict.code == 0 && reply_is(answer, 3)) {
		struct str challenge = {0};
		const char *text = answer->text;

		if (status == EXCHANGE_CONTINUE && base64_decode(&challenge, text, strlen(text)))
			status = exchange_step(
			    exchange, str_text(&challenge), challenge.length, &out, &reason);
		else
			status = EXCHANGE_FAILED;
		str_free(&challenge);
		if (status == EXCHANGE_CONTINUE)
			send_secret(c, "", &out, false);
		else
			conn_printf(c->conn, "*\r\n");
		expect(c, answer);
	}
	/* success that the exchange knows nothing of is none: it may be a peer that cannot prove itself */
	if (status != EXCHANGE_CONTINUE && reply_is(answer, 2)) {
		conn_fail(c->conn, CONN_GARBLED, "AUTH of %s: %s", c->host, reason);
		client_end_lost(c, STAGE_AUTH);
	}
	secret_wipe(&out);
}

static bool
has_auth_option(const struct client *c, char letter)
{
	const char *letters = c->config->options.auth_options;

	return letters != NULL && strchr(letters, letter) != NULL;
}

static struct exchange *
begin(struct client *c, const struct authinfo *info)
{
	const struct options *options = &c->config->options;
	bool has_certificate =
	    c->is_tls && options->client_cert_file != NULL && *options->client_cert_file != '\0';
	struct exchange_settings settings = {
	    .service = c->is_lmtp ? "lmtp" : "smtp",
	    .server_name = c->server_name,
	    .user = info->user,
	    .id = info->id,
	    .realm = info->realm,
	    .password = &info->password,
	    .no_plain_text = has_auth_option(c, 'p') && !c->is_tls,
	    .no_anonymous = true,
	    .no_active = has_auth_option(c, 'a'),
	    .no_dictionary = has_auth_option(c, 'd'),
	    .forward_secrecy = has_auth_option(c, 'f'),
	    .mutual = has_auth_option(c, 'm'),
	    .tls_bits = c->is_tls ? (unsigned)c->tls.cipher_bits : 0,
	    .tls_identity = has_certificate ? info->id : NULL,
	};
	const char *reason = "";
	struct exchange *exchange = exchange_create(&settings, &reason);

	if (exchange == NULL)
		log_at(5, LOG_ERR, "AUTH=client, relay=%s, error: %s", c->host, reason);
	return exchange;
}

/* One mechanism: true when there is nothing more to try (accepted, or the session has ended). */
static bool
try_one(struct client *c, const struct authinfo *info, struct str *mechanisms, struct reply *answer)
{
	struct exchange *exchange = begin(c, info);
	const char *mechanism = NULL, *reason = "";
	enum exchange_status status;
	struct secret out = {0};
	bool has_out = false;

	if (exchange == NULL) {
		end_temporary(c);
		return true;
	}
	status =
	    exchange_start(exchange, str_text(mechanisms), &mechanism, &out, &has_out, &reason);
	if (status != EXCHANGE_CONTINUE) {
		if (answer->code == 0) {
			log_at(5, LOG_NOTICE,
			    "%s%sAUTH=client, available mechanisms=%s do not fulfill requirements",
			    c->log_id != NULL ? c->log_id : "", c->log_id != NULL ? ": " : "",
			    str_text(mechanisms));
			end_temporary(c);
		}
		str_clear(mechanisms);
		exchange_destroy(exchange);
		secret_wipe(&out);
		return c->verdict.code != 0;
	}
	client_show(c, ">>> AUTH dialogue");
	conn_printf(c->conn, "AUTH %s%s", mechanism, has_out ? " " : "");
	send_secret(c, "", &out, has_out);
	secret_wipe(&out);
	expect(c, answer);
	converse(c, exchange, answer);
	if (c->verdict.code == 0 && reply_is(answer, 2)) {
		c->is_authenticated = true;
		c->mechanism = arena_strdup(c->arena, mechanism);
		log_at(10, LOG_INFO, "AUTH=client, relay=%s, mech=%s, bits=%u", c->host, mechanism,
		    exchange_bits(exchange));
	} else if (answer->code != 0) {
		log_at(5, LOG_WARNING, "AUTH=client, relay=%s, mech=%s, user=%s, reject=%s",
		    c->host, mechanism, info->id, answer->first);
		remove_word(mechanisms, mechanism);
	}
	exchange_destroy(exchange);
	return c->verdict.code != 0 || reply_is(answer, 2);
}

static void
authenticate(struct client *c, const struct authinfo *info)
{
	const char *allowed =
	    info->mechanisms != NULL ? info->mechanisms : c->config->options.auth_mechanisms;
	struct reply answer = {0};
	struct str mechanisms = {0};

	intersect(&mechanisms, c->offers.mechanisms, allowed != NULL ? allowed : "");
	while (!try_one(c, info, &mechanisms, &answer)) {
		if (mechanisms.length > 0)
			continue;
		/* all were tried; the peer's last word is the reason */
		c->may_quit = true;
		client_end(c,
		    outcome_of_reply(c->arena, STAGE_AUTH, &answer, c->offers.enhanced_codes),
		    answer.first);
		break;
	}
	str_free(&mechanisms);
}

bool
client_authenticate(struct client *c)
{
	struct arena *arena;
	struct authinfo info;

	if (!c->offers.auth || *c->offers.mechanisms == '\0')
		return true;
	arena = arena_create();
	switch (authinfo_find(c, arena, &info)) {
	case AUTHINFO_FOUND:
		authenticate(c, &info);
		break;
	case AUTHINFO_TEMPORARY:
		end_temporary(c);
		break;
	case AUTHINFO_UNUSABLE:
		log_at(5, LOG_WARNING, "AUTH=client, relay=%s [%s], authinfo failed",
		    c->server_name, c->server_address);
		break;
	case AUTHINFO_NONE:
		break;
	}
	authinfo_wipe(&info);
	arena_wipe(arena);
	return c->verdict.code == 0;
}
