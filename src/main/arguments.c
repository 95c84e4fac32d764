#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "arguments_private.h"
#include "base/text.h"
#include "mail/envelope.h"

static void
list_add(struct arena *arena, struct arguments_list *list, const char *item)
{
	if (list->count + 2 > list->capacity) {
		size_t capacity = list->capacity == 0 ? 8 : 2 * list->capacity;

		list->items = arena_grow(arena, list->items, list->capacity * sizeof *list->items,
		    capacity * sizeof *list->items);
		list->capacity = capacity;
	}
	list->items[list->count++] = item;
	list->items[list->count] = NULL;
}

struct argument_message *
arguments_say(struct arguments_parser *parser, const char *text)
{
	struct argument_message *message = ARENA_NEW(parser->out->arena, struct argument_message);

	message->text = text;
	*parser->message_end = message;
	parser->message_end = &message->next;
	parser->out->exit_status = EX_USAGE;
	return message;
}

void
arguments_fail(struct arguments_parser *parser, const char *text)
{
	arguments_say(parser, text)->is_fatal = true;
	parser->out->is_wrong = true;
}

static void
fail_plain(struct arguments_parser *parser, const char *what, char letter)
{
	struct argument_message *message = arguments_say(parser,
	    arena_printf(parser->out->arena, "%s: %s -- %c", parser->out->program, what, letter));

	message->is_fatal = message->is_plain = true;
	parser->out->is_wrong = true;
}

/* Old one-letter flags are options: kept as the reader of the configuration takes them. */
static void
add_option(struct arguments_parser *parser, char letter, const char *value)
{
	list_add(parser->out->arena, &parser->options,
	    arena_printf(parser->out->arena, "-%c%s", letter, value));
}

static void
take_cf_choice(struct arguments_parser *parser, const char *value)
{
	if (value[0] == 'c' || value[0] == 'm')
		parser->out->cf_choice = value[0];
}

static void
take_mode(struct arguments_parser *parser, const char *value)
{
	char letter = value[0];

	if (letter == 'z') {
		arguments_fail(parser, "Frozen configurations unsupported");
		return;
	}
	if (letter == '\0' || strchr("masdDtvipPhHCO", letter) == NULL) {
		arguments_fail(parser, arena_printf(parser->out->arena, "Invalid operation mode %c",
					   letter == '\0' ? ' ' : letter));
		return;
	}
	parser->out->mode = letter;
}

static void
take_body_type(struct arguments_parser *parser, const char *value)
{
	if (text_equal_nocase(value, "7bit"))
		parser->out->body_type = "7BIT";
	else if (text_equal_nocase(value, "8bitmime"))
		parser->out->body_type = "8BITMIME";
	else
		arguments_say(
		    parser, arena_printf(parser->out->arena, "Illegal body type %s", value));
}

static void
take_cf_file(struct arguments_parser *parser, const char *value)
{
	/* V8: the name alone, in the current directory */
	parser->out->cf_file = value[0] == '\0' ? "sendmail.cf" : value;
}

static void
take_debug_file(struct arguments_parser *parser, const char *value)
{
	if (parser->out->debug != NULL)
		arguments_say(parser, "-D file must be before -d");
	else
		parser->out->debug_file = value;
}

static void
take_debug(struct arguments_parser *parser, const char *value)
{
	const char *before = parser->out->debug;

	/* -d alone is 0-99.1 and must stay so when it is joined with others */
	if (value[0] == '\0')
		value = "0-99.1";
	parser->out->debug =
	    before == NULL ? value : arena_printf(parser->out->arena, "%s,%s", before, value);
}

static void
take_error_mode(struct arguments_parser *parser, const char *value)
{
	add_option(parser, 'e', value);
}

static void
take_full_name(struct arguments_parser *parser, const char *value)
{
	parser->out->full_name = value;
}

static void
take_sender(struct arguments_parser *parser, const char *value)
{
	if (parser->out->sender != NULL)
		arguments_fail(parser, "More than one \"from\" person");
	else
		parser->out->sender = value;
}

static void
take_gateway(struct arguments_parser *parser, const char *value)
{
	(void)value;
	parser->out->is_gateway = true;
}

static void
take_hop_count(struct arguments_parser *parser, const char *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (*end != '\0') {
		arguments_fail(
		    parser, arena_printf(parser->out->arena, "Bad hop count (%s)", value));
		return;
	}
	if (number < 0)
		number = 0;
	parser->out->hop_count = number > INT_MAX ? INT_MAX : (int)number;
}

static void
take_label(struct arguments_parser *parser, const char *value)
{
	enum { LABEL_MAXIMUM = 32 };

	parser->out->label = arena_printf(parser->out->arena, "%.*s", LABEL_MAXIMUM, value);
}

static void
take_macro(struct arguments_parser *parser, const char *value)
{
	list_add(parser->out->arena, &parser->macros, value);
}

static void
take_no_aliasing(struct arguments_parser *parser, const char *value)
{
	(void)value;
	parser->out->no_aliasing = true;
}

static bool
same_word(const char *text, size_t length, const char *word)
{
	if (strlen(word) != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text_lower((unsigned char)text[i]) != word[i])
			return false;
	}
	return true;
}

static void
take_notify(struct arguments_parser *parser, const char *value)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = {
	    {"success", RECIPIENT_NOTIFY_SUCCESS},
	    {"failure", RECIPIENT_NOTIFY_FAILURE},
	    {"delay", RECIPIENT_NOTIFY_DELAY},
	};
	unsigned flags = 0;

	parser->out->has_notify = true;
	parser->out->notify = 0;
	if (text_equal_nocase(value, "never"))
		return;
	for (const char *at = value;; at++) {
		size_t length = strcspn(at, ","), i;

		for (i = 0; i < sizeof words / sizeof words[0]; i++) {
			if (same_word(at, length, words[i].word))
				break;
		}
		if (i == sizeof words / sizeof words[0]) {
			arguments_fail(parser, "Invalid -N argument");
			return;
		}
		flags |= words[i].flag;
		at += length;
		if (*at == '\0')
			break;
	}
	parser->out->notify = flags;
}

static void
take_long_option(struct arguments_parser *parser, const char *value)
{
	/* a leading '-' marks letters in the list; no name starts so */
	if (value[0] == '-') {
		arguments_fail(parser,
		    arena_printf(parser->out->arena, "readcf: unknown option name %s", value));
		parser->out->exit_status = EX_SOFTWARE;
		return;
	}
	list_add(parser->out->arena, &parser->options, value);
}

static void
take_letter_option(struct arguments_parser *parser, const char *value)
{
	list_add(
	    parser->out->arena, &parser->options, arena_printf(parser->out->arena, "-%s", value));
	if (value[0] == 'i')
		parser->out->ignore_dots = value[1] == '\0' || strchr("fFnN0", value[1]) == NULL;
}

static void
take_protocol(struct arguments_parser *parser, const char *value)
{
	const char *colon = strchr(value, ':');

	if (colon == NULL) {
		parser->out->protocol = value;
		return;
	}
	if (colon != value)
		parser->out->protocol =
		    arena_memdup(parser->out->arena, value, (size_t)(colon - value));
	if (colon[1] != '\0')
		parser->out->protocol_host = colon + 1;
}

static void
take_ret(struct arguments_parser *parser, const char *value)
{
	if (parser->out->has_ret) {
		arguments_fail(parser, "Duplicate -R flag");
		return;
	}
	parser->out->has_ret = true;
	if (text_equal_nocase(value, "hdrs"))
		parser->out->ret_headers = true;
	else if (!text_equal_nocase(value, "full"))
		arguments_fail(parser, "Invalid -R value");
}

static void
take_from_header(struct arguments_parser *parser, const char *value)
{
	(void)value;
	parser->out->from_header = true;
}

/* RFC 3461 4: printing characters without '=', '+' only in front of two capital hex digits. */
static bool
is_xtext(const char *text)
{
	for (; *text != '\0'; text++) {
		int byte = (unsigned char)*text;

		if (byte < '!' || byte > '~' || byte == '=')
			return false;
		if (byte == '+') {
			if (strspn(text + 1, "0123456789ABCDEF") < 2)
				return false;
			text += 2;
		}
	}
	return true;
}

/* An old way to set the time limit of the queue, whose value V8 no longer finds. */
static void
take_time_limit(struct arguments_parser *parser, const char *value)
{
	(void)value;
	arguments_say(parser, "Invalid time unit `T'");
	arguments_say(parser, "Invalid time unit `T'");
}

static void
take_envid(struct arguments_parser *parser, const char *value)
{
	if (!is_xtext(value))
		arguments_fail(parser, "Invalid syntax in -V flag");
	else
		parser->out->envid = value;
}

static void
take_traffic_file(struct arguments_parser *parser, const char *value)
{
	parser->out->traffic_file = value;
}

static void
take_ignored(struct arguments_parser *parser, const char *value)
{
	(void)parser;
	(void)value;
}

/* Letters that are nothing but a boolean option. */
static void
take_flag(struct arguments_parser *parser, const char *letter)
{
	add_option(parser, letter[0], "");
	if (letter[0] == 'i')
		parser->out->ignore_dots = true;
	if (letter[0] == 'v')
		parser->out->is_verbose = true;
}

enum value_kind {
	VALUE_NONE,
	VALUE_NEEDED,	/* joined or the next argument */
	VALUE_OPTIONAL, /* joined, or the next argument when that is no option; else "" */
	VALUE_FLAG,	/* none; the letter itself is handed over */
};

static const struct row {
	char letter;
	enum value_kind kind;
	void (*take)(struct arguments_parser *, const char *value);
} rows[] = {
    {'A', VALUE_NEEDED, take_cf_choice}, {'B', VALUE_NEEDED, take_body_type},
    {'b', VALUE_OPTIONAL, take_mode}, {'C', VALUE_OPTIONAL, take_cf_file},
    {'c', VALUE_FLAG, take_flag}, {'D', VALUE_NEEDED, take_debug_file},
    {'d', VALUE_OPTIONAL, take_debug}, {'e', VALUE_NEEDED, take_error_mode},
    {'F', VALUE_NEEDED, take_full_name}, {'f', VALUE_NEEDED, take_sender},
    {'G', VALUE_NONE, take_gateway}, {'h', VALUE_NEEDED, take_hop_count},
    {'i', VALUE_FLAG, take_flag}, {'L', VALUE_NEEDED, take_label}, {'M', VALUE_NEEDED, take_macro},
    {'m', VALUE_FLAG, take_flag}, {'N', VALUE_NEEDED, take_notify},
    {'n', VALUE_NONE, take_no_aliasing}, {'O', VALUE_NEEDED, take_long_option},
    {'o', VALUE_NEEDED, take_letter_option}, {'p', VALUE_NEEDED, take_protocol},
    {'Q', VALUE_OPTIONAL, arguments_take_quarantine}, {'q', VALUE_OPTIONAL, arguments_take_queue},
    {'R', VALUE_NEEDED, take_ret}, {'r', VALUE_NEEDED, take_sender}, {'s', VALUE_FLAG, take_flag},
    {'T', VALUE_NONE, take_time_limit}, {'t', VALUE_NONE, take_from_header},
    {'U', VALUE_NONE, take_ignored}, /* initial user submission: what -bm is anyway */
    {'V', VALUE_NEEDED, take_envid}, {'v', VALUE_FLAG, take_flag},
    {'X', VALUE_NEEDED, take_traffic_file},
    {'x', VALUE_NONE, take_ignored}, /* AIX's mail(1) passes it */
};

static const struct row *
find_row(char letter)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].letter == letter)
			return &rows[i];
	}
	return NULL;
}

/* One argument "-abc": letters without values may stand together.  argv[at] is the argument itself. */
static void
parse_letters(struct arguments_parser *parser, const char *letters)
{
	for (; *letters != '\0' && !parser->out->is_wrong; letters++) {
		const struct row *row = find_row(*letters);
		const char *next =
		    parser->at + 1 < parser->argc ? parser->argv[parser->at + 1] : NULL;

		if (row == NULL) {
			fail_plain(parser, "illegal option", *letters);
			return;
		}
		if (row->kind == VALUE_NONE || row->kind == VALUE_FLAG) {
			row->take(parser, row->kind == VALUE_FLAG ? letters : "");
			continue;
		}
		if (letters[1] != '\0') {
			row->take(parser, letters + 1);
		} else if (next != NULL && (row->kind == VALUE_NEEDED || next[0] != '-')) {
			parser->at++;
			row->take(parser, next);
		} else if (row->kind == VALUE_OPTIONAL) {
			row->take(parser, "");
		} else {
			fail_plain(parser, "option requires an argument", *letters);
		}
		return;
	}
}

/* Long options are our own; "--" alone ends the options. */
static void
parse_long(struct arguments_parser *parser, const char *argument)
{
	struct arguments *out = parser->out;

	if (strcmp(argument, "--help") == 0) {
		out->mode = MODE_HELP;
	} else if (strcmp(argument, "--version") == 0) {
		out->mode = MODE_VERSION;
	} else if (strcmp(argument, "--check") == 0) {
		out->is_check = true;
	} else if (strcmp(argument, "--deliver") == 0 && parser->at + 1 < parser->argc) {
		out->deliver_id = parser->argv[++parser->at];
	} else if (strcmp(argument, "--refusals") == 0 && out->deliver_id != NULL) {
		out->refusals_only = true;
	} else {
		fail_plain(parser, "illegal option", '-');
	}
}

static void
choose_mode_by_name(struct arguments *out)
{
	static const struct {
		const char *name;
		char mode;
	} names[] = {
	    {"newaliases", MODE_ALIASES},
	    {"mailq", MODE_PRINT},
	    {"smtpd", MODE_DAEMON},
	    {"hoststat", MODE_HOSTS},
	    {"purgestat", MODE_PURGE},
	};
	const char *slash = strrchr(out->program, '/');

	out->program_name = slash == NULL ? out->program : slash + 1;
	out->mode = MODE_DELIVER;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(out->program_name, names[i].name) == 0)
			out->mode = names[i].mode;
	}
}

struct arguments *
arguments_parse(int argc, char *const argv[])
{
	struct arena *arena = arena_create();
	struct arguments *out = ARENA_NEW(arena, struct arguments);
	struct arguments_parser parser = {.out = out, .argc = argc, .argv = argv, .at = 1};
	struct arguments_list rest = {0};

	out->arena = arena;
	out->program = argc > 0 && argv[0] != NULL && argv[0][0] != '\0' ? argv[0] : "sendmail";
	out->hop_count = -1;
	parser.message_end = &out->messages;
	parser.selection_end = &out->queue.selections;
	choose_mode_by_name(out);
	for (; parser.at < argc && argv[parser.at] != NULL && !out->is_wrong; parser.at++) {
		const char *argument = argv[parser.at];

		if (argument[0] != '-' || argument[1] == '\0')
			break;
		if (strcmp(argument, "--") == 0) {
			parser.at++;
			break;
		}
		if (argument[1] == '-')
			parse_long(&parser, argument);
		else
			parse_letters(&parser, argument + 1);
	}
	list_add(arena, &parser.macros, NULL);
	list_add(arena, &parser.options, NULL);
	out->macro_settings = parser.macros.items;
	out->option_settings = parser.options.items;
	for (; parser.at < argc && argv[parser.at] != NULL; parser.at++)
		list_add(arena, &rest, argv[parser.at]);
	out->recipient_count = rest.count;
	list_add(arena, &rest, NULL);
	out->recipients = rest.items;
	if (!out->is_wrong)
		arguments_settle_queue_mode(&parser);
	return out;
}

void
arguments_destroy(struct arguments *arguments)
{
	if (arguments != NULL)
		arena_destroy(arguments->arena);
}

bool
arguments_speaks_smtp(const struct arguments *arguments)
{
	if (arguments->is_check)
		return false;
	return arguments->mode == MODE_DAEMON || arguments->mode == MODE_FOREGROUND ||
	       arguments->mode == MODE_SMTP || arguments->mode == MODE_ARPANET;
}
