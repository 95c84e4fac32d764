#include "config.h"

#include "route/compose.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "mail/mime.h"
#include "route/resolve.h"

enum {
	MACRO_MARK = 0x81, /* V8's byte for `$` in a queued header: \x81g */
	BYTE_QUOTE = 0xff, /* V8: the byte behind it is itself */
	FOLD_COLUMN = 78,
	FOLD_INDENT = 8,
};

enum field_kind { FIELD_TEXT, FIELD_SENDER, FIELD_RECIPIENT, FIELD_BCC };

static const struct field_name {
	const char *name;
	enum field_kind kind;
} field_names[] = {
    {"From", FIELD_SENDER},
    {"Sender", FIELD_SENDER},
    {"Reply-To", FIELD_SENDER},
    {"Errors-To", FIELD_SENDER},
    {"Return-Path", FIELD_SENDER},
    {"Resent-From", FIELD_SENDER},
    {"Resent-Sender", FIELD_SENDER},
    {"Resent-Reply-To", FIELD_SENDER},
    {"Disposition-Notification-To", FIELD_SENDER},
    {"To", FIELD_RECIPIENT},
    {"Cc", FIELD_RECIPIENT},
    {"Apparently-To", FIELD_RECIPIENT},
    {"Resent-To", FIELD_RECIPIENT},
    {"Resent-Cc", FIELD_RECIPIENT},
    {"Bcc", FIELD_BCC},
    {"Resent-Bcc", FIELD_BCC},
};

static enum field_kind
kind_of(const struct header *header)
{
	for (size_t i = 0; i < sizeof field_names / sizeof field_names[0]; i++) {
		if (text_equal_nocase(header->name, field_names[i].name))
			return field_names[i].kind;
	}
	return FIELD_TEXT;
}

/* V8: a list without any of these may be words with blanks between (OldStyleHeaders). */
static bool
is_old_style(const struct rule_context *rule, const struct envelope *envelope)
{
	if (!rule->config->options.old_style_headers)
		return false;
	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next) {
		if (!header->is_deleted && kind_of(header) != FIELD_TEXT &&
		    strpbrk(header->value, ",;<(") != NULL)
			return false;
	}
	return true;
}

/* The value of the macro whose name stands at *text, which is moved behind it. */
static const char *
read_mark(struct rule_context *rule, const char **text)
{
	char name[64] = {0};
	const char *end = **text == '{' ? strchr(*text, '}') : NULL, *value;

	if (end != NULL && (size_t)(end - *text) <= sizeof name) {
		memcpy(name, *text + 1, (size_t)(end - *text - 1));
		*text = end + 1;
	} else {
		name[0] = *(*text)++;
	}
	value = config_macro(rule->config, rule->macros, name);
	return value != NULL ? value : "";
}

/* A queued template with its \x81x put in. */
static const char *
expand_marks(struct rule_context *rule, const char *value)
{
	struct str out = {0};
	const char *copy;

	while (*value != '\0') {
		unsigned char byte = (unsigned char)*value++;

		if (byte == MACRO_MARK && *value != '\0')
			str_add_text(&out, read_mark(rule, &value));
		else if (byte == BYTE_QUOTE && *value != '\0')
			str_add_char(&out, *value++);
		else
			str_add_char(&out, (char)byte);
	}
	copy = arena_memdup(rule->arena, str_text(&out), out.length);
	str_free(&out);
	return copy;
}

struct folding {
	struct rule_context *rule;
	const struct mailer *mailer;
	unsigned what;
	struct str *out;
	size_t column, limit;
	bool is_first;
};

static void
add_address(void *context, const char *address)
{
	struct folding *fold = context;
	int status = 0;
	const char *rewritten =
	    resolve_rewrite(fold->rule, address, fold->mailer, fold->what, &status);
	size_t length = strlen(rewritten);

	if (length == 0)
		return;
	fold->column += length + (fold->is_first ? 0 : 2);
	if (!fold->is_first && fold->column > fold->limit) {
		str_printf(fold->out, ",\n%*s", FOLD_INDENT, "");
		fold->column = FOLD_INDENT + length;
	} else if (!fold->is_first) {
		str_add_text(fold->out, ", ");
	}
	str_add(fold->out, rewritten, length);
	fold->is_first = false;
}

/* Words with blanks between; a quoted string is one. */
static void
split_words(const char *list, struct arena *arena, struct folding *fold)
{
	while (*(list = text_skip_space(list)) != '\0') {
		const char *start = list;
		bool is_quoted = false;

		for (; *list != '\0' && (is_quoted || !text_is_space((unsigned char)*list));
		     list++) {
			if (*list == '\\' && list[1] != '\0')
				list++;
			else if (*list == '"')
				is_quoted = !is_quoted;
		}
		add_address(fold, arena_memdup(arena, start, (size_t)(list - start)));
	}
}

static void
add_list(struct rule_context *rule, const struct mailer *mailer, const struct header *header,
    const char *value, bool is_sender, bool old_style, struct str *out)
{
	long limit = mailer->line_limit - 2L;
	size_t start = out->length;
	struct folding fold = {
	    .rule = rule,
	    .mailer = mailer,
	    .what = RESOLVE_HEADER | (is_sender ? RESOLVE_SENDER : 0),
	    .out = out,
	    .is_first = true,
	};

	fold.limit = limit <= 0 || limit > FOLD_COLUMN ? FOLD_COLUMN : (size_t)limit;
	/* V8 keeps the blanks between colon and list as they are */
	str_printf(out, "%s:", header->name);
	str_add(out, value, (size_t)(text_skip_space(value) - value));
	fold.column = out->length - start;
	if (old_style && !is_sender)
		split_words(value, rule->arena, &fold);
	else
		resolve_split_list(value, rule->arena, add_address, &fold);
	str_add_char(out, '\n');
}

/* V8 (H_ACHECK): fields that a message may not bring along; the cf's own have flags. */
static bool
needs_flags(const struct header *header)
{
	static const char *const names[] = {"Return-Path", "Full-Name", "Content-Length"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (text_equal_nocase(header->name, names[i]))
			return true;
	}
	return false;
}

static bool
is_for(const struct rule_context *rule, const struct envelope *envelope,
    const struct header *header, const struct mailer *mailer, enum field_kind kind)
{
	if (header->is_deleted)
		return false;
	if (kind == FIELD_BCC && (envelope->flags & ENVELOPE_DELETE_BCC) != 0)
		return false;
	if ((needs_flags(header) || !flag_set_is_empty(&header->mailer_flags)) &&
	    !flag_set_intersects(&header->mailer_flags, &mailer->flags))
		return false;
	if (header->macro != NULL) {
		const char *value = config_macro(rule->config, rule->macros, header->macro);

		if (value == NULL || *value == '\0')
			return false;
	}
	return true;
}

/* SingleLineFromHeader */
static const char *
join_lines(struct arena *arena, const char *value)
{
	char *joined = arena_strdup(arena, value);

	for (char *at = strchr(joined, '\n'); at != NULL; at = strchr(at, '\n'))
		*at = ' ';
	return joined;
}

/* MaxMimeHeaderLength */
static const char *
limit_mime(const struct rule_context *rule, const struct envelope *envelope, const char *name,
    const char *value)
{
	const struct options *options = &rule->config->options;
	const char *note,
	    *limited = mime_limit_value(name, value, (size_t)options->max_mime_header_length,
		(size_t)options->max_mime_header_field_length, rule->arena, &note);

	if (note != NULL)
		log_at(0, LOG_ALERT, "%s: %s", envelope->id, note);
	return limited;
}

static void
add_field(struct rule_context *rule, const struct envelope *envelope, const struct mailer *mailer,
    const struct header *header, const char *sender, bool old_style, struct str *out)
{
	enum field_kind kind = kind_of(header);
	const char *value;

	if (!is_for(rule, envelope, header, mailer, kind))
		return;
	/* rewriting an address leaves it in $g */
	config_set_macro(rule->config, rule->macros, "g", sender);
	value = header->is_default ? expand_marks(rule, header->value) : header->value;
	if (rule->config->options.single_line_from_header &&
	    text_equal_nocase(header->name, "From"))
		value = join_lines(rule->arena, value);
	if (kind == FIELD_TEXT)
		str_printf(
		    out, "%s:%s\n", header->name, limit_mime(rule, envelope, header->name, value));
	else if (kind == FIELD_BCC) /* V8: never who */
		str_printf(out, "%s:\n", header->name);
	else
		add_list(rule, mailer, header, value, kind == FIELD_SENDER, old_style, out);
}

static const char *
strip_brackets(struct arena *arena, const char *address)
{
	size_t length = strlen(address);

	if (length >= 2 && address[0] == '<' && address[length - 1] == '>')
		return arena_memdup(arena, address + 1, length - 2);
	return address;
}

static const char *
compose_sender(
    struct rule_context *rule, const struct envelope *envelope, const struct mailer *mailer)
{
	int status = 0;

	/* V8: a report goes out with the null sender, unless the mailer has flag g */
	if ((envelope->flags & ENVELOPE_RESPONSE) != 0 && mailer_is_smtp(mailer) &&
	    !mailer_has(mailer, 'g'))
		return "";
	return strip_brackets(rule->arena, resolve_rewrite(rule, envelope->sender, mailer,
					       RESOLVE_SENDER | RESOLVE_CANONICAL, &status));
}

void
compose_message(struct rule_context *rule, const struct envelope *envelope,
    const struct mailer *mailer, struct composed *composed)
{
	struct str out = {0};
	bool old_style = is_old_style(rule, envelope);

	composed->sender = compose_sender(rule, envelope, mailer);
	config_set_macro(rule->config, rule->macros, "g", composed->sender);
	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next)
		add_field(rule, envelope, mailer, header, composed->sender, old_style, &out);
	config_set_macro(rule->config, rule->macros, "g", composed->sender);
	composed->header = arena_memdup(rule->arena, str_text(&out), out.length);
	composed->header_length = out.length;
	str_free(&out);
}

void
compose_original(
    struct rule_context *rule, const struct envelope *envelope, struct composed *composed)
{
	struct str out = {0};

	composed->sender = "";
	if (strcmp(envelope->sender, "<>") != 0)
		composed->sender = rule->config->local_mailer != NULL
				       ? compose_sender(rule, envelope, rule->config->local_mailer)
				       : strip_brackets(rule->arena, envelope->sender);
	config_set_macro(rule->config, rule->macros, "g", composed->sender);
	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next) {
		bool hides =
		    text_equal_nocase(header->name, "Full-Name") ||
		    (kind_of(header) == FIELD_BCC && (envelope->flags & ENVELOPE_DELETE_BCC) != 0);

		if (header->is_deleted || hides)
			continue;
		str_printf(&out, "%s:%s\n", header->name,
		    header->is_default ? expand_marks(rule, header->value) : header->value);
	}
	composed->header = arena_memdup(rule->arena, str_text(&out), out.length);
	composed->header_length = out.length;
	str_free(&out);
}

static int
count_flags(const struct flag_set *flags)
{
	int count = 0;

	for (int flag = 1; flag < 256; flag++)
		count += flag_set_has(flags, flag);
	return count;
}

/* Bytes that stand in the queue file with a quoting byte in front. */
static int
count_quoted(const char *value)
{
	int count = 0;

	for (; *value != '\0'; value++)
		count += ((unsigned char)*value >= 0x80 && (unsigned char)*value < 0xa0) ||
			 (unsigned char)*value == BYTE_QUOTE;
	return count;
}

off_t
compose_message_size(const struct envelope *envelope)
{
	off_t size = envelope->body_size;

	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next) {
		/* V8: the H line without the H and the two question marks, and without its line end */
		size += (off_t)(strlen(header->name) + strlen(header->value) + 1) +
			count_flags(&header->mailer_flags);
		if (header->macro != NULL)
			size += (off_t)strlen(header->macro) + 3;
		if (!header->is_default)
			size += count_quoted(header->value);
	}
	return size;
}

off_t
compose_size_as_read(const struct envelope *envelope)
{
	off_t size = envelope->body_size + 1;
	bool is_ours = true; /* the first Received: */

	for (const struct header *header = envelope->headers.first; header != NULL;
	     header = header->next) {
		if (!flag_set_is_empty(&header->mailer_flags))
			continue;
		if (is_ours && text_equal_nocase(header->name, "Received")) {
			is_ours = false;
			continue;
		}
		size += (off_t)(strlen(header->name) + strlen(header->value) + 2);
	}
	return size;
}
