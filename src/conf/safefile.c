#include "conf/safefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

enum { LINKS_MAXIMUM = 20 };

static const char *
check_directory(const char *path, const struct options *options, const char **reason)
{
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
		*reason = strerror(status.st_mode != 0 && errno == 0 ? ENOTDIR : errno);
		return NULL;
	}
	/* V8: in a sticky directory nobody takes another's file away, where one believes in that */
	if ((status.st_mode & S_ISVTX) != 0 && option_blames(options, BLAME_TRUST_STICKY_BIT))
		return path;
	if ((status.st_mode & S_IWOTH) != 0)
		*reason = "World writable directory";
	else if ((status.st_mode & S_IWGRP) != 0 &&
		 !option_blames(options, BLAME_GROUP_WRITABLE_DIR_PATH_SAFE))
		*reason = "Group writable directory";
	return *reason == NULL ? path : NULL;
}

const char *
safefile_check_directories(const char *path, const struct options *options)
{
	struct str part = {0};
	const char *reason = NULL;

	if (*path != '/') {
		char directory[PATH_MAX];

		if (getcwd(directory, sizeof directory) == NULL)
			return strerror(errno);
		str_add_text(&part, directory);
		str_add_char(&part, '/');
	}
	str_add_text(&part, path);
	for (size_t i = 0; reason == NULL && i < part.length; i++) {
		char saved;

		if (part.data[i] != '/')
			continue;
		saved = part.data[i + 1];
		part.data[i + 1] = '\0'; /* with its slash: "/" is one too */
		check_directory(part.data, options, &reason);
		part.data[i + 1] = saved;
	}
	str_free(&part);
	return reason;
}

static const char *
check_mode(const struct stat *status, unsigned rules, const struct options *options)
{
	if (!S_ISREG(status->st_mode))
		return "Regular files only";
	if ((rules & SAFEFILE_NO_GROUP_WRITABLE) != 0 && (status->st_mode & S_IWGRP) != 0)
		return "Group writable file";
	if ((rules & SAFEFILE_NO_WORLD_WRITABLE) != 0 && (status->st_mode & S_IWOTH) != 0)
		return "World writable file";
	if ((rules & SAFEFILE_NO_GROUP_READABLE) != 0 && (status->st_mode & S_IRGRP) != 0)
		return "Group readable file";
	if ((rules & SAFEFILE_NO_WORLD_READABLE) != 0 && (status->st_mode & S_IROTH) != 0)
		return "World readable file";
	if ((rules & SAFEFILE_OWNED) != 0 && status->st_uid != 0 &&
	    status->st_uid != options->trusted_uid && status->st_uid != geteuid())
		return "Permission denied";
	return NULL;
}

/*
 * V8 asks root as well what the mode says: what is another user's is not root's to read, unless group
 * or others may, or the user is TrustedUser.  Only where nothing depends on its owner root is one.
 */
static bool
is_readable_by_root(const struct stat *status, unsigned rules, const struct options *options)
{
	mode_t wanted = S_IRUSR;

	if ((rules & SAFEFILE_FOREIGN) == 0 && status->st_uid != 0 &&
	    status->st_uid != options->trusted_uid)
		wanted = status->st_gid == 0 ? S_IRGRP : S_IROTH;
	return (status->st_mode & wanted) != 0;
}

/* Where a symbolic link leads, relative to its own directory; malloc'd, NULL and errno when it cannot be read. */
static char *
read_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof target - 1);
	const char *slash = strrchr(path, '/');
	struct str result = {0};

	if (length < 0)
		return NULL;
	target[length] = '\0';
	if (target[0] != '/' && slash != NULL)
		str_add(&result, path, (size_t)(slash + 1 - path));
	str_add_text(&result, target);
	return result.data;
}

const char *
safefile_check(const char *path, unsigned rules, const struct options *options)
{
	const char *reason = NULL;
	char *at = check_strdup(path);
	struct stat status;

	for (int links = 0;; links++) {
		char *next;

		if ((rules & SAFEFILE_DIRECTORIES) != 0)
			reason = safefile_check_directories(at, options);
		if (reason == NULL && lstat(at, &status) < 0)
			reason = strerror(errno);
		if (reason != NULL || !S_ISLNK(status.st_mode))
			break;
		if ((rules & SAFEFILE_NO_LINK) != 0)
			reason = "Symbolic links not allowed";
		else if (links == LINKS_MAXIMUM)
			reason = strerror(ELOOP);
		if (reason != NULL)
			break;
		next = read_link(at);
		free(at);
		if (next == NULL)
			return strerror(errno);
		at = next;
	}
	if (reason == NULL)
		reason = check_mode(&status, rules, options);
	if (reason == NULL && geteuid() == 0 && !is_readable_by_root(&status, rules, options))
		reason = strerror(EACCES);
	if (reason == NULL && faccessat(AT_FDCWD, at, R_OK, AT_EACCESS) < 0)
		reason = strerror(errno);
	free(at);
	return reason;
}

/* Rules of each kind, and which flag of DontBlameSendmail waives which. */
static const struct kind {
	unsigned rules;
	struct {
		enum dont_blame blame;
		unsigned waives;
	} waivers[4];
} kinds[] = {
    [SAFEFILE_CLASS] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES,
	{{BLAME_CLASS_FILE_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_ALIAS] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES | SAFEFILE_NO_GROUP_WRITABLE |
			    SAFEFILE_NO_WORLD_WRITABLE,
	{{BLAME_GROUP_WRITABLE_ALIAS_FILE, SAFEFILE_NO_GROUP_WRITABLE},
	    {BLAME_WORLD_WRITABLE_ALIAS_FILE, SAFEFILE_NO_WORLD_WRITABLE},
	    {BLAME_MAP_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_FORWARD] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES | SAFEFILE_NO_GROUP_WRITABLE |
			      SAFEFILE_NO_WORLD_WRITABLE,
	{{BLAME_GROUP_WRITABLE_FORWARD_FILE, SAFEFILE_NO_GROUP_WRITABLE},
	    {BLAME_WORLD_WRITABLE_FORWARD_FILE, SAFEFILE_NO_WORLD_WRITABLE},
	    {BLAME_FORWARD_FILE_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_INCLUDE] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES | SAFEFILE_NO_GROUP_WRITABLE |
			      SAFEFILE_NO_WORLD_WRITABLE,
	{{BLAME_GROUP_WRITABLE_INCLUDE_FILE, SAFEFILE_NO_GROUP_WRITABLE},
	    {BLAME_WORLD_WRITABLE_INCLUDE_FILE, SAFEFILE_NO_WORLD_WRITABLE},
	    {BLAME_INCLUDE_FILE_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_MAP] = {SAFEFILE_DIRECTORIES, {{BLAME_MAP_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_KEY] = {SAFEFILE_DIRECTORIES | SAFEFILE_NO_GROUP_READABLE |
			  SAFEFILE_NO_WORLD_READABLE | SAFEFILE_NO_GROUP_WRITABLE |
			  SAFEFILE_NO_WORLD_WRITABLE | SAFEFILE_OWNED,
	{{BLAME_GROUP_READABLE_KEY_FILE, SAFEFILE_NO_GROUP_READABLE},
	    {BLAME_CERT_OWNER, SAFEFILE_OWNED}}},
    [SAFEFILE_AUTH_INFO] = {SAFEFILE_DIRECTORIES | SAFEFILE_NO_GROUP_READABLE |
				SAFEFILE_NO_WORLD_READABLE | SAFEFILE_NO_GROUP_WRITABLE |
				SAFEFILE_NO_WORLD_WRITABLE | SAFEFILE_OWNED,
	{{BLAME_GROUP_READABLE_DEFAULT_AUTH_INFO_FILE, SAFEFILE_NO_GROUP_READABLE}}},
    [SAFEFILE_HELP] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES,
	{{BLAME_HELP_FILE_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_ERROR_HEADER] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES,
	{{BLAME_ERROR_HEADER_IN_UNSAFE_DIR_PATH, SAFEFILE_DIRECTORIES}}},
    [SAFEFILE_SWITCH] = {SAFEFILE_FOREIGN | SAFEFILE_DIRECTORIES,
	{{BLAME_LINKED_SERVICE_SWITCH_FILE_IN_WRITABLE_DIR, 0}}},
};

unsigned
safefile_rules(enum safefile_kind kind, const struct options *options)
{
	unsigned rules = kinds[kind].rules;

	for (size_t i = 0; i < sizeof kinds[kind].waivers / sizeof kinds[kind].waivers[0]; i++) {
		if (kinds[kind].waivers[i].waives != 0 &&
		    option_blames(options, kinds[kind].waivers[i].blame))
			rules &= ~kinds[kind].waivers[i].waives;
	}
	return rules;
}

const char *
safefile_check_kind(const char *path, enum safefile_kind kind, const struct options *options)
{
	return safefile_check(path, safefile_rules(kind, options), options);
}
