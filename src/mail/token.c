#include "mail/token.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "base/trace.h"

enum kind { ATOM, OPERATOR, QUOTE, BLANK };

static const unsigned char codes[] = {
    [TOKEN_ZERO_OR_MORE] = 0x90,
    [TOKEN_ONE_OR_MORE] = 0x91,
    [TOKEN_ONE] = 0x92,
    [TOKEN_CLASS] = 0x93,
    [TOKEN_NOT_CLASS] = 0x94,
    [TOKEN_COPY] = 0x95,
    [TOKEN_NET] = 0x96,
    [TOKEN_HOST] = 0x97,
    [TOKEN_USER] = 0x98,
    [TOKEN_CALL] = 0x99,
    [TOKEN_IF] = 0x9a,
    [TOKEN_BAR] = 0x9b,
    [TOKEN_FI] = 0x9c,
    [TOKEN_HOST_BEGIN] = 0x83,
    [TOKEN_HOST_END] = 0x84,
    [TOKEN_MAP_BEGIN] = 0x85,
    [TOKEN_MAP_END] = 0x86,
    [TOKEN_MACRO] = 0x82,
};

int
token_code(int op)
{
	return codes[op];
}

static enum kind
kind_of(const bool *is_operator, int byte)
{
	switch (byte) {
	case '"':
		return QUOTE;
	case ' ':
	case '\t':
	case '\n':
	case '\v':
	case '\f':
	case '\r':
	case 0xff:
		return BLANK;
	case '(':
	case ')':
	case '<':
	case '>':
	case ',':
	case ';':
		return OPERATOR;
	default:
		return is_operator != NULL && is_operator[byte] ? OPERATOR : ATOM;
	}
}

static uint32_t
hash_text(const char *text, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint32_t)text_lower((unsigned char)text[i])) * 16777619u;
	return hash;
}

void
token_seal(struct token *token, const bool *is_operator)
{
	token->length = (uint32_t)strlen(token->text);
	token->hash = hash_text(token->text, token->length);
	token->is_atom = token->op == TOKEN_TEXT && token->length > 0 &&
			 kind_of(is_operator, (unsigned char)token->text[0]) == ATOM;
}

bool
token_equal(const struct token *one, const struct token *other)
{
	if (one->hash != other->hash || one->length != other->length || one->op != other->op ||
	    one->id != other->id)
		return false;
	for (uint32_t i = 0; i < one->length; i++) {
		if (one->text[i] != other->text[i] && text_lower((unsigned char)one->text[i]) !=
							  text_lower((unsigned char)other->text[i]))
			return false;
	}
	return true;
}

bool
token_is(const struct token *token, const char *text)
{
	return token->op == TOKEN_TEXT && strcmp(token->text, text) == 0;
}

bool
tokens_add(struct tokens *tokens, const struct token *token)
{
	if (tokens->count >= tokens->capacity)
		return false;
	tokens->items[tokens->count++] = *token;
	return true;
}

/*
 * The scanner.  A byte that was read is held back until the next one is looked at, since it may
 * begin the next token.  Text of tokens is built in `text` and copied to the arena in one piece.
 */
enum { NO_BYTE = -1 };

struct scanner {
	const struct token_request *request;
	const char *at;
	struct token *tokens;
	size_t count, used, token_start;
	int held;
	enum { BETWEEN, IN_OPERATOR, IN_ATOM, IN_QUOTE } state;
	int comment_depth, angle_depth;
	bool is_escaped, is_route, is_at_end, has_failed;
	char text[TOKEN_TEXT_MAXIMUM];
};

static void
fault(struct scanner *scanner, const char *message)
{
	if (!scanner->request->ignores_faults && scanner->request->fault != NULL)
		scanner->request->fault(scanner->request->fault_context, message);
}

static void
fail(struct scanner *scanner, const char *message)
{
	fault(scanner, message);
	scanner->has_failed = true;
}

static void
put(struct scanner *scanner, int byte)
{
	if (scanner->used >= sizeof scanner->text - 5)
		fail(scanner, "Address too long");
	else
		scanner->text[scanner->used++] = (char)byte;
}

/* At the end of the text: what is still open is closed, one byte a call.  NO_BYTE: nothing is. */
static int
mend(struct scanner *scanner)
{
	if (scanner->request->ignores_faults)
		return NO_BYTE;
	if (scanner->state == IN_QUOTE) {
		fault(scanner, "Unbalanced '\"'");
		return '"';
	}
	if (scanner->comment_depth > 0) {
		fault(scanner, "Unbalanced '('");
		return ')';
	}
	if (scanner->angle_depth > 0) {
		fault(scanner, "Unbalanced '<'");
		return '>';
	}
	return NO_BYTE;
}

/* The next byte, or NO_BYTE at the end of this address. */
static int
read_byte(struct scanner *scanner)
{
	int byte;

	/* V8: the byte 255 is a blank in test mode and in rules, and is not there elsewhere */
	while ((unsigned char)*scanner->at == 0xff && !scanner->request->keeps_comments)
		scanner->at++;
	byte = (unsigned char)*scanner->at;
	if (byte == '\0')
		return mend(scanner);
	if (byte == scanner->request->delimiter && scanner->comment_depth <= 0 &&
	    scanner->state != IN_QUOTE) {
		if (scanner->angle_depth <= 0)
			return NO_BYTE;
		/* within <>, but not in a route: the list goes on, this address is what is broken */
		if (byte == ',' && !scanner->is_route && !scanner->request->ignores_faults) {
			fault(scanner, "Unbalanced '<'");
			return '>';
		}
	}
	scanner->at++;
	if (byte == '$' && scanner->request->read_operator != NULL && *scanner->at == '$')
		scanner->at++;
	return byte;
}

/* After a backslash.  False: the byte is dropped, or comes later. */
static bool
take_escaped(struct scanner *scanner, int *byte)
{
	scanner->is_escaped = false;
	if (scanner->comment_depth > 0) {
		*byte = NO_BYTE;
		return true;
	}
	/* V8: \! of people with a C shell */
	if (*byte != '!' || scanner->state == IN_QUOTE) {
		put(scanner, '\\');
		return true;
	}
	return false;
}

/* Comments and angle brackets.  Gives NO_BYTE for a byte that is not part of any token. */
static int
track(struct scanner *scanner, int byte)
{
	bool keeps_comments = scanner->request->keeps_comments;

	if (byte == '(' && !keeps_comments) {
		scanner->comment_depth++;
		return NO_BYTE;
	}
	if (byte == ')' && !keeps_comments) {
		if (scanner->comment_depth <= 0)
			fault(scanner, "Unbalanced ')'");
		else
			scanner->comment_depth--;
		return NO_BYTE;
	}
	if (scanner->comment_depth > 0)
		return NO_BYTE;
	if (byte == '<') {
		scanner->angle_depth++;
		if (*text_skip_space(scanner->at) == '@')
			scanner->is_route = true;
	} else if (byte == '>') {
		if (scanner->angle_depth <= 0) {
			if (scanner->request->ignores_faults)
				return byte;
			fault(scanner, "Unbalanced '>'");
			byte = NO_BYTE;
		} else {
			scanner->angle_depth--;
		}
		scanner->is_route = false;
	}
	return byte;
}

/* True when the byte belongs to the next token; *byte becomes NO_BYTE where it belongs to none. */
static bool
advance(struct scanner *scanner, int *byte)
{
	enum kind kind = kind_of(scanner->request->is_operator, *byte);
	bool is_start = scanner->state == IN_OPERATOR;

	if (scanner->state == IN_QUOTE) {
		if (kind == QUOTE)
			scanner->state = IN_OPERATOR;
		return false;
	}
	switch (kind) {
	case ATOM:
		scanner->state = IN_ATOM;
		return is_start;
	case OPERATOR:
		is_start |= scanner->state == IN_ATOM;
		scanner->state = IN_OPERATOR;
		return is_start;
	case QUOTE:
		is_start |= scanner->state == IN_ATOM;
		scanner->state = IN_QUOTE;
		return is_start;
	case BLANK:
		is_start |= scanner->state == IN_ATOM;
		scanner->state = BETWEEN;
		*byte = NO_BYTE;
		return is_start;
	}
	return false;
}

/* An operator of a rule stands here: it ends what was before it. */
static bool
is_rule_operator(const struct scanner *scanner, struct token *token, size_t *length)
{
	const struct token_request *request = scanner->request;

	if (request->read_operator == NULL || scanner->at[0] != '$' || scanner->at[1] == '$' ||
	    scanner->state == IN_QUOTE || scanner->is_escaped || scanner->comment_depth > 0)
		return false;
	*token = (struct token){0};
	*length = request->read_operator(request->operator_context, scanner->at, token);
	return *length > 0;
}

/*
 * Most bytes stand within a word and mean nothing but themselves: they go the short way, past all that
 * the others are looked at for.
 */
static void
skip_atom(struct scanner *scanner)
{
	const struct token_request *request = scanner->request;

	if (scanner->state != IN_ATOM || scanner->held == NO_BYTE || scanner->is_escaped ||
	    scanner->comment_depth > 0)
		return;
	while (!scanner->has_failed) {
		int byte = (unsigned char)*scanner->at;

		if (!text_is_alnum(byte) || byte == request->delimiter ||
		    (request->is_operator != NULL && request->is_operator[byte]))
			return;
		put(scanner, scanner->held);
		scanner->held = byte;
		scanner->at++;
	}
}

static void
scan_word(struct scanner *scanner, struct token *operator, size_t * operator_length)
{
	while (!scanner->has_failed) {
		bool is_next;
		int byte;

		skip_atom(scanner);
		if (scanner->held != NO_BYTE && !scanner->is_escaped) {
			put(scanner, scanner->held);
			scanner->held = NO_BYTE;
		}
		if (is_rule_operator(scanner, operator, operator_length)) {
			scanner->state = BETWEEN;
			return;
		}
		byte = read_byte(scanner);
		if (byte == NO_BYTE) {
			scanner->is_at_end = true;
			return;
		}
		if (scanner->is_escaped) {
			scanner->held = byte;
			if (take_escaped(scanner, &scanner->held))
				continue;
			scanner->held = NO_BYTE;
		}
		if (byte == '\\')
			scanner->is_escaped = true;
		else if (scanner->state != IN_QUOTE)
			byte = track(scanner, byte);
		if (byte == NO_BYTE)
			continue;
		is_next = advance(scanner, &byte);
		scanner->held = byte;
		if (is_next)
			return;
	}
}

static bool
add(struct scanner *scanner, const struct token *token)
{
	if (scanner->count >= TOKENS_MAXIMUM) {
		fail(scanner, "prescan: too many tokens");
		return false;
	}
	scanner->tokens[scanner->count++] = *token;
	if (trace_on(22, 36)) {
		printf("tok=");
		token_show(token);
		putchar('\n');
	}
	return true;
}

/* Ends the token under way; its text is an offset until all is read. */
static void
end_word(struct scanner *scanner)
{
	size_t start = scanner->token_start, length = scanner->used - start;
	struct token token = {.length = (uint32_t)length, .id = 0};

	if (scanner->has_failed || length == 0)
		return;
	if (length >= TOKEN_MAXIMUM) {
		fail(scanner, "prescan: token too long");
		return;
	}
	token.hash = hash_text(scanner->text + start, length);
	token.is_atom =
	    kind_of(scanner->request->is_operator, (unsigned char)scanner->text[start]) == ATOM;
	token.text = scanner->text + start;
	put(scanner, '\0');
	if (!scanner->has_failed)
		add(scanner, &token);
	scanner->token_start = scanner->used;
}

/* V8's -d22.11; `$$` of a rule is a dollar by then. */
static void
show_source(const struct token_request *request, const char *text)
{
	const char *dollar;

	printf("prescan: ");
	while (request->read_operator != NULL && (dollar = strstr(text, "$$")) != NULL) {
		char part[2] = {0};

		for (; text <= dollar; text++) {
			part[0] = *text;
			token_show_text(part);
		}
		text++;
	}
	token_show_text(text);
	putchar('\n');
}

bool
token_scan(const char *text, const struct token_request *request, struct arena *arena,
    struct tokens *tokens, const char **end)
{
	struct token found[TOKENS_MAXIMUM];
	struct scanner scanner; /* not initialised as a whole: its buffer is large */
	char *copy;

	scanner.request = request;
	scanner.at = text;
	scanner.tokens = found;
	scanner.count = scanner.used = scanner.token_start = 0;
	scanner.held = NO_BYTE;
	scanner.state = BETWEEN;
	scanner.comment_depth = scanner.angle_depth = 0;
	scanner.is_escaped = scanner.is_route = scanner.is_at_end = scanner.has_failed = false;
	if (trace_on(22, 11)) {
		show_source(request, text);
	}
	while (!scanner.is_at_end && !scanner.has_failed) {
		struct token operator= {0};
		size_t length = 0;

		scan_word(&scanner, &operator, & length);
		end_word(&scanner);
		if (length > 0 && !scanner.has_failed) {
			scanner.at += length;
			if (operator.text == NULL)
				continue;
			token_seal(&operator, request->is_operator);
			add(&scanner, &operator);
		}
	}
	if (end != NULL)
		*end = scanner.at;
	tokens->items = NULL;
	tokens->count = tokens->capacity = 0;
	if (trace_on(22, 1) && !scanner.has_failed && scanner.count == 0)
		printf("prescan: null leading token\n");
	if (scanner.has_failed || scanner.count == 0)
		return false;
	copy = arena_memdup(arena, scanner.text, scanner.used);
	tokens->items = ARENA_ARRAY(arena, struct token, scanner.count);
	tokens->capacity = scanner.count;
	for (size_t i = 0; i < scanner.count; i++) {
		if (found[i].op == TOKEN_TEXT && found[i].text >= scanner.text &&
		    found[i].text < scanner.text + sizeof scanner.text)
			found[i].text = copy + (found[i].text - scanner.text);
		tokens->items[i] = found[i];
	}
	tokens->count = scanner.count;
	if (trace_on(22, 12)) {
		printf("prescan==>");
		tokens_show(tokens->items, tokens->count);
	}
	return true;
}

const char *
token_join_text(const struct token *tokens, size_t count, char blank, struct arena *arena)
{
	size_t length = 0;
	char *text, *at;
	bool needs_blank = false;

	for (size_t i = 0; i < count; i++)
		length += tokens[i].length + 1;
	text = at = arena_alloc(arena, length + 1);
	for (size_t i = 0; i < count; i++) {
		if (tokens[i].op != TOKEN_TEXT) {
			needs_blank = false;
			*at++ = (char)token_code(tokens[i].op);
			continue;
		}
		if (needs_blank && tokens[i].is_atom)
			*at++ = blank;
		needs_blank = tokens[i].is_atom;
		memcpy(at, tokens[i].text, tokens[i].length);
		at += tokens[i].length;
	}
	return text;
}

void
token_print(const struct token *tokens, size_t count, struct str *out)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			str_add_char(out, ' ');
		str_add(out, tokens[i].text, tokens[i].length);
	}
}

char *
token_unquote(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *to = copy;

	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '"')
			continue;
		if (*from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return copy;
}
