/*
 * token: addresses, and the two sides of rules, as tokens; and tokens as text again.
 *
 * Operators (OperatorChars and `()<>,;`) are tokens of one byte, quoted strings one token with
 * their quotes, a backslash protects a byte, comments are left out unless they are asked for.
 * What rules have in addition, `$*`, `$#`, `$=w`, is told apart by `op`, never by a text: no
 * address can forge one.
 */
#ifndef MAIL_TOKEN_H
#define MAIL_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum {
	TOKENS_MAXIMUM = 1000,	   /* V8: of one address */
	TOKEN_TEXT_MAXIMUM = 1256, /* bytes of all of them */
	TOKEN_MAXIMUM = 256,	   /* bytes of one */
};

enum token_op {
	TOKEN_TEXT,
	TOKEN_ZERO_OR_MORE, /* $* */
	TOKEN_ONE_OR_MORE,  /* $+ */
	TOKEN_ONE,	    /* $- */
	TOKEN_CLASS,	    /* $=x */
	TOKEN_NOT_CLASS,    /* $~x */
	TOKEN_COPY,	    /* $1 */
	TOKEN_NET,	    /* $# */
	TOKEN_HOST,	    /* $@ */
	TOKEN_USER,	    /* $: */
	TOKEN_CALL,	    /* $> */
	TOKEN_IF,	    /* $? */
	TOKEN_BAR,	    /* $| */
	TOKEN_FI,	    /* $. */
	TOKEN_HOST_BEGIN,   /* $[ */
	TOKEN_HOST_END,	    /* $] */
	TOKEN_MAP_BEGIN,    /* $( */
	TOKEN_MAP_END,	    /* $) */
	TOKEN_MACRO,	    /* $&x */
};

struct token {
	const char *text; /* of operators as it is printed: "$*", "$={Tls}" */
	uint32_t length;
	uint32_t hash;	   /* of the text in lower case */
	unsigned char op;  /* enum token_op */
	bool is_atom;	   /* two of these in a row need a blank between them */
	unsigned short id; /* of the macro or class; the character after `$` of TOKEN_COPY */
	unsigned short number; /* what -d84.1 shows of a long name; 0: the text */
};

/* A run of tokens.  items has room for `capacity`. */
struct tokens {
	struct token *items;
	size_t count, capacity;
};

struct token_request {
	const bool *is_operator; /* 256, of OperatorChars; NULL: none but those that always are */
	int delimiter;	     /* an unprotected one ends the address; 0: only the end of the text */
	bool keeps_comments; /* parentheses are operators */
	bool ignores_faults; /* unbalanced text is no fault and not mended (rules) */
	/* called with V8's words ("Unbalanced '\"'") for each fault; may be NULL */
	void (*fault)(void *context, const char *message);
	void *fault_context;
	/*
	 * For rules: called at each `$` outside of quotes that is no `$$`.  Fills op, text, length and
	 * id, and returns how many bytes it read; 0 takes the `$` as text; what is left without a text is
	 * skipped.  NULL: a `$` is text.
	 */
	size_t (*read_operator)(void *context, const char *at, struct token *);
	void *operator_context;
};

/*
 * Cuts text into tokens, which live in the arena.  Unbalanced text is mended (what is missing is
 * added, a stray `)` or `>` left out).  *end (NULL allowed) is the delimiter or the final NUL.
 * There is no room for more tokens than were found: most calls are for a word or two.
 * False when there is no token at all, or text, one token or their number is too long (a fault).
 */
bool token_scan(const char *text, const struct token_request *, struct arena *, struct tokens *,
    const char **end);

/* Fills what follows from text and op: length, hash, is_atom. */
void token_seal(struct token *, const bool *is_operator);
bool token_equal(
    const struct token *, const struct token *);       /* text without regard to case, op, id */
bool token_is(const struct token *, const char *text); /* TOKEN_TEXT and this, case counts */

/* False when it is full. */
bool tokens_add(struct tokens *, const struct token *);

/* V8's byte for an operator, 128 to 159, which no address may have: -d84.1 and joined text show it. */
int token_code(int op);
void token_show_code(int code); /* as -d84.1 shows it: in hex, from 84.2 on in octal */

/* As text: `blank` (option BlankSub) between two atoms. */
const char *token_join_text(const struct token *, size_t count, char blank, struct arena *);

/* As V8 prints them: all apart by single blanks. */
void token_print(const struct token *, size_t count, struct str *out);

/* A copy without quotes, and without backslashes but for what they protect. */
char *token_unquote(struct arena *, const char *text);

/*
 * Show on standard output, as V8's traces do: control characters are left out or escaped, high bytes
 * appear as M-x.  tokens_show puts a blank before each and a line break behind.
 */
void token_show_text(const char *text);
void token_show(const struct token *);
void tokens_show(const struct token *, size_t count);
/* The same behind a heading, in one piece. */
void tokens_show_under(const char *heading, const struct token *, size_t count);

/*
 * What stands around the address in a header value, V8's way ("crackaddr"): phrases, angle brackets,
 * comments and the name of a group.  "Alice <a@b> (home)" gives before "Alice <" and after
 * "> (home)".  Phrases are quoted where they need it.  has_address is false when there is none to put
 * back, as in "(comment)"; all is in `before` then.
 */
struct token_frame {
	const char *before, *after;
	bool has_address;
};
/* must_quote: option MustQuoteChars with V8's own `@,;:\\()[]`; has_groups: not ColonOkInAddr. */
void token_frame(struct token_frame *, const char *text, const char *must_quote, bool has_groups,
    struct arena *);

#endif
