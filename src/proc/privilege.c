#include "config.h"

#include "proc/privilege.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <unistd.h>

/* What a later bug or intruder could try: each of these must fail now. */
static bool
is_final(uid_t uid, gid_t gid)
{
	if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid)
		return false;
	if (uid == 0)
		return true;
	return setuid(0) < 0 && seteuid(0) < 0 && setreuid(-1, 0) < 0 &&
	       (gid == 0 || (setgid(0) < 0 && setegid(0) < 0));
}

bool
privilege_become(uid_t uid, gid_t gid, const char *user)
{
	bool was_root = geteuid() == 0;

	if (was_root) {
		if (user != NULL ? initgroups(user, gid) < 0 : setgroups(0, NULL) < 0)
			return false;
		if (setgid(gid) < 0 || setuid(uid) < 0)
			return false;
	}
	if (!is_final(uid, gid) || (was_root && user == NULL && getgroups(0, NULL) != 0)) {
		errno = EPERM;
		return false;
	}
	return true;
}
