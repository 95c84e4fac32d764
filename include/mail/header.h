/*
 * header: the header of a message as a list of fields, in the order V8 keeps them.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A set of mailer flags: one bit for each byte value. */
struct flag_set {
	uint32_t bits[8];
};
bool flag_set_has(const struct flag_set *, int flag);
void flag_set_add(struct flag_set *, int flag);
void flag_set_remove(struct flag_set *, int flag);
bool flag_set_intersects(const struct flag_set *, const struct flag_set *);
bool flag_set_is_empty(const struct flag_set *);

/*
 * A default field's value is kept as V8 queues it: the two bytes 0x81 'g' are the macro $g, which is
 * expanded at delivery, 0xff and any byte are that byte; every other byte is itself.  Values of the
 * message's own fields are the plain bytes; queue/queue.h adds and removes the 0xff.
 */
struct header {
	struct header *next;
	const char *name;	      /* as written, without the colon */
	const char *value;	      /* exactly what follows the colon, leading blank too, inner line breaks kept ("\n\t"); macros unexpanded for fields of H lines */
	struct flag_set mailer_flags; /* H?flags?: sent only to mailers that have one of them; empty: always */
	const char *macro;	      /* H?${macro}?: sent only when it is set; or NULL */
	bool is_default;	      /* from the cf's H line, not from the message */
	bool is_deleted;
};

struct header_list {
	struct header *first, **end; /* end is NULL for an empty list that was never used */
};

struct header *header_append(struct header_list *, struct arena *, const char *name, const char *value);
struct header *header_prepend(struct header_list *, struct arena *, const char *name, const char *value);
/* Puts one in front of *place, a link of this list or its end. */
struct header *header_insert(struct header_list *, struct arena *, struct header **place, const char *name, const char *value);
struct header *header_find(const struct header_list *, const char *name);      /* the first, without regard to case, not deleted */
struct header *header_find_next(const struct header *after, const char *name); /* the next of that name */

/* Parses one field as header_parse and appends it; NULL when it is no header field. */
struct header *header_append_field(struct header_list *, struct arena *, const char *field, size_t length);

/*
 * Splits one unfolded-or-folded header field "Name: value" (no final line break).  False when it is
 * no header field (then the body starts here): names are printing characters without colon or
 * blank; blanks before the colon are dropped.  The value is all that follows the colon, as it is.
 */
bool header_parse(struct arena *, const char *field, size_t length, const char **name, const char **value);

#endif
