/*
 * main: what the modes share.  A mode is one function in one file of this folder; sendmail.c and
 * pillarbox.c choose it from their tables and end with what it returns.
 */
#ifndef MAIN_MAIN_H
#define MAIN_MAIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "conf/config.h"
#include "main/arguments.h"

struct queue;	     /* queue/queue.h */
struct queue_filter; /* queue/list.h */

struct main_context {
	int argc;
	char **argv;
	const struct arguments *arguments;
	struct config *config;
	struct config_request request; /* how it was read, for reading it again (SIGHUP) */
	/* who called: the real ids at the start, before any were given up */
	uid_t caller_uid;
	gid_t caller_gid;
	const char *caller_name; /* login name, or the number as text */
	bool has_rights;	 /* set-id: we have more rights than the caller */
	bool
	    dropped_rights; /* those of a set-id program were given up: the caller chose files or options */
	const char *full_name;	/* $NAME, or NULL */
	bool is_trusted_caller; /* root or TrustedUser */
	bool is_submission;	/* the submission program: submit.cf, UseMSP */
	bool is_program;	/* this is `pillarbox`, which may use the network */
};

/* The modes; each returns the exit status. */
int main_submit(struct main_context *);	 /* -bm, -ba, -t */
int main_test(struct main_context *);	 /* -bt */
int main_verify(struct main_context *);	 /* -bv */
int main_print(struct main_context *);	 /* -bp, -bP */
int main_aliases(struct main_context *); /* -bi */
int main_hosts(struct main_context *);	 /* -bh, -bH */
int main_check(struct main_context *);	 /* -bC */
int main_options(struct main_context *); /* -bO */
/* pillarbox's own */
int main_daemon(struct main_context *); /* -bd, -bD, -q30m: master */
void main_prepare_daemon(const struct arguments *);
int main_queue_run(struct main_context *);  /* -q, -qf, -q -v, -Q: one run */
int main_quarantine(struct main_context *); /* -Q[reason]: quarantine or release, deliver nothing */
int main_deliver(
    struct main_context *); /* --deliver ID: one message, in the foreground; V8's exit code */
int main_smtp_stdin(struct main_context *); /* -bs */

/* Row of a program's table of modes; a mode that is in no row is the other program's. */
struct main_mode {
	char mode; /* enum arguments_mode */
	int (*run)(struct main_context *);
	/* before the configuration is read and any program started; NULL: nothing to do then */
	void (*prepare)(const struct arguments *);
};

/*
 * The whole course of a program: environment and descriptors made safe, command line, configuration,
 * privileges, mode.  `other` is the path of the program that has the modes which are in no row,
 * or NULL when there is none.  Returns the exit status.
 */
int main_run(
    int argc, char **argv, const struct main_mode modes[], size_t mode_count, const char *other);

/*
 * Tells the caller (stderr; with a reply code in front in SMTP and daemon modes) and, at LOG_CRIT,
 * the log as "NOQUEUE: SYSERR(user): text".
 */
void main_report_error(const struct main_context *, const char *format, ...) PRINTF_LIKE(2, 3);

/* A HostStatusDirectory that cannot be used is told to the caller; the mail does without. */
void main_warn_of_host_status(const struct main_context *);

/* May we go into the queue directory?  If not, says so in V8's words; the exit status is EX_CONFIG. */
bool main_check_queue(const struct main_context *);

/*
 * Opens the queue as its owner.  Root works in another user's queue as that user, and its effective
 * ids come back with main_leave_queue for what needs them afterwards; a set-user-id program gives
 * root up for good.  An exit status after an error that was reported, else EX_OK.
 */
int main_enter_queue(const struct main_context *, struct queue **);
void main_leave_queue(const struct main_context *); /* the queue stays open */

/* Gives up what set-id gave us, for good. */
void main_drop_to_caller(const struct main_context *);

/* The version of sendmail whose behaviour this is, as $v shows it. */
const char *main_version(void);

/* The -q[!]I|R|S|Q of the command line, in the queue's own terms. */
const struct queue_filter *main_queue_filters(const struct arguments *);

/*
 * The directories of option QueueDirectory and of the queue groups, or of the group that -qG names.  NULL-ended; NULL
 * after an error that was reported.
 */
char **main_queue_directories(const struct main_context *);

#endif
