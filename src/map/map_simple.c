/* Classes that need nothing but their key and arguments: null, dequote, arith, macro, syslog. */
#include "map_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "os/os.h"

static bool
declare_quietly(struct map *map, const char *arguments, struct map_errors *errors)
{
	map_read_options(map, arguments, NULL, false, errors);
	map->options.keeps_quotes = true; /* V8 */
	return true;
}

static void
lookup_null(struct map *map, struct map_call *call)
{
	(void)map;
	map_miss(call, MAP_NOT_FOUND);
}

const struct map_class map_class_null = {
    .name = "null", .declare = map_declare_plain, .lookup = lookup_null};

/* --- dequote */

static bool
take_dequote_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	(void)errors;
	if (letter != 's' && letter != 'S')
		return false;
	map->options.space = *value;
	return true;
}

static bool
declare_dequote(struct map *map, const char *arguments, struct map_errors *errors)
{
	map->options.space = '\0';
	map_read_options(map, arguments, take_dequote_option, false, errors);
	map->options.keeps_quotes = true;
	map->options.matches_only = false; /* V8 */
	return true;
}

/*
 * Takes the quotes off, and says no where that would change the meaning: nothing was quoted, a
 * blank is left without -s, brackets or quotes do not pair.
 */
static void
lookup_dequote(struct map *map, struct map_call *call)
{
	char *plain = arena_strdup(call->arena, call->key), *to = plain;
	int brackets = 0, angles = 0;
	bool quoted = false, saw_quote = false, escaped = false;

	for (const char *from = call->key; *from != '\0'; from++) {
		char byte = *from;

		if (escaped) {
			escaped = false;
			*to++ = byte;
			continue;
		}
		switch (byte) {
		case '\\':
			escaped = true;
			break;
		case '(':
			brackets++;
			break;
		case ')':
			if (brackets-- <= 0) {
				map_miss(call, EX_OK);
				return;
			}
			break;
		case '<':
			if (brackets == 0)
				angles++;
			break;
		case '>':
			if (brackets == 0 && angles-- <= 0) {
				map_miss(call, EX_OK);
				return;
			}
			break;
		case ' ':
			if (map->options.space == '\0') {
				map_miss(call, EX_OK);
				return;
			}
			byte = map->options.space;
			break;
		case '"':
			if (brackets == 0) {
				quoted = !quoted;
				saw_quote = true;
				continue;
			}
			break;
		default:
			break;
		}
		*to++ = byte;
	}
	*to = '\0';
	if (brackets > 0 || angles > 0 || quoted || escaped || !saw_quote)
		map_miss(call, EX_OK);
	else
		map_give_literal(map, call, plain);
}

const struct map_class map_class_dequote = {.name = "dequote",
    .declare = declare_dequote,
    .lookup = lookup_dequote,
    .rewriting = MAP_REWRITES_PLAINLY};

/* --- arith */

/* V8's numbers: leading blanks, sign, C prefixes; what cannot be read is 0, what is too large is the limit. */
static long
read_number(const char *text)
{
	long number;

	errno = 0;
	number = strtol(text, NULL, 0);
	return number;
}

/* Random and in [low, high]. */
static long
pick_between(long low, long high)
{
	unsigned long range = (unsigned long)high - (unsigned long)low, bits;

	os_random(&bits, sizeof bits);
	if (range != ULONG_MAX)
		bits %= range + 1;
	return (long)((unsigned long)low + bits);
}

/* False: no such operation, or no result. Unsigned arithmetic: an overflow wraps, as V8's does in practice. */
static bool
calculate(char operation, long left, long right, long *result)
{
	unsigned long a = (unsigned long)left, b = (unsigned long)right;

	switch (operation) {
	case '+':
		*result = (long)(a + b);
		return true;
	case '-':
		*result = (long)(a - b);
		return true;
	case '*':
		*result = (long)(a * b);
		return true;
	case '|':
		*result = (long)(a | b);
		return true;
	case '&':
		*result = (long)(a & b);
		return true;
	case '/':
	case '%':
		if (right == 0 || (left == LONG_MIN && right == -1))
			return false;
		*result = operation == '/' ? left / right : left % right;
		return true;
	case 'r':
		if (left > right)
			return false;
		*result = pick_between(left, right);
		return true;
	default:
		return false;
	}
}

static void
lookup_arith(struct map *map, struct map_call *call)
{
	enum { RESULT_SIZE = 16 }; /* V8: longer results are cut */
	long left, right, number;

	if (call->argument_count < 2) {
		map_miss(call, EX_CONFIG);
		return;
	}
	left = read_number(call->arguments[0]);
	right = read_number(call->arguments[1]);
	if (*call->key == 'l')
		map_give_literal(map, call, left < right ? "TRUE" : "FALSE");
	else if (*call->key == '=')
		map_give_literal(map, call, left == right ? "TRUE" : "FALSE");
	else if (calculate(*call->key, left, right, &number))
		map_give_literal(map, call,
		    arena_printf(call->arena, "%.*s", RESULT_SIZE - 1,
			arena_printf(call->arena, "%ld", number)));
	else
		map_miss(call, EX_CONFIG);
}

const struct map_class map_class_arith = {.name = "arith",
    .declare = declare_quietly,
    .lookup = lookup_arith,
    .rewriting = MAP_REWRITES_NOT};

/* --- macro */

static void
lookup_macro(struct map *map, struct map_call *call)
{
	(void)map;
	if (call->hooks->set_macro != NULL && *call->key != '\0' &&
	    !call->hooks->set_macro(call->hooks->context, call->key,
		call->argument_count > 0 ? call->arguments[0] : NULL)) {
		map_miss(call, EX_CONFIG);
		return;
	}
	/* V8: neither -m nor -a changes what it is good for */
	call->result->found = true;
	call->result->status = EX_OK;
	call->result->value = "";
}

const struct map_class map_class_macro = {.name = "macro",
    .declare = declare_quietly,
    .lookup = lookup_macro,
    .rewriting = MAP_REWRITES_NOT,
    .trace_name = "macro"};

/* --- syslog: logs the key, and is found */

static bool
take_syslog_option(struct map *map, char letter, const char *value, struct map_errors *errors)
{
	static const struct {
		const char *name;
		int priority;
	} priorities[] = {{"EMERG", LOG_EMERG}, {"ALERT", LOG_ALERT}, {"CRIT", LOG_CRIT},
	    {"ERR", LOG_ERR}, {"WARNING", LOG_WARNING}, {"NOTICE", LOG_NOTICE}, {"INFO", LOG_INFO},
	    {"DEBUG", LOG_DEBUG}};
	int *priority = map->state;

	if (letter == 'D') {
		map->options.is_put_off = true;
		return true;
	}
	if (letter == 'S')
		return false;
	if (letter != 'L') {
		map_add_error(errors, "Illegal option %c map syslog", letter);
		return true;
	}
	if (*value == '\0') /* V8 */
		return true;
	if (text_starts_nocase(value, "LOG_"))
		value += 4;
	for (size_t i = 0; i < sizeof priorities / sizeof priorities[0]; i++) {
		if (text_equal_nocase(value, priorities[i].name)) {
			*priority = priorities[i].priority;
			return true;
		}
	}
	map_add_error(errors, "syslog_map_parseargs: Unknown priority %s", value);
	map->is_invalid = true;
	return true;
}

static bool
declare_syslog(struct map *map, const char *arguments, struct map_errors *errors)
{
	int *priority = ARENA_NEW(map->set->arena, int);

	*priority = LOG_INFO;
	map->state = priority;
	map->options.keeps_quotes = true;
	map_read_options(map, arguments, take_syslog_option, false, errors);
	return !map->is_invalid;
}

static void
lookup_syslog(struct map *map, struct map_call *call)
{
	const int *priority = map->state;

	log_at(0, *priority, "%s: %s",
	    call->hooks->log_id != NULL ? call->hooks->log_id : "NOQUEUE", call->key);
	map_give_literal(map, call, "");
}

const struct map_class map_class_syslog = {.name = "syslog",
    .declare = declare_syslog,
    .lookup = lookup_syslog,
    .rewriting = MAP_REWRITES_NOT};
