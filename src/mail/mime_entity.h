/*
 * mime_entity: the header of a message or of one of its parts, as MIME sees it (RFC 2045).
 */
#ifndef MAIL_MIME_ENTITY_H
#define MAIL_MIME_ENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct mime_entity {
	struct str header; /* without Content-Transfer-Encoding */
	struct str type, subtype, encoding, boundary;
	bool has_encoding, has_type; /* such a field is there */
};

void mime_entity_begin(struct mime_entity *);
void mime_entity_free(struct mime_entity *);
/* Fields with their continuation lines; without a Content-Type it is text/plain. */
void mime_entity_read(struct mime_entity *, const char *text, size_t length);

#endif
