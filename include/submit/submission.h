/*
 * submission: one message handed in by a local program.  What the files of this folder share while
 * it is made; main/submit.c owns it.
 */
#ifndef SUBMIT_SUBMISSION_H
#define SUBMIT_SUBMISSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/config.h"
#include "mail/envelope.h"
#include "route/expand.h"
#include "rule/rule.h"
#include "submit/finish.h"

/*
 * A queue file that real sendmail may run holds no program, file or list that was refused: its place
 * has this name, and its status line the true one.
 */
#define SUBMISSION_REFUSED_ADDRESS "refused-address@refused.invalid"

struct submission {
	struct config *config;
	struct macro_env *macros;
	struct envelope *envelope;
	struct rule_context rule;
	/* who calls */
	const char *caller_name;
	uid_t caller_uid;
	gid_t caller_gid;
	const char *full_name; /* -F, or $NAME; NULL */
	bool is_client;	       /* submit.cf: the client queue */
	bool no_aliasing;      /* -n */
	bool is_gateway;       /* -G */
	unsigned notify;       /* flags for each recipient: RECIPIENT_... */
	bool says_errors;      /* ErrorMode p, or -v: to the terminal */
	bool is_verbose;       /* -v: what names stand for is told */
	/* what local names stand for, see submission_follow; its rules are NULL until the first */
	struct expand expand;
	const char *told; /* the last that was said of one of them */
	/* what came of it */
	struct finish_sender sender;
	const struct mailer *sender_mailer; /* that the sender resolved to; NULL: to none */
	int recipient_count; /* nrcpts= */
	int given_count;     /* names that were given, each once */
	const char *given_name; /* the last of them */
	int exit_status;
	bool has_failed;       /* something was complained of */
	bool recipient_failed; /* some recipient will not get it */
	const char *refused_name; /* the last such one */
	struct recipient *last_refused; /* as it is queued for the report; NULL: it is not */
	bool mails_errors;     /* the sender hears of that by mail: see submission_refuse */
	bool is_early;	       /* V8 has no id yet: warnings are logged without one */
	struct header_list warnings;
	int report_count;     /* of complaints about addresses so far */
	bool has_weak_status; /* exit_status is of a fault that any other counts more than */
	bool is_about_sender; /* not logged as a recipient's would be */
};

/* "NAME... TEXT" to the terminal (where errors go there), the log, and the queue's M line. */
void submission_complain(struct submission *, const char *name, const struct verdict *);

/*
 * Sets the envelope's sender: `given` is -f (NULL: the caller).  Finds full name and local user,
 * AUTH= value, adds X-Authentication-Warning where somebody not trusted names another (trusted:
 * root, class t).  Never fails: a sender that makes no sense is complained of and kept.
 */
void submission_set_sender(struct submission *, const char *given);
void submission_warn(struct submission *, const char *format, ...) PRINTF_LIKE(2, 3);
/* Puts the warnings in front of the message's own header. */
void submission_add_warnings(struct submission *);

/* Adds the recipients of one list ("a, b" of an argument or a header field). */
void submission_add_list(struct submission *, const char *list);
/* Those of To, Cc, Bcc, Apparently-To; where there are Resent- fields, of Resent-To, -Cc, -Bcc alone. */
void submission_add_from_header(struct submission *);

/*
 * V8 follows aliases, lists and .forward files when a message comes in, and so do we where that can be done
 * with our rights: root, for the main queue.  Elsewhere names are queued as they are, and followed when
 * they are delivered to.
 */
bool submission_follows(const struct submission *, const struct mailer *);
/* Adds those that a local name stands for. */
void submission_follow(struct submission *, const char *name, const struct resolved *);

/* The to= line of an unknown user; control is "name (1/0)" for ctladdr=, or NULL. */
void submission_log_unknown(const struct submission *, const char *name, const char *control,
    const struct mailer *);

/* The recipient that is there already; NULL: none. */
struct recipient *submission_find_same(struct envelope *, const struct resolved *);

/* Puts a recipient into the envelope's list, where V8 keeps those of one host together. */
void submission_insert(struct envelope *, struct recipient *);

/* "name <a@b> (c)", "group: a", "a;" -> "a@b", "a": nothing but the address.  In the arena. */
const char *submission_bare_address(struct arena *, const char *text);

/* ErrorMode, and whether the caller is the sender, say how errors are told; the sender is set. */
void submission_choose_error_mode(struct submission *);

/*
 * A recipient that the message will not be sent to.  When errors are mailed it is queued along with the others, with
 * the refusal as its status line, so that the report cannot get lost: the next job makes it.
 */
void submission_refuse(struct submission *, const char *name, const struct verdict *);
/* The same for one that an alias, a list or a .forward of `given` named; text is how it was told. */
void submission_refuse_member(
    struct submission *, const struct expanded *, const char *given, const char *text);
/*
 * After a hand-over that was refused, as a whole (`message`) or for some: only those stay in the envelope, as
 * submission_refuse leaves them.  How many.
 */
int submission_keep_refused(struct submission *, const struct verdict *message);
bool submission_has_refusal(const struct submission *); /* one that is queued */
/* ErrorMode p: who sent it himself finds what was not sent in dead.letter; there may be nothing to keep. */
bool submission_wants_dead_letter(const struct submission *);
/* V8: with ErrorMode e the report is all that the caller wants to know. */
int submission_final_status(const struct submission *);
/* UseErrorsTo: how many the Errors-To field names. */
int submission_count_errors_to(const struct submission *);
/* All of them: something is wrong with the message. */
void submission_refuse_all(struct submission *, const struct verdict *);

/* The r line, how reports name a recipient: "RFC822; user@host".  mailer NULL: none is known. */
const char *submission_final_address(
    const struct config *, struct arena *, const char *name, const struct mailer *);

/* RFC 3461 4: xtext of a text. */
const char *submission_xtext(struct arena *, const char *text);

#endif
