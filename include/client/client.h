/*
 * client: a sending session with one SMTP (or LMTP) peer.
 *
 * client_open connects, greets, starts TLS and authenticates, as the configuration and its hook
 * rulesets (try_tls, tls_server, authinfo) say.  Protocol code has no error branches: a lost or
 * garbled connection answers every open question with 421 4.4.x.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/str.h"
#include "conf/config.h"
#include "mail/envelope.h"
#include "mail/verdict.h"

struct client;
struct tls_context; /* net/tls.h */

/* A context for clients by the options of this configuration (CACertFile, ClientCertFile, ...), to be made before the fork. */
struct tls_context *client_make_tls(const struct config *);

struct client_context {
	struct config *config;
	struct macro_env *macros; /* parent of the session's own environment */
	FILE *verbose;		  /* -v: the dialogue, secrets masked; NULL: silent */
	const char *
	    verbose_prefix; /* "a@x,b@x": the recipients, in front of "... Connecting to HOST via MAILER..."; or NULL */
	const char *log_id;    /* queue id for log lines, or NULL */
	bool is_first_attempt; /* of the message to open for: Timeout.iconnect rules */
	bool is_submission;    /* in the caller's process: V8's turns, each seen through */
	/* made before the fork; NULL: client_open makes one, and leaves it here for the next */
	struct tls_context *tls;
};

/*
 * `host` is as ruleset 0 gave it, possibly bracketed (no MX) or a list, see route/mx; `mailer` gives
 * port and flags.  Tries the host's MX hosts and addresses in order.
 * Never NULL; ask client_is_open; when it is not, client_verdict says why: always temporary
 * (what is ours to mend destroys no mail), save a null MX or an unknown recipient domain.
 */
struct client *client_open(
    struct client_context *, const struct mailer *, const char *host, bool host_is_smart_host);
/*
 * The same with a program that runs already, whose standard input is `to_fd` and output `from_fd`; both
 * belong to the client.  LMTP with mailer flag z, else SMTP; no TLS and no AUTH.
 */
struct client *client_open_program(
    struct client_context *, const struct mailer *, int from_fd, int to_fd);
/*
 * Fail-over: the list of hosts goes on behind the one that this session is, or was, with.  client_open_next
 * opens a session with the first of them that lets us in, for what the one before did not take now;
 * it needs nothing of the other session any more.
 */
const char *client_next_host(const struct client *); /* as relay= shows it; NULL: it was the last, or only FallbackSmartHost is left */
struct client *client_open_next(struct client_context *, const struct client *before);

bool client_is_open(const struct client *);
struct verdict client_verdict(const struct client *);
const char *client_failure_reply(
    const struct client *); /* the peer's own words that ended it, first line, or NULL */
/* What protects the session, for people: "TLSv1.3, CIPHER, verify=OK" or "none"; "PLAIN" or "none". */
void client_describe(const struct client *, struct str *tls, struct str *auth);
/* The error that ended it, in V8's words for the queue file, where the verdict has others; or NULL. */
const char *client_trouble(const struct client *);
/*
 * For the report about a session that was not to be: a line of ours to stand in the transcript, and what goes for the
 * peer's answer; NULL: none.
 */
const char *client_told(const struct client *);
const char *client_diagnostic(const struct client *);
const char *client_failure_reason(
    const struct client *);			 /* a ruleset's words that ended it, or NULL */
const char *client_relay(const struct client *); /* "mx.example.org. [192.0.2.1]", for relay= */

/*
 * Sends one message to the recipients given; a verdict and the relay's name are left in each of
 * them.  The body is read from envelope->body_fd from its start; header fields are those that the
 * mailer is to see, already rewritten (route/compose does that).
 */
struct client_message {
	struct envelope *envelope;
	const char *
	    sender; /* MAIL FROM: rewritten for the mailer, without brackets; "" for the null sender */
	const char *header; /* the whole header as it goes out, lines ended by \n */
	size_t header_length;
	struct recipient **recipients; /* address to send: recipient->user */
	size_t recipient_count;
};
void client_send(struct client *, struct client_context *, struct client_message *);

/*
 * The same in two steps, so that a far peer costs no more than one round trip a message, and none with
 * CHUNKING: start leaves the answer to the final dot outstanding, and the next start sends MAIL, RCPT and
 * DATA along with that dot, or with BDAT goes up to eight messages ahead.  A message is settled when its
 * recipients have verdicts with a code: after a later start, in the order of sending, and at the latest
 * after client_send_finish, which asks for all that is outstanding; envelope and recipients must live so
 * long.  A peer that does not pipeline, and a session with -v, settle at once.
 */
void client_send_start(struct client *, struct client_context *, struct client_message *);
void client_send_finish(struct client *);

/*
 * V8: before a kept session is used again RSET finds out whether it still lives, for those who wait for
 * each outcome anyhow (a run by hand).  False: it does not.
 */
bool client_reset(struct client *, const struct client_context *);
bool client_takes_more(const struct client *); /* still open, under its message limit */
bool client_is_reusable(
    const struct client *);	    /* still open, no open question, under its message limit */
void client_close(struct client *); /* QUIT where that is polite; frees */

#endif
