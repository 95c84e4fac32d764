/*
 * file_mailer: P=[FILE], the mailer *file*: a message at the end of a file, as /file in aliases and
 * .forward files asks for.
 */
#ifndef DELIVER_FILE_MAILER_H
#define DELIVER_FILE_MAILER_H

#include <sys/types.h>

#include "conf/option.h"

/*
 * V8: a file with a set-user-id bit, that is no program, is written as its owner; with a set-group-id
 * bit as its group.  Never as root.  While this process is still root.
 */
void file_mailer_take_owner(const char *path, uid_t *uid, gid_t *gid);

/*
 * Appends what comes from `input`, under a lock, synced; a file that is not there is made with mode
 * 0600.  Refused: links, what is no regular file (but /dev/null), what has an execute bit.  All of
 * the message is in the file or nothing of it.  An exit status: 73 it cannot be, 74 and 75 not now;
 * a line about it is on standard error.
 */
int file_mailer_append(const char *path, uid_t uid, const struct options *, int input);

#endif
