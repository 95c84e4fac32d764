/*
 * session: what the files of this folder share about one connection.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"
#include "mail/envelope.h"
#include "milter/milter.h"
#include "net/conn.h"
#include "rule/rule.h"
#include "server/server.h"

struct resolved; /* route/resolve.h */

enum session_refusal {
	REFUSAL_NONE,
	REFUSAL_RULE, /* check_relay, greet_pause or tls_client said no: the verdict answers most commands */
	REFUSAL_TALKED, /* spoke before it was asked: only another HELO is heard */
};

/* What srv_features, PrivacyOptions and the modifiers of the port leave of the service. */
struct session_features {
	bool auth, verb, dsn, etrn, http_ends, auth_required, pipelining, starttls, certificate,
	    expn;
	bool early_talk_allowed;    /* F */
	bool lax_end;		    /* O */
	bool plaintext_needs_layer; /* c */
	int bare_lf, bare_cr;	    /* enum smtp_bare */
};

enum session_count { COUNT_HELO, COUNT_NOOP, COUNT_VRFY, COUNT_ETRN, COUNT_AUTH, COUNT_SIZE };

struct session {
	const struct server_context *context;
	const struct server_link *link;
	struct config *config;
	const struct options *options;
	struct conn *conn;
	struct arena *arena;	  /* lives as long as the connection */
	struct arena *scratch;	  /* reset before each command */
	struct macro_env *macros; /* of the connection; the parent is the configuration's */

	/* who is there */
	const char *peer_name;	  /* ${client_name}: "host.example", "[192.0.2.1]", "localhost" */
	const char *peer_address; /* ${client_addr}: "192.0.2.1", "0" for -bs */
	const char *peer;	  /* $_ and relay=: "host.example [192.0.2.1]", "root@localhost" */
	const char *daemon_name;  /* "MTA", "stdin", "local" */
	const char *helo;	  /* its argument, "" before */
	uid_t uid;		  /* SERVER_LOCAL */

	/* how far it is */
	struct session_features features;
	enum session_refusal refusal;
	struct verdict refusal_verdict;
	bool is_over;
	bool is_esmtp, is_greeted;
	bool issued_something; /* MAIL, VRFY, EXPN or ETRN was seen */
	bool is_first_command;
	bool is_verbose;
	bool told_of_help; /* that the help file is old was logged */
	bool discards_all; /* check_relay said discard */
	bool has_tls;
	bool is_authenticated;
	bool was_refused; /* a ruleset refused something: counted once a session */
	unsigned counts[COUNT_SIZE];
	unsigned bad_commands;
	const char *last_verb;
	int exit_status;
	void *sasl; /* server/auth.c's own */
	struct milters *filters; /* NULL: none are asked */
	struct milter_result filters_failed; /* what one that cannot be reached means */
	bool filters_put_off;	 /* one of them wants all mail of this session to come later */

	/* the transaction */
	struct envelope *envelope;
	struct macro_env *message_macros; /* child of macros */
	bool has_mail;			  /* MAIL was accepted */
	bool log_sender;		  /* the from= line is still owed */
	bool is_discarded;
	bool is_quiet; /* what is wrong is noted, not answered: a filter's doing, not the client's */
	struct verdict last_reply; /* in scratch */
	bool logs_errors; /* during RCPT V8 logs what it answers */
	const char
	    *sender; /* address as V8 knows it inside: without brackets, "" for the null sender */
	const char *full_name; /* of a sender who has a login here; NULL */
	const struct mailer *sender_mailer; /* that the sender resolved to; NULL before MAIL */
	const char *body_type; /* BODY= as given */
	long declared_size;
	char delivery_mode; /* the local hand-over's; 0: the port's or the configuration's */
	int recipient_count, bad_recipients;
	int listed_recipients; /* with those nobody knows: V8 shows a lone one in Received */
	const char *
	    shown; /* what logs have in place of the first argument of a ruleset; NULL: that itself */
	const char *subject;   /* the address that a ruleset judges, for its refusal; NULL: none */
	const char *complaint; /* of the rule engine about an address */
};

/* session.c: replies.  An error (4xx, 5xx) also becomes the message's status (M line). */
void session_reply(struct session *, int code, const char *dsn, const char *format, ...)
    PRINTF_LIKE(4, 5);
void session_reply_more(struct session *, int code, const char *dsn, const char *format, ...)
    PRINTF_LIKE(4, 5);
void session_reply_verdict(struct session *, const struct verdict *);
/* Option SoftBounce: 4xx for 5xx. */
void session_soften(const struct session *, struct verdict *);
/* A text as the peer sees it: on one line, without control characters and the highest bits. */
const char *session_clean(struct arena *, const char *text);
/* To a peer that may still read though it writes no more, or too late; the conn has failed already. */
void session_last_word(struct session *, const char *dsn, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* 421 and the end of the connection. */
void session_end(struct session *, const char *dsn, const char *format, ...) PRINTF_LIKE(3, 4);

void session_set_macro(struct session *, const char *name, const char *value);
void session_set_message_macro(struct session *, const char *name, const char *value);
const char *session_macro(struct session *, const char *name); /* "" when unset */

/* The id of the envelope at hand, made when first needed. */
const char *session_id(struct session *);
/* Forgets the transaction; the from= line is logged when it is owed. */
void session_new_envelope(struct session *);
void session_log_from(struct session *);
/* V8's setstat: the first status of a session stays. */
void session_set_exit(struct session *, int exit_status);
/* Counts a command that is suspicious in numbers; at the maximum it is logged and slowed down. */
void session_count(struct session *, enum session_count, unsigned maximum, const char *name);
/* X-Authentication-Warning and its log line, when PrivacyOptions has authwarnings. */
void session_auth_warning(struct session *, const char *format, ...) PRINTF_LIKE(2, 3);
bool session_has_privacy(const struct session *, unsigned flags);

/* check.c: rulesets */
void session_rule_context(struct session *, struct rule_context *);
/*
 * Runs a hook and logs what it refuses ("ruleset=NAME, arg1=..., reject=...").  True: go on (also
 * after a quarantine, which is noted, and a discard, see is_discarded).  False: *verdict is the
 * refusal; the exit status was noted.
 */
bool session_check(struct session *, const char *ruleset, const char *text1, const char *text2,
    bool with_id, struct verdict *);
/*
 * resolve_address, and all that can be wrong with an address in resolved->error, as it is to be answered; its
 * exit status was noted.
 */
bool session_resolve(struct session *, const char *address, unsigned what, struct resolved *);
void session_read_features(struct session *);
/* True: greet now; false: the refusal was the greeting. */
bool session_greet_pause(struct session *);

/*
 * filters.c: mail filters (milter/milter.h).  Those that return bool: false when the client has been answered, with
 * their refusal.
 */
void session_open_filters(struct session *, const char *list);
bool session_filter_connect(struct session *); /* false: greeted with a refusal */
void session_filter_helo(struct session *);
/* parameters: as session_list_parameters gives them */
bool session_filter_mail(
    struct session *, const char *address, const char *const *parameters, struct verdict *);
bool session_filter_rcpt(
    struct session *, const char *address, const char *const *parameters, struct verdict *);
/* To filters that want to hear of it: a recipient that was refused with s->last_reply. */
void session_filter_refused_rcpt(
    struct session *, const char *address, const char *const *parameters);
bool session_filter_data(struct session *, struct verdict *);
bool session_filter_unknown(struct session *, const char *line);
struct accepted;
bool session_filter_message(struct session *, struct accepted *, struct verdict *);
/* The words of a command behind its address, in the scratch arena, NULL-ended. */
const char *const *session_list_parameters(struct session *, const char *rest);

/* filter_changes.c: what filters may do to the message at hand */
struct filter_changes *filter_changes_begin(
    struct session *, struct accepted *, struct milter_changes *);
void filter_changes_end(struct filter_changes *);

/* mail.c: false, and answered: what belongs to DSN, where PrivacyOptions or srv_features do not allow it */
bool session_allows_dsn(struct session *, const char *name);

/* mail.c: makes an address the sender, and takes the parameters of MAIL; false: it was answered */
bool session_read_sender(struct session *, const char *address);
bool session_take_mail_parameters(struct session *, char *rest);

/* rcpt.c: a recipient that has resolved: ${rcpt_*} */
void session_set_recipient(struct session *, const struct resolved *);

/* rcpt.c: for filters; false: it was answered, or there is no such recipient */
bool session_add_recipient(struct session *, const char *address, char *parameters);
bool session_delete_recipient(struct session *, const char *address);

/* mail.c: a sender that has resolved: $f, its full name, ${mail_*} */
void session_set_sender(struct session *, const char *address, const struct resolved *);

/* rcpt.c: "programs", "files" or ":include:s" for what only aliases may lead to; NULL: it is none */
const char *session_special_kind(const struct session *, const struct resolved *);
/* rcpt.c: what must not be addressed from outside, and users that nobody knows: false and why; true: "Recipient ok" */
bool session_is_deliverable(
    struct session *, const char *address, const struct resolved *, struct verdict *);

/* peer.c: who is there: macros client_*, if_*, daemon_*, $_, $s */
void session_find_peer(struct session *);

/* starttls.c: the handshake; false: the connection is over */
bool session_start_tls(struct session *);

/* dispatch.c */
void session_dispatch(struct session *, char *line);

/* commands: each gets what follows the verb */
typedef void command_handler(struct session *, char *argument);
command_handler command_helo, command_ehlo, command_mail, command_rcpt, command_data,
    command_starttls, command_auth, command_vrfy, command_expn, command_etrn, command_rset,
    command_noop, command_help, command_verb, command_quit, command_http;

/* auth.c */
const char *auth_mechanisms(struct session *); /* for the EHLO line; NULL: AUTH is not offered */
void auth_close(struct session *);

/* accept.c: a message was read; body_fd is its df, open for writing.  Takes it over. */
struct accepted {
	int body_fd;
	size_t header_bytes;
	bool is_too_large, headers_too_large, has_nul;
	int disk_error; /* errno of the df, 0 */
};
void accept_message(struct session *, struct accepted *);

/* local.c: XENV and its fellows */
void local_serve(struct session *);

#endif
