/*
 * list_file: the text of :include: lists and .forward files, read with the rights of their owners.
 */
#ifndef ROUTE_LIST_FILE_H
#define ROUTE_LIST_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "conf/config.h"
#include "conf/safefile.h"

struct list_file {
	char *text;
	uid_t uid;	  /* whose file it is */
	bool is_unsafe;	  /* others could have written it: it may name no programs and files */
	bool may_be_gift; /* its file system lets users give files away: the owner proves nothing */
};

/*
 * Reads the file as `reader` (NULL: as we are): homes may be 0700 or on NFS, and a list is to tell
 * nobody what only root may read.  Root becomes the reader in a process of its own, which has a time
 * limit.  `login` NULL: with the group alone.  NULL and *file, or the reason in V8's words.
 */
struct list_reader {
	const char *login;
	uid_t uid;
	gid_t gid;
};
const char *list_file_read(const char *path, enum safefile_kind, const struct list_reader *reader,
    const struct config *, struct arena *, struct list_file *file);

/* A line that is neither empty nor a comment. */
bool list_file_has_address(const char *text);

/* In /etc/shells, or /SENDMAIL/ANY/SHELL/ is. */
bool list_file_shell_is_good(const char *shell);

#endif
