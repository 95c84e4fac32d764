/*
 * queue: the V8 queue on disk.  docs/queue.md has the formats and the legal crash states.
 *
 * One struct queue is one queue directory (df/, qf/, xf/ below it when they exist), or a chain of those
 * that a wildcard in QueueDirectory names: a new message goes into one of them by its id, and an id is looked for in
 * all.  Names are always used relative to open directory descriptors.  Every function that fails says why
 * in errno, and logs what an administrator needs to know.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/str.h"
#include "mail/envelope.h"

enum {
	QUEUE_OWNERS_MAXIMUM = 6,
	QUEUE_PENDING_MAXIMUM = 16, /* removed messages whose df waits for a directory sync */
	QUEUE_CONTROL_MAXIMUM = 64 * 1024 * 1024, /* bytes of a control file that we read */
};

struct queue {
	struct queue *next;	    /* the next directory, when there are several */
	const char *group_name;	    /* queue group (a Q line), NULL: mqueue; the caller's */
	char *shown;		    /* path as V8 shows it: that of df/ when it exists */
	char *path;		    /* as in the cf: /var/spool/mqueue */
	int qf_dir, df_dir, xf_dir; /* the same descriptor when there are no subdirectories */
	mode_t file_mode;	    /* of qf and df: 0600, 0660 for the client queue */
	bool has_body_directory;    /* df/ exists */
	bool is_client;		    /* the submission program's own queue */
	bool sync;		    /* SuperSafe */
	gid_t group;		    /* of the directory */
	uid_t owners
	    [QUEUE_OWNERS_MAXIMUM]; /* whose control files are believed; others are set aside */
	int owner_count;
	const char *
	    complaint; /* V8's words about the message that queue_take did not give; "" when there are none */
	struct str complaint_text;
	bool batch_removals; /* queue_remove leaves the df to the next queue_flush */
	char pending[QUEUE_PENDING_MAXIMUM][ENVELOPE_ID_SIZE];
	int pending_count;
};

/* NULL and errno when a directory cannot be entered. */
struct queue *queue_open(const char *path, mode_t file_mode, bool is_client, bool sync);
/* Adds the directories of a queue group, whose name must live as long as the queue.  0, or -1 with errno. */
int queue_add_group(struct queue *, const char *group, const char *path);
/* Which group a directory is of, by the `part` of what was found there: its name, NULL for mqueue. */
const char *queue_group_of(const struct queue *, int part);
/* Leaves only the directories of one group, "mqueue" or another; NULL when there is none of it. */
struct queue *queue_keep_group(struct queue *, const char *group);
/* The exit status for an errno of queue_open: 78 when the directory is wrong, 75 when the machine is in trouble. */
int queue_open_status(int error);
void queue_close(struct queue *); /* flushes; NULL is allowed */

/*
 * Who may own control files: root, the effective user and the directory's owner from the start; in
 * a client queue anybody whose file has the directory's group.  This adds one (TrustedUser).
 */
void queue_accept_owner(struct queue *, uid_t);

/*
 * The directories that option QueueDirectory names: a `*` or other wildcard in its last part is
 * expanded, in the order of the directory as V8.  NULL-ended and malloc'd in one piece; NULL and errno when the parent
 * cannot be read, and an empty list when nothing matches.
 */
char **queue_directories(const char *option);

/* queue/id: a new id in V8's 14-character form; unique in this process and against the clock. */
void queue_new_id(char id[ENVELOPE_ID_SIZE]);
bool queue_id_is_valid(const char *id);

/* "qf" + id and so on.  kind is 'q', 'd', 't', 'x', 'h', 'Q'. */
enum { QUEUE_NAME_SIZE = 2 + ENVELOPE_ID_SIZE };
void queue_name(char name[QUEUE_NAME_SIZE], char kind, const char *id);

/* control_read.c, control_write.c: the qf format.  Pure: bytes in, envelope out, and back. */
enum control_result {
	CONTROL_OK,
	CONTROL_INCOMPLETE,  /* no final dot: being written, or a crash; leave it alone */
	CONTROL_BAD_LINE,    /* unknown or malformed line: set the file aside */
	CONTROL_BAD_VERSION, /* newer than 8 */
	CONTROL_EXTRA_DATA,  /* behind the final dot, or a body type that is none: set the file aside */
	CONTROL_NO_SENDER,   /* complete, without an S line: set the file aside */
	CONTROL_EMPTY,
};
struct control_error {
	int line;
	const char *text;	    /* the bad line, cleaned; in the envelope's arena */
	const char *header_warning; /* a header line that is none, and was left out; NULL: none */
};
enum control_result control_read(
    struct envelope *, const char *bytes, size_t length, struct control_error *);
/* No value can break out of its line: line breaks in values become blanks, or a fold in headers. */
void control_write(const struct envelope *, struct str *out);

/*
 * The body of a message that is not committed yet as that of another: a link to the same file, or a copy
 * where there can be none.  The new df's descriptor, or -1 with errno.
 */
int queue_body_link(struct queue *, const char *from_id, const char *id);

/* A df being written (O_EXCL, locked).  -1 and errno when it cannot be made. */
int queue_body_create(struct queue *, const char *id);

/*
 * queue/commit: body synced, qf written under its lock and synced, renamed, directory synced, in
 * this order; nothing of the id is left when it fails.  body_fd is synced here and belongs to the
 * queue from now on, whatever comes of it.  With `keep_locked` envelope->control_fd holds the locked
 * qf and envelope->body_fd the body afterwards (the committer delivers itself), otherwise both are
 * closed.  0, or -1 with errno (EDQUOT and ENOSPC mean a full disk).
 */
int queue_commit(struct queue *, struct envelope *, int body_fd, bool keep_locked);
/* Takes away whatever files of the id exist, qf first. */
void queue_discard(struct queue *, const char *id);
/*
 * Rewrites the qf of a locked envelope (tf, sync, rename, directory sync); the lock goes over to
 * the new file.  When the envelope was quarantined or released since, qf becomes hf or the reverse.
 */
int queue_rewrite(struct queue *, struct envelope *);
/* A message is done: qf away, directory synced, then df.  Closes control_fd and body_fd. */
int queue_remove(struct queue *, struct envelope *);
/* Ends a batch of removals (batch_removals): one directory sync, then the df files.  0, or -1 with errno. */
int queue_flush(struct queue *);
bool queue_has_pending(const struct queue *); /* it would have something to do */
/*
 * queue/quarantine: quarantines a message that is not being worked on (reason), or releases it (NULL).  Only the q line
 * of its control file changes, and the file's name.  old_reason gets what it was quarantined with before.
 */
enum quarantine_result {
	QUARANTINE_CHANGED,
	QUARANTINE_SAME, /* it is in that state already */
	QUARANTINE_LOCKED,
	QUARANTINE_INCOMPLETE, /* no final dot */
	QUARANTINE_SKIPPED,    /* empty, gone, or no regular file */
	QUARANTINE_ERROR,      /* errno */
};
enum quarantine_result queue_quarantine(
    struct queue *, char kind, const char *id, const char *reason, struct str *old_reason);

/* Renames qf to Qf (lost) and logs "ID: Losing ./qfID: reason" as V8; the df stays. */
void queue_set_aside(struct queue *, struct envelope *, const char *reason);

/*
 * queue/take: locks and reads one message for delivery; df opened.  QUEUE_TAKEN, or why not.
 * A broken qf is set aside and logged here; a qf without df is set aside, never sent empty.
 */
enum queue_taken {
	QUEUE_TAKEN,
	QUEUE_GONE,	 /* no such file (somebody delivered it) */
	QUEUE_LOCKED,	 /* somebody else works on it */
	QUEUE_NOT_YET,	 /* incomplete or empty, young */
	QUEUE_SET_ASIDE, /* bad: now Qf */
	QUEUE_NOT_OURS,	 /* link, fifo, directory, or not readable to us */
	QUEUE_ERROR,	 /* errno */
};
enum queue_taken queue_take(struct queue *, const char *id, struct envelope **);
/* The same for a control file of another kind: 'h' quarantined, 'Q' set aside. */
enum queue_taken queue_take_kind(struct queue *, char kind, const char *id, struct envelope **);
/* Reads without a lock, body or consequences: QUEUE_TAKEN, QUEUE_GONE, QUEUE_NOT_OURS or QUEUE_ERROR (EINVAL: bad contents). */
enum queue_taken queue_peek(struct queue *, char kind, const char *id, struct envelope **);

/* queue/scan: the ids of a directory with one kind of control file ('q', 'h', 'Q', also 'd', 't', 'x').  Unsorted. */
struct queue_entry {
	char id[ENVELOPE_ID_SIZE];
	time_t modified;
	ino_t inode;
	int part; /* which of the queue's directories */
};
/* A malloc'd array and its length; -1 with errno.  Regular files only. */
int queue_scan(struct queue *, char kind, struct queue_entry **entries, size_t *count);

/*
 * queue/sweep: takes away what killed programs left: tf, df and xf files without a control file, older than
 * age_seconds and locked by nobody.  A df that root's own sendmail may be about to commit (it holds no lock
 * between body and control file) gets an hour.  Gives how many went.
 */
int queue_sweep(struct queue *, long age_seconds);

/*
 * queue/adopt: root gives the files of messages that real sendmail wrote as root to the mail user:
 * regular files with one link (a body may have more, all of them in the queue), after their lock was taken;
 * a control file only along with its body.
 * Gives how many messages changed hands; -1 with errno when the directory cannot be read.
 */
int queue_adopt(struct queue *, uid_t owner, gid_t group);

#endif
