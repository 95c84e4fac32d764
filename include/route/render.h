/*
 * render: a composed message as the bytes that its mailer reads: MIME conversions, lines, flags.
 */
#ifndef ROUTE_RENDER_H
#define ROUTE_RENDER_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"
#include "conf/mailer.h"
#include "mail/envelope.h"
#include "mail/lines.h"

/* How it goes out: as it is, with MIME fields added, as 7 bits, or decoded to 8-bit text (flag 9). */
enum render_coding { RENDER_AS_IS, RENDER_LABELLED, RENDER_7BIT, RENDER_8BIT };

struct render {
	struct config *config;
	struct macro_env *macros;
	const struct mailer *mailer;
	const struct envelope *envelope; /* its body, flags and id */
	const char *header;		 /* of compose_message */
	size_t header_length;
};

/*
 * V8: what has 8 bits is converted for mailers with flag 7, and for peers that do not take it (unless flag 8),
 * when it is MIME or EightBitMode says mimify; other 8-bit bytes are passed as they are.
 */
enum render_coding render_choose_coding(const struct render *, bool takes_8bit);

/* Lines with the mailer's limits and flags; the caller adds where they go. */
struct lines render_lines(const struct mailer *);

/*
 * Header, blank line and body, the last line ended.  `fit` (may be NULL) is called between pieces.
 * False and *reason when our file failed: nothing may follow then that makes half a message look whole.
 */
bool render_message(const struct render *, enum render_coding, struct lines *,
    void (*fit)(void *context), void *fit_context, const char **reason);

#endif
