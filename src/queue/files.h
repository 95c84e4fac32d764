/*
 * files: what the files of src/queue share: opening without being led astray, writing whole, logging.
 */
#ifndef QUEUE_FILES_H
#define QUEUE_FILES_H

#include <dirent.h>

#include "queue/queue.h"

/*
 * Opens a regular file of a queue directory; links are not followed, fifos and devices not opened
 * or waited for.  -1 with errno: ENOENT, ELOOP for what is no regular file, ...
 */
int files_open(int directory, const char *name, int flags, struct stat *);

/* fsync through EINTR. */
int files_sync(int fd);

/* Closes on paths that failed already: errno is left alone. */
void files_close(int fd);

/* Whether the name still is the file that is open. */
bool files_is_named(int directory, const char *name, int fd);

/* A directory of a chain by number, and the number for a new id in a group (NULL: mqueue). */
struct queue *files_part(struct queue *, int number);
int files_part_of_new(const struct queue *, const char *id, const char *group);

/* A new file of the queue's mode in one of its directories, locked; -1 with errno. */
int files_create(const struct queue *, int directory, const char *name);

/*
 * Takes the body of a new message to the directory of its group and sets envelope->queue_part.  The descriptor of
 * the df, which is another one where bytes were copied; or -1 with errno: body_fd is closed, and no file left.
 */
int files_move_body(struct queue *, struct envelope *, int body_fd);

/* queue_scan of one directory. */
int files_scan(const struct queue *, char kind, struct queue_entry **entries, size_t *count);

/* Where a control file of this kind is: qf, hf, Qf and tf share a directory. */
int files_directory(const struct queue *, char kind);

/* Another descriptor of a queue directory, to be read from its start. */
DIR *files_open_directory(int directory);

/* The id in the name of a file of this kind, NULL when it is none. */
const char *files_id_of(const char *name, char kind);

/*
 * New contents for the control file that is open and locked as old_fd, under the name of new_kind.  The new
 * file's descriptor, locked, or -1; *kind is what the message's file is called in either case.
 */
int files_replace_control(
    struct queue *, const char *id, int old_fd, char *kind, char new_kind, const struct str *text);

/* The whole of a control file.  0, or -1 with errno: EFBIG when it is larger than any honest one. */
int files_read_control(int fd, off_t size, struct str *content);

/* Makes the names of control files durable. */
int files_sync_control(const struct queue *);

/* Keeps V8's words about a message for `-v` and mailq, and logs them as "ID: SYSERR(user): text". */
void files_complain(struct queue *, const char *id, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
