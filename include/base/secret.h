/*
 * secret: the one type that may hold a password.  It is wiped when freed, never printed and never
 * copied into an arena or a str.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

struct secret {
	char *data; /* NUL-terminated; NULL when empty */
	size_t length;
};

void secret_set(struct secret *, const void *bytes, size_t length); /* wipes what it held */
void secret_wipe(struct secret *);

#endif
