#include "submit/finish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "route/resolve.h"

/* V8's marks in header values of a qf: a macro that is expanded at delivery, a byte that is none. */
enum { LATE_MACRO = 0x81, LITERAL_BYTE = 0xff };

static bool
is_resent_name(const char *name)
{
	return text_starts_nocase(name, "resent-");
}

static bool
has_resent(const struct header_list *list)
{
	for (const struct header *one = list->first; one != NULL; one = one->next) {
		if (!one->is_deleted && is_resent_name(one->name))
			return true;
	}
	return false;
}

/* Fields that each relay adds; their number is the hop count (V8's trace fields). */
static bool
is_trace_name(const char *name)
{
	static const char *const names[] = {"received", "x400-received", "via", "mail-from"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (text_equal_nocase(name, names[i]))
			return true;
	}
	return false;
}

/* Fields whose macros are left for the delivery, since they differ from mailer to mailer. */
static bool
is_late_name(const char *name)
{
	return text_equal_nocase(name, "return-path");
}

const char *
finish_quote_name(const struct config *config, struct arena *arena, const char *name)
{
	const char *more = config->options.must_quote_chars;
	bool needs = false, is_open = false;
	struct str out = {0};
	const char *result;
	size_t length = strlen(name);

	if (length >= 2 && name[0] == '"' && name[length - 1] == '"')
		return name;
	if (more == NULL)
		more = ".'";
	for (const char *at = name; *at != '\0'; at++) {
		/* V8: what stands between quotes, escaped or not, needs no others */
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '"')
			is_open = !is_open;
		else if (!is_open &&
			 (strchr("@,;:[]<>\\", *at) != NULL || strchr(more, *at) != NULL))
			needs = true;
	}
	if (!needs && !is_open)
		return name;
	str_add_char(&out, '"');
	for (const char *at = name; *at != '\0'; at++) {
		if (*at == '"')
			str_add_char(&out, '\\');
		else if (*at == '\\' && at[1] != '\0')
			str_add_char(&out, *at++);
		str_add_char(&out, *at);
	}
	str_add_char(&out, '"');
	result = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return result;
}

static const char *
trimmed(struct arena *arena, const char *value)
{
	char *copy = arena_strdup(arena, text_skip_space(value));

	text_trim_end(copy);
	return copy;
}

/* The text of one H line as it goes into the queue; NULL when it comes out empty. */
static const char *
expand_field(struct envelope *envelope, const struct config *config, struct macro_env *macros,
    const struct header_rule *rule)
{
	bool is_late = is_late_name(rule->name);
	struct str text = {0}, out = {0};
	const char *result = NULL;

	if (is_late) {
		/* `$g` alone is the delivery's: two bytes stand for it */
		for (const char *at = rule->template; *at != '\0'; at++) {
			if (at[0] == '$' && text_is_alpha((unsigned char)at[1])) {
				str_add_char(&out, (char)LATE_MACRO);
				str_add_char(&out, *++at);
			} else {
				str_add_char(&out, *at);
			}
		}
	} else {
		macro_expand(config->names, macros, rule->template, &text);
		for (const char *at = str_text(&text); *at != '\0'; at++) {
			if (((unsigned char)*at & 0xe0) == 0x80 ||
			    (unsigned char)*at == LITERAL_BYTE)
				str_add_char(&out, (char)LITERAL_BYTE);
			str_add_char(&out, *at);
		}
	}
	if (text_skip_space(str_text(&out))[0] != '\0')
		result = arena_printf(envelope->arena,
		    out.data[0] == ' ' || out.data[0] == '\t' ? "%s" : " %s", out.data);
	str_free(&text);
	str_free(&out);
	return result;
}

static void
set_dates(struct envelope *envelope, const struct config *config, struct macro_env *macros)
{
	const struct header *date = header_find(&envelope->headers, "Posted-Date");
	char text[DATE_RFC822_SIZE], short_text[DATE_CTIME_SIZE], stamp[32];
	struct tm utc;

	/* V8 takes it where it can be one */
	if (date == NULL || strpbrk(date->value, "0123456789") == NULL)
		date = header_find(&envelope->headers, "Date");
	if (has_resent(&envelope->headers)) /* V8: those are of now */
		date = NULL;
	date_rfc822(envelope->created, text);
	config_set_macro(config, macros, "b", text);
	config_set_macro(
	    config, macros, "a", date != NULL ? trimmed(envelope->arena, date->value) : text);
	config_set_macro(config, macros, "d", date_ctime(envelope->created, short_text));
	gmtime_r(&envelope->created, &utc);
	strftime(stamp, sizeof stamp, "%Y%m%d%H%M", &utc);
	config_set_macro(config, macros, "t", stamp);
}

void
finish_read_class(struct envelope *envelope, const struct config *config)
{
	const struct header *header = header_find(&envelope->headers, "Precedence");
	const char *word;

	if (header == NULL)
		return;
	word = trimmed(envelope->arena, header->value);
	for (const struct priority_class *one = config->priorities; one != NULL; one = one->next) {
		if (text_equal_nocase(one->name, word))
			envelope->message_class = one->value;
	}
	/* V8: nothing is returned with the report of mail that nobody waits for */
	if (envelope->message_class < 0)
		envelope->flags |= ENVELOPE_NO_BODY_RETURN;
}

static int
count_hops(const struct envelope *envelope)
{
	int hops = 0;

	for (const struct header *one = envelope->headers.first; one != NULL; one = one->next)
		hops += !one->is_deleted && is_trace_name(one->name);
	return hops;
}

void
finish_set_recipient(
    struct envelope *envelope, const struct config *config, struct macro_env *macros)
{
	const struct recipient *only = envelope->recipients;

	config_set_macro(
	    config, macros, "u", only != NULL && only->next == NULL ? only->address : NULL);
}

static bool
is_blank_field(const struct header *header)
{
	return text_skip_space(header->value)[0] == '\0';
}

/* Fields that say nothing are as good as none. */
static bool
has_field(const struct envelope *envelope, const char *name)
{
	const struct header *one = header_find(&envelope->headers, name);

	while (one != NULL && is_blank_field(one))
		one = header_find_next(one, name);
	return one != NULL;
}

static void
delete_blank_fields(struct envelope *envelope, const char *name)
{
	for (struct header *one = header_find(&envelope->headers, name); one != NULL;
	     one = header_find_next(one, name)) {
		if (is_blank_field(one))
			one->is_deleted = true;
	}
}

/* The default fields that this message lacks, in the order of the file. */
static void
add_defaults(struct envelope *envelope, const struct config *config, struct macro_env *macros,
    const struct finish_sender *sender)
{
	bool resent = has_resent(&envelope->headers);
	struct header_list defaults = {0};
	const char *quoted = NULL;

	if (sender->full_name != NULL)
		quoted = finish_quote_name(config, envelope->arena, sender->full_name);
	for (const struct header_rule *rule = config->headers; rule != NULL; rule = rule->next) {
		bool is_from = text_equal_nocase(rule->name, "from") ||
			       text_equal_nocase(rule->name, "resent-from");
		const char *value;
		struct header *header;

		if (rule->template == NULL || (is_resent_name(rule->name) && !resent))
			continue;
		if (!is_trace_name(rule->name) && !is_late_name(rule->name) &&
		    has_field(envelope, rule->name))
			continue;
		/* V8: the name is quoted where it is a phrase, and as it is elsewhere */
		config_set_macro(config, macros, "x", is_from ? quoted : sender->full_name);
		if (is_from && sender->address[0] == '\0')
			continue;
		value = expand_field(envelope, config, macros, rule);
		if (value == NULL)
			continue;
		if (!is_trace_name(rule->name))
			delete_blank_fields(envelope, rule->name);
		header = header_append(&defaults, envelope->arena, rule->name, value);
		header->mailer_flags = rule->mailer_flags;
		header->macro = rule->macro;
		header->is_default = true;
	}
	config_set_macro(config, macros, "x", sender->full_name);
	if (defaults.first == NULL)
		return;
	*defaults.end = envelope->headers.first;
	if (envelope->headers.end == NULL || envelope->headers.end == &envelope->headers.first)
		envelope->headers.end = defaults.end;
	envelope->headers.first = defaults.first;
}

/* A Full-Name field of the message is for us: it makes $x, and goes only where mailers want it. */
static const char *
take_full_name(struct envelope *envelope, const struct config *config)
{
	struct header *header = header_find(&envelope->headers, "Full-Name");

	if (header == NULL)
		return NULL;
	for (const struct header_rule *rule = config->headers; rule != NULL; rule = rule->next) {
		if (text_equal_nocase(rule->name, "full-name"))
			header->mailer_flags = rule->mailer_flags;
	}
	return trimmed(envelope->arena, header->value);
}

static int
compare_ids(const void *one, const void *other)
{
	int left = *(const int *)one, right = *(const int *)other;

	return (left > right) - (left < right);
}

/* Class {persistentMacros}, in the order of V8: letters first. */
static void
save_macros(struct envelope *envelope, const struct config *config, const struct macro_env *macros)
{
	int class = macro_id(config->names, "persistentMacros");
	size_t position = 0, count = 0, size = class_count(config->classes, class);
	int *ids = ARENA_ARRAY(envelope->arena, int, size + 1);
	const char *name;

	while (count < size && class_next(config->classes, class, &position, &name)) {
		const char *end, *error = NULL;
		int id = name[0] == '{'
			     ? macro_name_parse(config->names, name, &end, envelope->arena, &error)
			     : macro_id(config->names, name);

		if (id != MACRO_NONE)
			ids[count++] = id;
	}
	qsort(ids, count, sizeof *ids, compare_ids);
	for (size_t i = 0; i < count; i++) {
		const char *printed = macro_name(config->names, ids[i]);
		size_t length = strlen(printed);
		const char *value;

		if (printed[0] == '{' && length > 2)
			printed = arena_memdup(envelope->arena, printed + 1, length - 2);
		value = config_macro(config, macros, printed);
		if (value != NULL && value[0] != '\0')
			envelope_set_macro(envelope, printed, value);
	}
}

void
finish_header(struct envelope *envelope, const struct config *config, struct macro_env *macros,
    const struct finish_sender *sender)
{
	struct finish_sender shown = *sender;
	const char *own_name = take_full_name(envelope, config), *message_id;
	char hops[16];
	int counted;

	if (own_name != NULL && own_name[0] != '\0')
		shown.full_name = own_name;
	config_set_macro(config, macros, "i", envelope->id);
	config_set_macro(config, macros, "f", shown.address);
	config_set_macro(config, macros, "g", shown.address);
	set_dates(envelope, config, macros);
	add_defaults(envelope, config, macros, &shown);
	finish_read_class(envelope, config);
	counted = count_hops(envelope);
	if (counted > envelope->hop_count)
		envelope->hop_count = counted;
	snprintf(hops, sizeof hops, "%d", envelope->hop_count);
	config_set_macro(config, macros, "c", hops);
	message_id = finish_message_id(envelope);
	config_set_macro(config, macros, "msg_id", message_id);
	save_macros(envelope, config, macros);
}

/* Has it a field that names recipients for all to see?  Then Bcc can go without harm. */
static bool
names_recipients(const struct envelope *envelope)
{
	static const char *const names[] = {"to", "cc", "apparently-to"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct header *header = header_find(&envelope->headers, names[i]);

		if (header != NULL)
			return true;
	}
	return false;
}

static void
act_on_no_recipients(struct envelope *envelope, const struct config *config)
{
	const char *action = config->options.no_recipient_action;
	struct header_list *headers = &envelope->headers;
	const char *name;

	if (action == NULL || header_find(headers, "Bcc") != NULL ||
	    header_find(headers, "Resent-Bcc") != NULL)
		return;
	if (text_equal_nocase(action, "add-to-undisclosed")) {
		header_append(headers, envelope->arena, "To", " undisclosed-recipients:;");
	} else if (text_equal_nocase(action, "add-bcc")) {
		header_append(headers, envelope->arena, "Bcc", "  ");
	} else if (text_equal_nocase(action, "add-to") ||
		   text_equal_nocase(action, "add-apparently-to")) {
		struct header_list added = {0};

		/* V8: the last recipient's comes first */
		name = text_equal_nocase(action, "add-to") ? "To" : "Apparently-To";
		for (const struct recipient *one = envelope->recipients; one != NULL;
		     one = one->next) {
			if ((one->flags & RECIPIENT_PRIMARY) != 0)
				header_prepend(&added, envelope->arena, name,
				    arena_printf(envelope->arena, " %s", one->address));
		}
		if (added.first == NULL)
			return;
		if (headers->end == NULL)
			headers->end = &headers->first;
		*headers->end = added.first;
		headers->end = added.end;
	}
}

/* Fields that hold lists of addresses; a queue file has them as the next host will. */
static bool
is_list_name(const char *name)
{
	static const char *const names[] = {
	    "to", "cc", "bcc", "apparently-to", "from", "sender", "reply-to", "errors-to"};

	if (is_resent_name(name))
		name += strlen("resent-");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (text_equal_nocase(name, names[i]))
			return true;
	}
	return false;
}

enum { FOLD_COLUMN = 78, FOLD_INDENT = 8 };

struct folded {
	struct str text;
	size_t column;
	bool is_first;
};

static void
fold_address(void *context, const char *address)
{
	struct folded *folded = context;
	size_t length = strlen(address);

	if (!folded->is_first && folded->column + length + 3 > FOLD_COLUMN) {
		str_printf(&folded->text, ",\n%*s", FOLD_INDENT, "");
		folded->column = FOLD_INDENT;
	} else if (!folded->is_first) {
		str_add_text(&folded->text, ", ");
		folded->column += 2;
	}
	str_add_text(&folded->text, address);
	folded->column += length;
	folded->is_first = false;
}

/* The list with one blank behind each comma, folded; as it was when it is no list. */
static const char *
fold_list(struct envelope *envelope, const struct header *header)
{
	struct folded folded = {.column = strlen(header->name) + 2, .is_first = true};
	const char *value = header->value, *result;

	if (strchr(value, ',') == NULL)
		return value;
	resolve_split_list(value, envelope->arena, fold_address, &folded);
	result = arena_printf(envelope->arena, " %s", str_text(&folded.text));
	str_free(&folded.text);
	return result;
}

void
finish_priority(struct envelope *envelope, const struct config *config, int recipient_count)
{
	const struct options *options = &config->options;

	envelope->priority = (long)envelope->message_size -
			     envelope->message_class * options->class_factor +
			     recipient_count * options->recipient_factor;
}

void
finish_envelope(struct envelope *envelope, const struct config *config, int recipient_count)
{
	const struct options *options = &config->options;
	struct header *receipt;

	if (names_recipients(envelope))
		envelope->flags |= ENVELOPE_DELETE_BCC;
	else
		act_on_no_recipients(envelope, config);
	envelope->flags |= ENVELOPE_SPLIT;
	receipt = header_find(&envelope->headers, "Return-Receipt-To");
	if (options->rrt_implies_dsn && receipt != NULL) {
		receipt->is_deleted = true; /* V8: the report takes its place */
		for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
			if ((one->flags & RECIPIENT_HAS_NOTIFY) == 0)
				one->flags |= RECIPIENT_HAS_NOTIFY | RECIPIENT_NOTIFY_SUCCESS;
		}
	}
	for (struct header *one = envelope->headers.first; one != NULL; one = one->next) {
		if (!one->is_default && !one->is_deleted && is_list_name(one->name))
			one->value = fold_list(envelope, one);
	}
	finish_priority(envelope, config, recipient_count);
}

const char *
finish_message_id(const struct envelope *envelope)
{
	const struct header *header = header_find(&envelope->headers, "Message-Id");

	if (header == NULL && has_resent(&envelope->headers))
		header = header_find(&envelope->headers, "Resent-Message-Id");
	return header == NULL ? NULL : trimmed(envelope->arena, header->value);
}

void
finish_show_address(struct str *line, const char *address)
{
	for (; *address != '\0'; address++) {
		if (*address == '\\')
			str_add_text(line, "\\\\");
		else if (text_is_print((unsigned char)*address) || *address == '\t')
			str_add_char(line, *address);
		else
			str_printf(line, "\\%03o", (unsigned char)*address);
	}
}

void
finish_log_from(const struct envelope *envelope, const struct finish_log *log)
{
	const char *message_id = finish_message_id(envelope);
	struct str line = {0};

	str_printf(&line, "%s: from=", envelope->id);
	finish_show_address(&line, envelope->sender);
	str_printf(&line, ", size=%lld, class=%d, nrcpts=%d", (long long)envelope->message_size,
	    envelope->message_class, log->recipient_count);
	if (message_id != NULL)
		str_printf(&line, ", msgid=%.100s", message_id);
	if (log->body_type != NULL)
		str_printf(&line, ", bodytype=%s", log->body_type);
	if (log->protocol != NULL)
		str_printf(&line, ", proto=%s", log->protocol);
	if (log->daemon != NULL)
		str_printf(&line, ", daemon=%s", log->daemon);
	str_printf(&line, ", relay=%s", log->relay);
	log_at(5, LOG_INFO, "%s", str_text(&line));
	str_free(&line);
}
