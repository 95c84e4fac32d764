/*
 * session: what the files of src/client share.  Everybody else uses client/client.h.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/secret.h"
#include "base/str.h"
#include "client/client.h"
#include "client/outcome.h"
#include "client/reply.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/tls.h"
#include "route/mx.h"
#include "rule/rule.h"

/* What the peer offers in its answer to EHLO. */
struct extensions {
	bool pipelining, size, eight_bit_mime, dsn, starttls, auth, enhanced_codes, chunking;
	long size_maximum;	/* of SIZE; 0: none said */
	const char *mechanisms; /* of AUTH, "" when none */
};

/* One command whose answer is outstanding. */
struct question {
	struct reply *answer;
	enum client_stage stage;
	long timeout_seconds;
	unsigned turn;	     /* commands that V8 would have sent together, for -v */
	struct arena *arena; /* where the answer's words go */
	const char *shown;   /* for -v, in that arena; NULL: nothing */
	const char *about;   /* the recipient that RCPT is about; else NULL */
};

enum {
	QUESTIONS_MAXIMUM = 256,
	PENDING_MAXIMUM = 8, /* messages whose last answer is outstanding */
};

struct transaction; /* transaction.c */

struct client {
	struct config *config;
	struct macro_env *macros;
	struct arena *arena;   /* the session's */
	struct arena *answers; /* where replies go: the session's, or the message's */
	FILE *verbose;
	const char *log_id, *prefix;
	const struct mailer *mailer;
	struct tls_context *tls_context;
	struct conn *conn;	 /* NULL when there is none */
	const char *host;	 /* "mx.example.org." or "[192.0.2.1]" */
	const char *server_name; /* without brackets and final dot */
	const char *server_address;
	const char *relay;
	const char *about; /* of the question to be asked next, see struct question */
	unsigned port;
	struct mx_list hosts; /* all that may be tried, in order */
	size_t host_index; /* of the one that this session is with, or was the last to be tried */
	bool is_first_attempt;
	bool has_dialled; /* DialDelay is for the first connection alone */
	bool is_program;  /* on the other end of two pipes: nobody between */
	bool is_nearby; /* on a UNIX-domain socket: nobody between either, but it may want AUTH */
	bool is_submission;
	bool is_open, is_lmtp, is_esmtp, is_tls, is_smart_host, is_authenticated;
	bool no_starttls;      /* TLSFallbacktoClear: the handshake failed once */
	bool tls_failed;       /* the last attempt died in the handshake */
	bool is_spent;	       /* no more messages: it refuses us, as we are */
	bool no_chunking;      /* it offers CHUNKING and does not know BDAT */
	const char *mechanism; /* by which we are authenticated */
	bool needs_rset;
	bool may_quit; /* nothing is outstanding that a QUIT could overtake */
	struct extensions offers;
	struct tls_info tls;
	struct tls_features features; /* tls_clt_features */
	/* why it is not open (any more) */
	struct verdict verdict;
	const char *failure_reply;		      /* the peer's own words of it, or NULL */
	const char *failure_reason;		      /* a ruleset's, or NULL */
	struct question questions[QUESTIONS_MAXIMUM]; /* a ring; those without an answer yet */
	size_t first_question, question_count;
	size_t asked; /* questions of this session so far */
	unsigned turn, shown_turn;
	enum client_stage last_stage;
	void (*each_line)(struct client *, const char *text); /* for EHLO: each line of the reply */
	size_t messages;
	struct transaction
	    *pending[PENDING_MAXIMUM]; /* sent and not yet answered, in their order */
	size_t pending_count;
	struct net_address address; /* the peer's */
	struct host_status
	    *status;	      /* what other processes are to know of the host; NULL: nothing */
	struct tls_dane dane; /* of the host; no records: none */
	bool no_dane;	      /* clt_features says so */
	const char *trouble;  /* see client_trouble */
	const char *told, *diagnostic; /* see client_told */
	int connect_error; /* errno of the last connection that could not be had, or 0 */
};

/*
 * Asks: the answer is put where `answer` points when client_sync comes to it (code 0 when it never
 * came).  Peers without PIPELINING, and stages outside transactions, are synced at once.
 */
void client_ask(struct client *, struct reply *answer, enum client_stage, long timeout_seconds,
    const char *format, ...) PRINTF_LIKE(5, 6);
/* Notes a question whose command has been written already, or that needs none (the banner). */
void client_expect(struct client *, struct reply *answer, enum client_stage, long timeout_seconds,
    const char *shown);
void client_sync(struct client *);
void client_sync_to(
    struct client *, size_t question); /* up to the question of this number: 1, 2, ... */
void client_collect_ready(
    struct client *); /* the answers that are there; waits for none but the rest of a line */
void client_show(struct client *, const char *format, ...) PRINTF_LIKE(2, 3); /* a line of -v */

/* Ends the session with this verdict; the first one stays. */
void client_end(struct client *, struct verdict, const char *reply);
/* Ends it with what happened to the connection at this stage. */
void client_end_lost(struct client *, enum client_stage);

/* Hangs up without a word and opens a new session with the same address; client_is_open says whether that went well. */
void client_reopen(struct client *);

/* Steps of opening: each returns false when the session has ended. */
bool client_greet(struct client *);
bool client_hello(struct client *);
bool client_secure(struct client *, bool implicit); /* STARTTLS, or TLS at once */
bool client_authenticate(struct client *);

/*
 * RFC 7672: finds the TLSA records of a host, where DNSSEC vouches for all on the way to them.  False: there is no
 * answer now, so nobody can tell whether the host may be trusted without.
 */
bool client_find_dane(struct client *, const struct mx_host *);
/* There are some, and no ruleset says that they do not count. */
bool client_needs_dane(const struct client *);

/* One line of an EHLO reply. */
void extensions_add(struct extensions *, struct arena *, const char *line);

/* Ends it for a host that is this one, in V8's words with their code; "553 5.3.5 system config error" or NULL. */
void client_end_self(struct client *, const char *words, const char *diagnostic);

/* Runs a hook set with this session's macros. */
void client_rule(struct client *, const char *ruleset, const char *text1, const char *text2,
    struct arena *, struct rule_result *);
/* What a hook's rejection says as a reply: "454 4.7.0 CN a does not match b". */
const char *client_rule_words(struct arena *, const struct verdict *);

/* What tls_server's or tls_rcpt's no comes to: only a recipient's own host can be forbidden for good. */
enum outcome_event client_forbidden(const struct client *, const struct verdict *);

/* authinfo: who we are to this server. */
struct authinfo {
	const char *user, *id, *realm, *mechanisms; /* NULL when not given */
	struct secret password;
};
enum authinfo_status { AUTHINFO_FOUND, AUTHINFO_NONE, AUTHINFO_UNUSABLE, AUTHINFO_TEMPORARY };
enum authinfo_status authinfo_find(struct client *, struct arena *, struct authinfo *);
/* Takes one tagged value, "U:name" or "P=base64"; false: it is none. */
bool authinfo_add(struct authinfo *, struct arena *, const char *tagged, size_t length);
/* Fills in what follows from the rest; false: without a password or a name it is of no use. */
bool authinfo_complete(struct authinfo *);
void authinfo_wipe(struct authinfo *);

#endif
