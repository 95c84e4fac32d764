/*
 * text: small questions about C strings.  Letters are ASCII whatever the locale; bytes above 127
 * are data.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

int text_lower(int byte); /* takes and gives a value of unsigned char */
bool text_is_space(int byte);
bool text_is_digit(int byte);
bool text_is_alpha(int byte);
bool text_is_alnum(int byte);
bool text_is_print(int byte); /* ASCII 32 to 126 */

bool text_equal_nocase(const char *, const char *);
int text_compare_nocase(const char *, const char *);
bool text_starts(const char *text, const char *prefix);
bool text_starts_nocase(const char *text, const char *prefix);
bool text_ends_nocase(const char *text, const char *suffix);

/* The first byte that is no blank (space, tab, CR, LF). */
char *text_skip_space(const char *text);

/* Cuts blanks off the end, in place. */
void text_trim_end(char *text);

void text_to_lower(char *text); /* in place */

/* Copies into a buffer of `size` bytes, always NUL-terminated; true when all of it fitted. */
bool text_copy(char *buffer, size_t size, const char *text);

/* A whole decimal number within the limits, nothing else in the text; false otherwise, value untouched. */
bool text_to_number(const char *text, long minimum, long maximum, long *value);

#endif
