/*
 * dead_letter: where a message goes that could not be delivered, when errors go to the terminal:
 * the end of `dead.letter` in the caller's home, written with the caller's own rights.
 */
#ifndef SUBMIT_DEAD_LETTER_H
#define SUBMIT_DEAD_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"

struct dead_letter {
	uid_t uid; /* the caller's */
	gid_t gid;
	const char *sender; /* for the "From sender date" line; "" is MAILER-DAEMON */
	time_t created;
	const char *header; /* lines ended by \n */
	size_t header_length;
	int body_fd; /* read from its start; -1: the body is here: */
	const char *body;
	size_t body_length;
};

/*
 * Says "HOME/dead.letter... Saved message in HOME/dead.letter".  False when it could not be saved
 * there; a sentence was printed then.
 */
bool dead_letter_save(const struct dead_letter *, struct arena *);

/* V8: only who sent it himself finds it there.  Is the sender, a login name, this user? */
bool dead_letter_is_own(uid_t, const char *sender);

#endif
