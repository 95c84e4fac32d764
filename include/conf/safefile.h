/*
 * safefile: may this file be trusted?  The checks that V8 makes before it reads class files, aliases,
 * .forward and :include: files, maps, keys, with its words for what is wrong.
 */
#ifndef CONF_SAFEFILE_H
#define CONF_SAFEFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/option.h"

enum safefile_rule {
	SAFEFILE_DIRECTORIES =
	    1 << 0, /* no directory of the path may be written by group or others */
	SAFEFILE_NO_WORLD_WRITABLE = 1 << 1,
	SAFEFILE_NO_GROUP_WRITABLE = 1 << 2,
	SAFEFILE_NO_GROUP_READABLE = 1 << 3,
	SAFEFILE_NO_WORLD_READABLE = 1 << 4,
	SAFEFILE_NO_LINK = 1 << 5, /* no symbolic link at all */
	SAFEFILE_OWNED = 1 << 6,   /* by root, TrustedUser or the user who runs this */
	SAFEFILE_FOREIGN = 1 << 7, /* root may read what its owner may */
};

/*
 * NULL when the file may be used, or the reason: "World writable directory", "Group writable file",
 * "Regular files only", "No such file or directory", ...  A symbolic link is followed, and the
 * directories of what it points to are looked at as well.
 */
const char *safefile_check(const char *path, unsigned rules, const struct options *);

/* The same for the directories of a path alone. */
const char *safefile_check_directories(const char *path, const struct options *);

/* What a kind of file asks for, less what DontBlameSendmail waives. */
enum safefile_kind {
	SAFEFILE_CLASS,
	SAFEFILE_ALIAS,
	SAFEFILE_FORWARD,
	SAFEFILE_INCLUDE,
	SAFEFILE_MAP,
	SAFEFILE_KEY,	    /* TLS keys */
	SAFEFILE_AUTH_INFO, /* passwords */
	SAFEFILE_HELP,
	SAFEFILE_ERROR_HEADER,
	SAFEFILE_SWITCH,
};
unsigned safefile_rules(enum safefile_kind, const struct options *);
const char *safefile_check_kind(const char *path, enum safefile_kind, const struct options *);

#endif
