#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "arguments_private.h"
#include "base/text.h"

/* V8: each wrong unit is named, then one fatal error; a bare number counts minutes. */
static bool
parse_interval(struct arguments_parser *parser, const char *text, long *seconds)
{
	static const struct {
		char unit;
		long seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	int64_t total = 0;
	bool good = true;

	while (*text != '\0') {
		long number = 0, unit_seconds = 60;

		while (text_is_digit((unsigned char)*text)) {
			if (number < 100000000)
				number = 10 * number + (*text - '0');
			text++;
		}
		if (*text != '\0') {
			size_t i;

			for (i = 0; i < sizeof units / sizeof units[0]; i++) {
				if (units[i].unit == text_lower((unsigned char)*text))
					break;
			}
			if (i < sizeof units / sizeof units[0]) {
				unit_seconds = units[i].seconds;
			} else {
				arguments_say(parser, arena_printf(parser->out->arena,
							  "Invalid time unit `%c'", *text));
				good = false;
			}
			text++;
		}
		if (total < INT64_MAX - INT64_C(604800) * 1000000000)
			total += (int64_t)number * unit_seconds;
	}
	*seconds = total < LONG_MAX ? (long)total : LONG_MAX;
	return good;
}

static void
add_selection(struct arguments_parser *parser, char field, bool is_negated, const char *text)
{
	struct queue_selection *one = ARENA_NEW(parser->out->arena, struct queue_selection);

	one->field = field;
	one->is_negated = is_negated;
	one->text = text;
	*parser->selection_end = one;
	parser->selection_end = &one->next;
}

static void
refuse_queue_mode(struct arguments_parser *parser, char letter)
{
	arguments_fail(parser, arena_printf(parser->out->arena, "Can not use -%c with -b%c", letter,
				   parser->out->mode));
}

void
arguments_take_queue(struct arguments_parser *parser, const char *value)
{
	struct queue_arguments *queue = &parser->out->queue;
	bool is_negated = value[0] == '!';

	/* V8 looks at the mode first where it is known by then */
	if (parser->out->mode == MODE_VERIFY || parser->out->mode == MODE_SMTP) {
		refuse_queue_mode(parser, 'q');
		return;
	}
	queue->is_given = true;
	if (is_negated)
		value++;
	switch (value[0]) {
	case 'G':
		queue->group = value + 1;
		return;
	case 'I':
	case 'R':
	case 'S':
		add_selection(parser, value[0], is_negated, value + 1);
		return;
	case 'Q':
		/* -qQ alone means quarantined messages, with a text those whose reason has it */
		queue->kind = 'Q';
		if (value[1] != '\0')
			add_selection(parser, 'Q', is_negated, value + 1);
		return;
	case 'L':
		queue->kind = 'L';
		return;
	case 'f':
		queue->is_foreground = true;
		return;
	case 'p':
		queue->is_persistent = true;
		value++;
		break;
	default:
		break;
	}
	if (value[0] == '-' && value[1] != '\0') {
		arguments_fail(parser, "Invalid -q value");
		return;
	}
	if (value[0] == '\0' || value[0] == '-') {
		if (queue->is_persistent) {
			queue->has_interval = true;
			queue->interval_seconds = 1;
		}
		return;
	}
	queue->has_interval = parse_interval(parser, value, &queue->interval_seconds);
	if (!queue->has_interval)
		parser->out->is_wrong = true;
	else if (queue->interval_seconds == 0)
		queue->has_interval = false;
}

void
arguments_take_quarantine(struct arguments_parser *parser, const char *value)
{
	parser->out->queue.quarantine_given = true;
	parser->out->queue.quarantine_reason = value[0] == '\0' ? NULL : value;
}

void
arguments_settle_queue_mode(struct arguments_parser *parser)
{
	struct arguments *out = parser->out;

	/* the committed message is delivered whatever mode submitted it */
	if (out->deliver_id != NULL) {
		out->mode = MODE_DELIVER_ID;
		return;
	}
	if (out->queue.is_given || out->queue.quarantine_given) {
		char letter = out->queue.is_given ? 'q' : 'Q';

		switch (out->mode) {
		case MODE_DELIVER:
			out->mode = MODE_QUEUE_RUN;
			break;
		case MODE_DAEMON:
		case MODE_FOREGROUND:
		case MODE_QUEUE_RUN:
		case MODE_HELP:
		case MODE_VERSION:
			break;
		case MODE_PRINT:
		case MODE_COUNTS:
			/* -q selects what is listed; -Q would change it */
			if (letter == 'q')
				break;
			/* fall through */
		default:
			refuse_queue_mode(parser, letter);
		}
	}
}
