/*
 * What stands around an address.  The scan writes what it keeps to `out` and marks where the address
 * belongs; when a `<` shows that all before it was a phrase, or a `:` that it was a group's name, that
 * part of the output is written anew from the source.
 */
#include "mail/token.h"

#include <string.h>

#include "base/text.h"

enum { NO_PLACE = -1 };

struct framer {
	const char *text, *at;
	const char *phrase; /* where in the text the part began that may yet become a phrase */
	struct str out;
	size_t phrase_out; /* where in `out` it began */
	long place;	   /* of the address in `out` */
	const char *must_quote;
	bool has_groups, has_colon, has_angle;
	bool is_quoted;	      /* within quotes */
	bool is_spoilt;	      /* V8: quotes behind the address are more than it can keep */
	bool needs_quotes;    /* the phrase does */
	int comments, angles; /* how many are open */
	bool is_literal;      /* within [ ], where a `:` is part of an IPv6 address */
	int copying;	      /* > 0: text is no address and is copied */
};

static void
put(struct framer *framer, int byte)
{
	str_add_char(&framer->out, (char)byte);
}

static int
last(const struct framer *framer)
{
	return framer->out.length > framer->phrase_out
		   ? (unsigned char)framer->out.data[framer->out.length - 1]
		   : 0;
}

/* An address is here: the first byte of one marks its place. */
static void
mark(struct framer *framer)
{
	if (framer->copying > 0 || framer->place != NO_PLACE)
		return;
	if (last(framer) == ')')
		put(framer, ' ');
	framer->place = (long)framer->out.length;
}

/* Writes the text from phrase up to `end`, which is the `<` or `:` after it, as a phrase. */
static void
write_phrase(struct framer *framer, const char *end)
{
	const char *stop = end;

	str_truncate(&framer->out, framer->phrase_out);
	framer->copying = 0;
	framer->place = NO_PLACE;
	if (!framer->needs_quotes) {
		str_add(&framer->out, framer->phrase, (size_t)(end + 1 - framer->phrase));
		return;
	}
	framer->needs_quotes = false;
	while (stop > framer->phrase && text_is_space((unsigned char)stop[-1]))
		stop--;
	if (stop > framer->phrase) {
		put(framer, '"');
		for (const char *at = framer->phrase; at < stop; at++) {
			if (*at == '"')
				put(framer, '\\');
			put(framer, *at);
		}
		put(framer, '"');
	}
	str_add(&framer->out, stop, (size_t)(end + 1 - stop));
}

static void
take_escape(struct framer *framer)
{
	if (framer->comments <= 0 && !framer->is_quoted)
		framer->needs_quotes = true;
	if (*framer->at != '\0') {
		if (framer->copying > 0)
			put(framer, *framer->at);
		framer->at++;
	}
	mark(framer);
}

/* True when the byte was part of a comment. */
static bool
take_comment(struct framer *framer, int byte)
{
	if (byte == '(') {
		framer->comments++;
		if (framer->copying++ <= 0) {
			if (framer->out.length > framer->phrase_out || framer->place != NO_PLACE)
				put(framer, ' ');
			put(framer, byte);
		}
		return true;
	}
	if (framer->comments > 0) {
		if (byte == ')') {
			framer->comments--;
			framer->copying--;
		}
		return true;
	}
	if (byte == ')') {
		/* one too many: not copied */
		if (framer->copying > 0)
			str_truncate(&framer->out, framer->out.length - 1);
	}
	return false;
}

/* A `:` after a group's name; or DECnet's `::` and `:.`, which are part of an address. */
static void
take_colon(struct framer *framer)
{
	if (*framer->at == ':' || *framer->at == '.') {
		framer->needs_quotes = true;
		if (framer->copying > 0)
			put(framer, *framer->at);
		framer->at++;
		mark(framer);
		return;
	}
	framer->has_colon = true;
	write_phrase(framer, framer->at - 1);
	while (text_is_space((unsigned char)*framer->at))
		put(framer, *framer->at++);
	framer->phrase = framer->at;
	framer->phrase_out = framer->out.length;
}

static void
take_angle(struct framer *framer, int byte)
{
	if (byte == '<') {
		/* the first of two was part of the phrase */
		if (framer->has_angle)
			framer->needs_quotes = true;
		framer->has_angle = true;
		framer->angles = 1;
		write_phrase(framer, framer->at - 1);
		return;
	}
	if (framer->angles > 0) {
		framer->angles--;
		if (framer->copying++ <= 0)
			put(framer, byte);
		return;
	}
	if (framer->copying > 0)
		str_truncate(&framer->out, framer->out.length - 1);
	framer->needs_quotes = true;
}

static void
take(struct framer *framer)
{
	int byte = (unsigned char)*framer->at++;

	if (framer->copying > 0)
		put(framer, byte);
	if (byte == '\\') {
		take_escape(framer);
		return;
	}
	if (byte == '"' && framer->comments <= 0) {
		framer->is_quoted = !framer->is_quoted;
		framer->is_spoilt |= framer->copying > 0;
		return;
	}
	if (!framer->is_quoted) {
		if (take_comment(framer, byte))
			return;
		if (byte == '[' || byte == ']')
			framer->is_literal = byte == '[';
		if (byte == ':' && framer->angles <= 0 && !framer->is_literal &&
		    !framer->has_colon && framer->has_groups) {
			take_colon(framer);
			return;
		}
		if (byte == ';' && framer->copying <= 0 && framer->has_groups)
			put(framer, byte);
		if (strchr(framer->must_quote, byte) != NULL)
			framer->needs_quotes = true;
		if (byte == '<' || byte == '>') {
			take_angle(framer, byte);
			return;
		}
	}
	mark(framer);
}

void
token_frame(struct token_frame *frame, const char *text, const char *must_quote, bool has_groups,
    struct arena *arena)
{
	struct framer framer = {.must_quote = must_quote, .has_groups = has_groups};
	const char *out;
	size_t place;
	char *copy;

	copy = arena_strdup(arena, text_skip_space(text));
	text_trim_end(copy);
	framer.text = framer.at = framer.phrase = copy;
	framer.place = NO_PLACE;
	while (*framer.at != '\0')
		take(&framer);

	for (; framer.comments > 0; framer.comments--)
		put(&framer, ')');
	for (; framer.angles > 0; framer.angles--)
		put(&framer, '>');
	if (framer.is_spoilt) {
		*frame = (struct token_frame){.before = "<", .after = ">", .has_address = true};
		str_free(&framer.out);
		return;
	}
	out = str_text(&framer.out);
	frame->has_address = framer.place != NO_PLACE;
	place = frame->has_address ? (size_t)framer.place : framer.out.length;
	frame->before = arena_memdup(arena, out, place);
	frame->after = arena_memdup(arena, out + place, framer.out.length - place);
	str_free(&framer.out);
}
