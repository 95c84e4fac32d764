/*
 * transaction: one message on its way through a session; what the files of src/client share about it.
 */
#ifndef CLIENT_TRANSACTION_H
#define CLIENT_TRANSACTION_H

#include "client/session.h"
#include "route/render.h"

/* What was said to one BDAT. */
struct chunk {
	struct chunk *next;
	struct reply reply;
};

/* What was asked for its recipients and what the peer said. */
struct transaction {
	struct client *client;
	const struct client_message
	    *message; /* a copy: the caller's may be gone when the last answer comes */
	struct recipient **recipients;
	size_t count;
	struct reply reset, mail, data, *rcpt, *end; /* one end, or one a recipient (LMTP) */
	bool *skipped;				     /* tls_rcpt has spoken */
	const char *mail_command;		     /* for transcripts */
	enum render_coding coding;
	struct str chunk;
	struct chunk *chunks, **chunks_end;
	bool body_sent;
	bool
	    is_hopeless; /* the rest of the chunks need not go: one was refused, or all recipients */
	size_t last_question; /* its number in the session */
};

/* envelope.c: MAIL and RCPT. */
void transaction_check_recipients(
    struct transaction *); /* those that cannot be asked for are settled and skipped */
/* True when it is worth going on, as far as we know. */
bool transaction_ask_envelope(struct transaction *, const char *body_type, long size);
size_t transaction_accepted_count(const struct transaction *);
/* "RCPT To:<...> NOTIFY=..." */
const char *transaction_rcpt_command(
    const struct client *, const struct recipient *, struct arena *);

/* content.c: header and body. */
const char *transaction_choose_coding(struct transaction *); /* what BODY= says, or NULL */
void transaction_send_data(struct transaction *);	     /* after DATA was answered with 354 */
void transaction_send_chunks(struct transaction *);

/* settle.c: from answers to verdicts. */
void transaction_settle(const struct transaction *);
void transaction_settle_one(
    const struct transaction *, struct recipient *, struct verdict, const char *reply);
/* The answer to the body as a whole; of chunks the first refusal decides, as the rest follows from it. */
const struct reply *transaction_body_answer(const struct transaction *, size_t recipient);
/* transcript.c: what a report will show of the dialogue, left in the recipients; in V8's order. */
void transaction_write_down(const struct transaction *);
/* The peer took recipients and then did not know BDAT, which it had offered. */
bool transaction_knows_no_chunks(const struct transaction *);

#endif
