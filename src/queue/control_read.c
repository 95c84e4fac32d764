#include "queue/queue.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum {
	VERSION_MAXIMUM = 8,
	MACRO_MARK = 0x81, /* V8: a macro to be expanded at delivery */
	BYTE_QUOTE = 0xff, /* V8: the byte behind it is itself */
	COMPLAINT_MAXIMUM = 200,
	MACROS_MAXIMUM = 1000,
};

struct reader {
	struct envelope *envelope;
	struct control_error *error;
	int line, macro_count;
	bool saw_sender, is_bogus;
	/* what holds for the recipients that follow: the controlling user for all, the rest for the next one */
	const char *control_user, *control_alias, *orcpt, *final, *status;
	uid_t control_uid;
	gid_t control_gid;
	bool has_control, has_control_ids;
};

/* A line handler gets the text behind its letter, NUL-terminated and in the arena; false: malformed. */
typedef bool line_handler(struct reader *, const char *value);

static long long
number(const char *text)
{
	/* V8 takes anything for a number; what is out of range stays at the end of the range */
	return strtoll(text, NULL, 10);
}

static long
bounded(const char *text, long minimum, long maximum)
{
	long long value = number(text);

	return value < minimum ? minimum : value > maximum ? maximum : (long)value;
}

static bool
read_version(struct reader *reader, const char *value)
{
	reader->envelope->version = (int)bounded(value, 0, INT_MAX);
	return true;
}

static bool
read_created(struct reader *reader, const char *value)
{
	reader->envelope->created = (time_t)bounded(value, LONG_MIN, LONG_MAX);
	return true;
}

static bool
read_last_attempt(struct reader *reader, const char *value)
{
	reader->envelope->last_attempt = (time_t)bounded(value, LONG_MIN, LONG_MAX);
	return true;
}

static bool
read_attempts(struct reader *reader, const char *value)
{
	reader->envelope->attempts = (int)bounded(value, 0, INT_MAX - 1);
	return true;
}

static bool
read_priority(struct reader *reader, const char *value)
{
	/* room is left for what each attempt adds */
	reader->envelope->priority = bounded(value, LONG_MIN / 2, LONG_MAX / 2);
	return true;
}

static bool
read_inode(struct reader *reader, const char *value)
{
	/* MAJOR/MINOR/INODE: only tells V8 whether a df was moved; the inode is enough for us */
	const char *last = strrchr(value, '/');

	reader->envelope->body_inode = (ino_t)strtoull(last != NULL ? last + 1 : value, NULL, 10);
	return true;
}

static bool
read_flags(struct reader *reader, const char *value)
{
	static const struct {
		char letter;
		unsigned flag;
	} rows[] = {{'w', ENVELOPE_WARNED}, {'r', ENVELOPE_RESPONSE}, {'8', ENVELOPE_8BIT},
	    {'b', ENVELOPE_DELETE_BCC}, {'d', ENVELOPE_HAS_RET}, {'n', ENVELOPE_NO_BODY_RETURN},
	    {'s', ENVELOPE_SPLIT}};

	for (; *value != '\0'; value++) {
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			if (rows[i].letter == *value)
				reader->envelope->flags |= rows[i].flag;
		}
	}
	return true;
}

static bool
read_status(struct reader *reader, const char *value)
{
	if (reader->saw_sender)
		reader->status = value;
	else
		reader->envelope->status = value;
	return true;
}

static bool
read_body_type(struct reader *reader, const char *value)
{
	/* V8 takes any other for an attempt to smuggle something in */
	reader->is_bogus =
	    !text_equal_nocase(value, "7BIT") && !text_equal_nocase(value, "8BITMIME");
	reader->envelope->body_type = value;
	return !reader->is_bogus;
}

static bool
read_quarantine(struct reader *reader, const char *value)
{
	reader->envelope->quarantine = value;
	return true;
}

static bool
read_sender(struct reader *reader, const char *value)
{
	reader->envelope->sender = value;
	reader->saw_sender = true;
	return true;
}

static bool
read_envid(struct reader *reader, const char *value)
{
	reader->envelope->envid = value;
	return true;
}

static bool
read_auth(struct reader *reader, const char *value)
{
	reader->envelope->auth = value;
	return true;
}

static bool
read_directory(struct reader *reader, const char *value)
{
	reader->envelope->body_directory = value;
	return true;
}

/* "R 12345": mode letters, blank, seconds. */
static bool
read_deliver_by(struct reader *reader, const char *value)
{
	const char *blank = strchr(value, ' ');

	if (blank == NULL)
		return true; /* V8 takes it for none */
	reader->envelope->deliver_by_mode =
	    arena_memdup(reader->envelope->arena, value, (size_t)(blank - value));
	reader->envelope->deliver_by = bounded(blank + 1, LONG_MIN, LONG_MAX);
	return true;
}

static bool
read_macro(struct reader *reader, const char *value)
{
	const char *end = *value == '{' ? strchr(value, '}') : value, *name;

	/* V8 complains of a name that is none and goes on */
	if (*value == '\0' || end == NULL || end == value + 1 || value[1] == '{')
		return true;
	if (++reader->macro_count > MACROS_MAXIMUM)
		return false;
	name = *value == '{'
		   ? arena_memdup(reader->envelope->arena, value + 1, (size_t)(end - value - 1))
		   : arena_memdup(reader->envelope->arena, value, 1);
	envelope_set_macro(reader->envelope, name, end + 1);
	return true;
}

/* "user:uid:gid:alias", "user:alias", ":alias", "alias"; nothing: no controlling user from here on. */
static bool
read_control_user(struct reader *reader, const char *value)
{
	struct arena *arena = reader->envelope->arena;
	const char *colon = strchr(value, ':');
	char *end;

	reader->has_control = *value != '\0';
	reader->has_control_ids = false;
	reader->control_user = "";
	reader->control_alias = value;
	if (colon == NULL)
		return true;
	reader->control_user = arena_memdup(arena, value, (size_t)(colon - value));
	reader->control_alias = colon + 1;
	if (colon == value || !text_is_digit((unsigned char)colon[1]))
		return true;
	reader->control_uid = (uid_t)strtoul(colon + 1, &end, 10);
	if (*end != ':' || !text_is_digit((unsigned char)end[1]))
		return true;
	reader->control_gid = (gid_t)strtoul(end + 1, &end, 10);
	if (*end != ':' && *end != '\0')
		return true;
	reader->has_control_ids = true;
	reader->control_alias = *end == ':' ? end + 1 : "";
	return true;
}

static bool
read_orcpt(struct reader *reader, const char *value)
{
	reader->orcpt = value;
	return true;
}

static bool
read_final(struct reader *reader, const char *value)
{
	reader->final = value;
	return true;
}

static unsigned
recipient_flags(const char *letters, size_t length)
{
	static const char known[] = "PNSFDBAY";
	static const unsigned flags[] = {RECIPIENT_PRIMARY, RECIPIENT_HAS_NOTIFY,
	    RECIPIENT_NOTIFY_SUCCESS, RECIPIENT_NOTIFY_FAILURE, RECIPIENT_NOTIFY_DELAY,
	    RECIPIENT_BLIND, RECIPIENT_ALIAS, RECIPIENT_INTERNAL_REPLY};
	unsigned result = 0;

	for (size_t i = 0; i < length; i++) {
		const char *at = letters[i] != '\0' ? strchr(known, letters[i]) : NULL;

		if (at != NULL)
			result |= flags[at - known];
	}
	return result;
}

static size_t
count_letters(const char *text)
{
	size_t count = 0;

	while (text_is_alpha((unsigned char)text[count]))
		count++;
	return count;
}

static bool
read_recipient(struct reader *reader, const char *value)
{
	unsigned flags = RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY;
	struct recipient *recipient;
	const char *colon = strchr(value, ':');

	/* files older than version 1 have no flags; a line without a colon is an address, never nobody */
	if (reader->envelope->version > 0 && colon != NULL &&
	    count_letters(value) == (size_t)(colon - value)) {
		flags = recipient_flags(value, (size_t)(colon - value));
		value = colon + 1;
	}
	if (*value == '\0')
		return false;
	if ((flags & RECIPIENT_PRIMARY) == 0)
		flags |= RECIPIENT_PRIMARY | RECIPIENT_DERIVED;
	recipient = envelope_add_recipient(reader->envelope, value, flags);
	recipient->orcpt = reader->orcpt;
	recipient->final = reader->final;
	recipient->status = reader->status;
	if (reader->has_control) {
		recipient->control_user = reader->control_user;
		recipient->control_alias = reader->control_alias;
		recipient->control_uid = reader->control_uid;
		recipient->control_gid = reader->control_gid;
		recipient->has_control_ids = reader->has_control_ids;
	}
	reader->orcpt = reader->final = reader->status = NULL;
	return true;
}

/* "?flags?" or "?${macro}?" in front of a field; NULL when it is not closed. */
static const char *
read_header_condition(
    struct reader *reader, const char *value, struct flag_set *flags, const char **macro)
{
	const char *end;

	if (*value != '?')
		return value;
	end = strchr(++value, '?');
	if (end == NULL)
		return NULL;
	if (value[0] == '$' && value[1] == '{') {
		const char *close = strchr(value, '}');

		if (close == NULL || close + 1 != end)
			return NULL;
		*macro =
		    arena_memdup(reader->envelope->arena, value + 2, (size_t)(close - value - 2));
	} else if ((unsigned char)value[0] == MACRO_MARK || value[0] == '$') {
		if (end != value + 2 || value[1] == '{' || value[1] == '}')
			return NULL;
		*macro = arena_memdup(reader->envelope->arena, value + 1, 1);
	} else {
		for (; value < end; value++) {
			/* what begins a macro is no flag: put first it would be read as one */
			if (*value != '$' && (unsigned char)*value != MACRO_MARK)
				flag_set_add(flags, *value);
		}
	}
	return end + 1;
}

static const char *
unquote(struct arena *arena, const char *value)
{
	char *copy = arena_strdup(arena, value), *to = copy;

	while (*value != '\0') {
		if ((unsigned char)value[0] == BYTE_QUOTE && value[1] != '\0')
			value++;
		*to++ = *value++;
	}
	*to = '\0';
	return copy;
}

static bool
read_header(struct reader *reader, const char *value)
{
	struct envelope *envelope = reader->envelope;
	const char *macro = NULL, *field;
	struct flag_set flags = {0};
	struct header *header = NULL;

	field = read_header_condition(reader, value, &flags, &macro);
	if (field != NULL)
		header =
		    header_append_field(&envelope->headers, envelope->arena, field, strlen(field));
	if (header == NULL) {
		/* V8 says so, leaves the line out and goes on */
		reader->error->header_warning = value;
		return true;
	}
	header->mailer_flags = flags;
	header->macro = macro;
	header->is_default = macro != NULL || !flag_set_is_empty(&flags);
	if (!header->is_default && strchr(header->value, (char)BYTE_QUOTE) != NULL)
		header->value = unquote(envelope->arena, header->value);
	return true;
}

static bool
read_nothing(struct reader *reader, const char *value)
{
	(void)reader;
	(void)value;
	return true;
}

static const struct {
	char letter;
	line_handler *handler;
} line_rows[] = {
    {'V', read_version},
    {'T', read_created},
    {'K', read_last_attempt},
    {'N', read_attempts},
    {'P', read_priority},
    {'I', read_inode},
    {'B', read_body_type},
    {'q', read_quarantine},
    {'M', read_status},
    {'F', read_flags},
    {'$', read_macro},
    {'S', read_sender},
    {'Z', read_envid},
    {'A', read_auth},
    {'!', read_deliver_by},
    {'d', read_directory},
    {'C', read_control_user},
    {'Q', read_orcpt},
    {'r', read_final},
    {'R', read_recipient},
    {'H', read_header},
    /* V8 before 8: name of the df, error address, content length of Solaris */
    {'D', read_nothing},
    {'E', read_nothing},
    {'L', read_nothing},
};

static line_handler *
find_handler(char letter)
{
	for (size_t i = 0; i < sizeof line_rows / sizeof *line_rows; i++) {
		if (line_rows[i].letter == letter)
			return line_rows[i].handler;
	}
	return NULL;
}

static enum control_result
complain(struct reader *reader, enum control_result result, const char *line, size_t length)
{
	char *text = arena_memdup(
	    reader->envelope->arena, line, length < COMPLAINT_MAXIMUM ? length : COMPLAINT_MAXIMUM);

	reader->error->line = reader->line;
	for (size_t i = 0; i < length && i < COMPLAINT_MAXIMUM; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = '?';
	}
	reader->error->text = text;
	return result;
}

/* The end of the line at `at` with those that continue it; NULL when the last line break is missing. */
static const char *
find_line_end(const char *at, const char *end, int *lines)
{
	for (;;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		if (newline == NULL)
			return NULL;
		++*lines;
		if (newline + 1 == end || (newline[1] != ' ' && newline[1] != '\t'))
			return newline;
		at = newline + 1;
	}
}

static size_t
line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return (size_t)((newline != NULL ? newline : end) - at);
}

/* What stands behind the letter of a line.  Only headers keep the line breaks of their folds. */
static const char *
copy_value(struct arena *arena, const char *line, size_t length)
{
	char *value = arena_memdup(arena, line + 1, length - 1);

	for (size_t i = 0; *line != 'H' && i + 1 < length; i++) {
		if (value[i] == '\n' || value[i] == '\r')
			value[i] = ' ';
	}
	return value;
}

/* V8 ends at such a file with a failed assertion; who is to hear of a failure must be known. */
static enum control_result
ended(const struct reader *reader)
{
	return reader->saw_sender ? CONTROL_OK : CONTROL_NO_SENDER;
}

enum control_result
control_read(
    struct envelope *envelope, const char *bytes, size_t length, struct control_error *error)
{
	struct reader reader = {.envelope = envelope, .error = error};
	const char *at = bytes, *end = bytes + length;

	*error = (struct control_error){.text = ""};
	envelope->version = 0;
	envelope->created = clock_now(); /* V8: without a T line it is as old as this attempt */
	if (length == 0)
		return CONTROL_EMPTY;
	for (int first = 1; at < end; first = reader.line + 1) {
		const char *stop = find_line_end(at, end, &reader.line);
		line_handler *handler;
		size_t size;

		if (stop == NULL && *at == '.' && at + 1 == end)
			return ended(&reader);
		if (stop == NULL)
			return CONTROL_INCOMPLETE;
		size = (size_t)(stop - at);
		if (*at == '.' && size == 1)
			return stop + 1 == end ? ended(&reader)
					       : complain(&reader, CONTROL_EXTRA_DATA, stop + 1,
						     line_length(stop + 1, end));
		handler = size > 0 && memchr(at, '\0', size) == NULL ? find_handler(*at) : NULL;
		if (handler == NULL || !handler(&reader, copy_value(envelope->arena, at, size))) {
			reader.line = first;
			return complain(&reader,
			    reader.is_bogus ? CONTROL_EXTRA_DATA : CONTROL_BAD_LINE, at, size);
		}
		if (envelope->version > VERSION_MAXIMUM)
			return complain(&reader, CONTROL_BAD_VERSION, at, size);
		at = stop + 1;
	}
	return CONTROL_INCOMPLETE;
}
