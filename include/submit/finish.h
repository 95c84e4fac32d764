/*
 * finish: from a message as it was handed in to one that can be queued: default fields of the H
 * lines, precedence, priority, hop count (Operations Guide 5.5; RFC 5322 3.6, RFC 6409 8).  The
 * SMTP server uses it as well as local submission.
 */
#ifndef SUBMIT_FINISH_H
#define SUBMIT_FINISH_H

#include <stdbool.h>

#include "base/str.h"
#include "conf/config.h"
#include "mail/envelope.h"

/* Who sent it, as far as templates show it. */
struct finish_sender {
	const char *
	    address; /* for $f and $g: "alice", "x@y.example"; "" for the null sender or a bad one */
	const char *full_name; /* for $x, unquoted; NULL when there is none */
};

/*
 * The envelope has id, created, sender, headers as read, message_size (bytes as read); the macros
 * of the session ($_ $s $r {daemon_flags} client_* auth_* tls_*) are set in `macros`, and $u when
 * there is exactly one recipient (see finish_set_recipient).  Done here: $i $a $b $d $t $f $g $x $c
 * set in macros; default fields put in front; Full-Name used up; Precedence and hop count read;
 * NOTIFY-less flags; macros of class {persistentMacros} saved; message id to {msg_id}.
 * Recipients may be added afterwards; finish_priority is called when they are all there.
 */
void finish_header(struct envelope *, const struct config *, struct macro_env *macros,
    const struct finish_sender *);

/* Sets $u from the envelope's recipients: the address as given when there is one, else nothing. */
void finish_set_recipient(struct envelope *, const struct config *, struct macro_env *macros);

/* NoRecipientAction, flag b (Bcc goes away), priority from size, class and `recipient_count`. */
void finish_envelope(struct envelope *, const struct config *, int recipient_count);

/* The class that Precedence names; what is below 0 is not returned with reports. */
void finish_read_class(struct envelope *, const struct config *);

/* The priority alone: the lower the sooner; size, Precedence and recipients count. */
void finish_priority(struct envelope *, const struct config *, int recipient_count);

/* A full name as a phrase: quoted where its characters need it (MustQuoteChars). */
const char *finish_quote_name(const struct config *, struct arena *, const char *name);

/* The Message-Id field's value without blanks around it, or NULL. */
const char *finish_message_id(const struct envelope *);

/*
 * "ID: from=S, size=N, class=C, nrcpts=N[, msgid=<..>][, bodytype=B][, proto=P][, daemon=D], relay=R"
 * at level 5.  protocol and daemon NULL: not shown.
 */
struct finish_log {
	int recipient_count;
	const char *body_type, *protocol, *daemon, *relay;
};
/* V8: in the log what cannot be printed in an address is shown as octal, a backslash is doubled. */
void finish_show_address(struct str *line, const char *address);
void finish_log_from(const struct envelope *, const struct finish_log *);

#endif
