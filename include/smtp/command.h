/*
 * command: the grammar of SMTP command lines, as V8 reads them (RFC 5321 4.1, but more lenient:
 * blanks in front, blanks around the colon, addresses without angle brackets).  Pure.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum { SMTP_VERB_SIZE = 32 };

/* Splits a line in place: the verb ("" for an empty line) is cut at SMTP_VERB_SIZE - 1 bytes. */
struct smtp_command {
	char verb[SMTP_VERB_SIZE];
	char *argument; /* what follows the blanks after the verb; "" when there is nothing */
};
void smtp_command_split(char *line, struct smtp_command *);

/*
 * Reads "FROM:" or "TO:" off the front of an argument, in place.  What follows (never empty), or NULL and *scanned
 * is the word that was found instead, for `Syntax error in parameters scanning "..."`.
 */
char *smtp_command_skip_word(char *argument, const char *word, const char **scanned);

/*
 * The end of the address at the front of `text`: the first blank that is outside of quotes,
 * comments and angle brackets, or the NUL.
 */
char *smtp_command_path_end(char *text);

/*
 * The next ESMTP parameter, in place; *value is NULL when there is no '='.  False at the end.  A
 * name is letters, digits and '-'; what is none gives an empty name.
 */
bool smtp_command_next_parameter(char **position, char **name, char **value);

/* RFC 3461 4: is it xtext?  Encodes and decodes it; decoding appends nothing when it is not. */
bool smtp_xtext_is_valid(const char *text);
void smtp_xtext_encode(struct str *out, const char *text);
bool smtp_xtext_decode(struct str *out, const char *text);

/* May this be the argument of HELO and EHLO, as V8 sees it? */
bool smtp_helo_is_valid(const char *name);

/* RFC 2852: "BY=seconds;mode[trace]". */
enum smtp_by {
	SMTP_BY_OK,
	SMTP_BY_NO_SEMICOLON,
	SMTP_BY_OUT_OF_RANGE,
	SMTP_BY_BAD_MODE,  /* *mode is the letter */
	SMTP_BY_NOT_AHEAD, /* R with no time left */
};
enum smtp_by smtp_parse_by(const char *value, long *seconds, char *mode, bool *trace);

#endif
