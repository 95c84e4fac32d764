/*
 * privilege: giving up root, for good, and proving it.
 */
#ifndef PROC_PRIVILEGE_H
#define PROC_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Becomes a user for the rest of the process's life: supplementary groups (those of `user` when it
 * is not NULL, else none), group, user; then checks that nothing of it can be taken back.  False
 * with errno when it did not work: the caller must end the process, it may be half way.  A process
 * that is not root must already be what is asked for.
 */
bool privilege_become(uid_t uid, gid_t gid, const char *user);

#endif
