/*
 * list_file: the text of :include: lists and .forward files, read with the rights of their owners.
 */
#ifndef ROUTE_LIST_FILE_H
#define ROUTE_LIST_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "conf/config.h"
#include "conf/safefile.h"
#include "route/alias.h"

/*
 * Reads the file as `owner` (NULL: as we are); homes may be 0700 or on NFS, so root becomes the owner
 * in a process of its own, which has a time limit.  NULL and *text, or the reason in V8's words.
 */
const char *list_file_read(const char *path, enum safefile_kind, const struct alias_user *owner,
    const struct config *, struct arena *, char **text);

/* A line that is neither empty nor a comment. */
bool list_file_has_address(const char *text);

/* In /etc/shells, or /SENDMAIL/ANY/SHELL/ is. */
bool list_file_shell_is_good(const char *shell);

#endif
