/*
 * lanes: which hosts were found dead, so that one dead host costs one attempt and not one a message.
 * A lane is closed for a second, longer where the attempt took long: new mail is not to wait for
 * the next queue interval when the host has long been back.
 */
#ifndef RUN_LANES_H
#define RUN_LANES_H

#include "mail/verdict.h"

struct lanes;

struct lanes *lanes_create(void);
void lanes_destroy(struct lanes *); /* NULL is allowed */

/* Everything is worth an attempt again. */
void lanes_reopen(struct lanes *);

/* Keeps its own copies. */
void lanes_close(struct lanes *, const char *lane, const struct verdict *, const char *relay);

/* NULL: open.  *relay as it was when the lane closed, without the address. */
const struct verdict *lanes_find_closed(struct lanes *, const char *lane, const char **relay);

#endif
