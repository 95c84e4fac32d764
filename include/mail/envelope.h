/*
 * envelope: one message as data: who sent it, who gets it, its header, where its body is.  It is
 * what a qf file holds (queue/queue.h reads and writes it), what submission and the SMTP server
 * make, and what a job delivers.  All memory belongs to `arena`, which the envelope owns.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "mail/header.h"
#include "mail/verdict.h"

struct mailer; /* conf/mailer.h */
struct source; /* route/source.h */

enum { ENVELOPE_ID_SIZE = 24 };

/* Flags of the F line, in the order V8 writes them. */
enum envelope_flag {
	ENVELOPE_WARNED = 1 << 0,      /* w: a delay report went out */
	ENVELOPE_RESPONSE = 1 << 1,    /* r: is a report itself */
	ENVELOPE_8BIT = 1 << 2,	       /* 8: body has bytes above 127 */
	ENVELOPE_DELETE_BCC = 1 << 3,  /* b */
	ENVELOPE_HAS_RET = 1 << 4,     /* d: RET= was given */
	ENVELOPE_NO_BODY_RETURN = 1 << 5, /* n: RET=HDRS */
	ENVELOPE_SPLIT = 1 << 6,       /* s: V8 8.17 always sets it */
};

enum recipient_flag {
	RECIPIENT_PRIMARY = 1 << 0,	 /* P: given, not made by an alias */
	RECIPIENT_HAS_NOTIFY = 1 << 1,	 /* N: NOTIFY= was given; no S, F, D then means NEVER */
	RECIPIENT_NOTIFY_SUCCESS = 1 << 2, /* S */
	RECIPIENT_NOTIFY_FAILURE = 1 << 3, /* F */
	RECIPIENT_NOTIFY_DELAY = 1 << 4, /* D */
	RECIPIENT_BLIND = 1 << 5,	 /* B: from a Bcc field */
	RECIPIENT_ALIAS = 1 << 6,	 /* A: an alias named it */
	RECIPIENT_INTERNAL_REPLY = 1 << 7, /* Y: V8's own, kept for it */
	RECIPIENT_DONE = 1 << 8,	 /* in memory only: sent, bounced or expanded; not written back to the qf */
	RECIPIENT_QUEUED_UP = 1 << 9,	 /* in memory only: stays for a later run */
	RECIPIENT_UNCERTAIN = 1 << 10, /* in memory only: a map gave no answer when it was resolved; its failure is none yet */
	RECIPIENT_DERIVED = 1 << 12, /* in memory only: its line had no P; V8 gives it one when the file is read */
	RECIPIENT_REFUSED = 1 << 11, /* in memory only: an alias or list named it, and its verdict is there already */
};

struct recipient {
	struct recipient *next;
	const char *address;	   /* the R line: as given, or as an alias expanded it */
	unsigned flags;		   /* enum recipient_flag */
	const char *orcpt;	   /* Q line: "rfc822;..." or NULL */
	const char *final;	   /* r line: "RFC822; user@host" or NULL */
	const char *status;	   /* M line before the R line: its own status, or NULL */
	const char *control_user;  /* C line: user, NULL when none ("" for `C:alias`) */
	const char *control_alias; /* C line: what made it (alias name) */
	uid_t control_uid;
	gid_t control_gid;
	bool has_control_ids;
	/* what route/resolve found; NULL until resolved */
	const struct mailer *mailer;
	const char *host, *user;
	const char *alias_of; /* the address whose alias made this one, NULL for those given */
	const char *owner;    /* in memory only: the sender that its list asks for; NULL: the envelope's */
	const struct source *chain; /* in memory only: what named it */
	size_t chain_count;
	struct verdict verdict;
	const char *relay; /* "host. [192.0.2.1]" of the last attempt, for the log; NULL without one */
	const char *reply; /* first line of the peer's reply that decided, cleaned, for reply= in the log; NULL when it was none */
	bool reply_is_own; /* it answered this recipient's own RCPT: V8 then keeps it in a status line of its own */
	const char *named_by; /* the alias or file of several that names this one; NULL: as alias_of */
	const char *why; /* V8: the error behind the verdict, which the status line tells in its place; NULL */
	/* of the last attempt, for reports */
	const char *said;	/* lines of the dialogue that led to its verdict; NULL */
	const char *said_after; /* and what the peer said behind it; NULL */
	const char *diagnostic; /* first line of the peer's answer to it, or a mailer's exit status as a number; NULL */
	const char *remote;	/* host that decided; NULL */
	int piece;		/* which of several messages it goes into when one is split (submit/split.h) */
	bool peer_reports;	/* the peer knows DSN: success is its to report */
	unsigned char report;	/* enum report_action (mail/report.h) */
};

/* RFC 2852 by-mode N, R and T, the bits of the one byte that V8's qf has for them. */
enum deliver_by { DELIVER_BY_NOTIFY = 0x01, DELIVER_BY_RETURN = 0x02, DELIVER_BY_TRACE = 0x10 };

struct saved_macro {
	struct saved_macro *next;
	const char *name; /* "r", "_" or a long name without braces */
	const char *value;
};

struct envelope {
	struct arena *arena;
	char id[ENVELOPE_ID_SIZE]; /* "" until queue_new_id */
	int version;		   /* V line: 8 */
	time_t created;		   /* T */
	time_t last_attempt;	   /* K, 0: never */
	int attempts;		   /* N */
	long priority;		   /* P; the lower the sooner */
	dev_t body_device;	   /* I line: where the df is; set by queue_take, written when the inode is not 0 */
	ino_t body_inode;
	unsigned flags;		   /* enum envelope_flag */
	const char *status;	   /* M line before the recipients: the last status, or NULL */
	const char *body_type;	   /* B: "8BITMIME", "7BIT" or NULL */
	const char *quarantine;	   /* q: reason, or NULL */
	const char *sender;	   /* S: as given; "<>" is the null sender */
	const char *envid;	   /* Z, xtext as received, or NULL */
	const char *auth;	   /* A, or NULL */
	const char *body_directory; /* d, or NULL */
	long deliver_by;	   /* D line, seconds; 0: none */
	const char *deliver_by_mode; /* one byte of enum deliver_by, as text; NULL: none */
	struct saved_macro *macros, **macros_end;
	struct recipient *recipients, **recipients_end;
	struct header_list headers;
	int message_class;	   /* from Precedence: */
	int hop_count;
	/* body */
	int body_fd;		   /* open for reading, or -1 */
	off_t body_size;	   /* bytes of the df */
	off_t message_size;	   /* size= of the log: header and body as read */
	char control_kind;	   /* file it was read from: 'q', or 'h' when quarantined; 0: not on disk */
	int queue_part;		   /* which of several queue directories it is in, from 0 */
	const char *queue_group;   /* in which group of them it is to be queued; NULL: mqueue */
	int control_fd;		   /* the locked qf while a job or a submission holds it, or -1 */
};

struct envelope *envelope_create(void);
void envelope_destroy(struct envelope *); /* closes its descriptors */
struct recipient *envelope_add_recipient(struct envelope *, const char *address, unsigned flags);
void envelope_remove_recipient(struct envelope *, const struct recipient *); /* one of its list */
/*
 * V8: the list is kept by host; those at one host keep their order, or stand by address, the last one first (each
 * queue run of a message that was tried before).  Recipients that are not resolved have no host, and come first.
 */
void envelope_sort_recipients(struct envelope *, bool is_by_address);
void envelope_set_macro(struct envelope *, const char *name, const char *value); /* replaces; NULL removes */
const char *envelope_macro(const struct envelope *, const char *name);		 /* NULL when not saved */

#endif
