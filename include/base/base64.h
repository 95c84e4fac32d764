/*
 * base64: RFC 4648 section 4.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* Both append to `out`.  Decoding takes whole groups with padding; false: not base64, `out` unchanged. */
void base64_encode(struct str *out, const void *bytes, size_t length);
bool base64_decode(struct str *out, const char *text, size_t length);

#endif
