#include "conf/option.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "option_row.h"
#include "reading.h"

/* -- times -- */

static const struct {
	char letter;
	long seconds;
} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};

static long
unit_seconds(int letter)
{
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (units[i].letter == letter)
			return units[i].seconds;
	}
	return 0;
}

/* a sum that stays at the largest value instead of turning over */
static long
add_limited(long sum, long number, long factor)
{
	return number > (LONG_MAX - sum) / factor ? LONG_MAX : sum + number * factor;
}

long
option_parse_time_lax(const char *text, char unit, void (*bad)(void *, char), void *context)
{
	long total = 0;
	bool is_negative;

	if (text_equal_nocase(text, "now"))
		return 0;
	is_negative = *text == '-';
	text += is_negative;
	while (*text != '\0') {
		long number = 0, seconds = unit_seconds(unit);

		for (; text_is_digit((unsigned char)*text); text++)
			number = add_limited(0, number, 10) > LONG_MAX - 9
				     ? LONG_MAX
				     : number * 10 + (*text - '0');
		if (*text != '\0') {
			if (unit_seconds(*text) > 0)
				seconds = unit_seconds(*text);
			else if (bad != NULL)
				bad(context, *text);
			text++;
		}
		total = add_limited(total, number, seconds);
	}
	return is_negative ? -total : total;
}

struct first_bad {
	char letter;
};

static void
keep_first(void *context, char letter)
{
	struct first_bad *first = context;

	if (first->letter == '\0')
		first->letter = letter;
}

long
option_parse_time(const char *text, char unit, char *bad_unit)
{
	struct first_bad first = {0};
	long seconds = option_parse_time_lax(text, unit, keep_first, &first);

	if (bad_unit != NULL)
		*bad_unit = first.letter;
	return first.letter != '\0' || *text == '\0' ? -1 : seconds;
}

static void
complain_of_unit(void *context, char letter)
{
	config_usage(context, "Invalid time unit `%c'", letter == '$' ? '\001' : letter);
}

long
config_parse_time(struct config *config, const char *text, char unit)
{
	return option_parse_time_lax(text, unit, complain_of_unit, config);
}

/* -- one option -- */

bool
option_is_true(const char *text)
{
	return *text == '\0' || strchr("tTyY", *text) != NULL;
}

static void
set_row(struct config *config, const struct option_row *row, const char *sub, const char *value)
{
	void *field = (char *)&config->options + row->offset;

	switch (row->type) {
	case OPTION_BOOL:
		*(bool *)field = option_is_true(value);
		break;
	case OPTION_INT: {
		long number = config_number(value);

		*(int *)field = number > INT_MAX   ? INT_MAX
				: number < INT_MIN ? INT_MIN
						   : (int)number;
		break;
	}
	case OPTION_LONG:
		*(long *)field = config_number(value);
		break;
	case OPTION_TEXT:
		*(const char **)field = *value != '\0' ? arena_strdup(config->arena, value) : NULL;
		break;
	case OPTION_TIME:
		*(long *)field = config_parse_time(config, value, row->unit);
		break;
	case OPTION_MODE:
		*(mode_t *)field = (mode_t)(strtoul(value, NULL, 8) & 0777);
		break;
	case OPTION_SPECIAL:
		row->set(config, row, sub, value);
		break;
	}
}

/* A name, or the start of one: messages are V8's.  NULL: none, or ambiguous. */
static const struct option_row *
find_by_name(struct config *config, const char *name)
{
	const struct option_row *found = NULL;
	size_t length = strlen(name);

	if (length == 0) {
		config_error(config, EX_SOFTWARE, "readcf: null option name");
		return NULL;
	}
	for (size_t i = 0; i < option_row_count; i++) {
		if (option_rows[i].name != NULL && text_equal_nocase(option_rows[i].name, name))
			return &option_rows[i];
	}
	for (size_t i = 0; i < option_row_count; i++) {
		if (option_rows[i].name == NULL || !text_starts_nocase(option_rows[i].name, name))
			continue;
		if (found != NULL) {
			config_error(config, EX_SOFTWARE,
			    "readcf: ambiguous option name %s (matches %s and %s)", name,
			    found->name, option_rows[i].name);
			return NULL;
		}
		found = &option_rows[i];
	}
	if (found == NULL)
		config_error(config, EX_SOFTWARE, "readcf: unknown option name %s", name);
	else
		config_warn(config, "Option %s used as abbreviation for %s", name, found->name);
	return found;
}

static const struct option_row *
find_by_letter(struct config *config, int letter)
{
	for (size_t i = 0; letter != '\0' && i < option_row_count; i++) {
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	}
	/* V8 reads its own byte there */
	if (letter == '$' && config->reading->file != NULL)
		letter = 0x81;
	config_error(config, EX_SOFTWARE, "readcf: unknown option name 0x%x", letter & 0xff);
	return NULL;
}

/* V8: on the command line a `$` is a dollar. */
static const char *
without_macros(struct config *config, const char *value)
{
	char *text = arena_alloc(config->arena, 2 * strlen(value) + 1), *to = text;

	for (; *value != '\0'; value++) {
		if (*value == '$')
			*to++ = '$';
		*to++ = *value;
	}
	*to = '\0';
	return text;
}

bool
option_set(struct config *config, int letter, const char *name, const char *value,
    enum option_source source)
{
	bool *sticky = config->reading != NULL ? config->reading->sticky : NULL;
	int errors = config->saw_errors;
	const struct option_row *row;
	const char *sub = NULL;

	config->saw_errors = false;
	if (letter != 0 || name == NULL) {
		row = find_by_letter(config, letter);
	} else {
		const char *dot = strchr(name, '.');

		sub = dot != NULL ? dot + 1 : NULL;
		row = find_by_name(config,
		    dot != NULL ? arena_memdup(config->arena, name, (size_t)(dot - name)) : name);
	}
	if (config->reading != NULL)
		config->reading->is_command_line = source != OPTION_FROM_FILE;
	if (row != NULL && source != OPTION_FROM_FILE) {
		if (source == OPTION_FROM_COMMAND_LINE_UNSAFE && !row->is_safe)
			config->used_unsafe_option = true;
		/* options that add up, or have parts, are not settled by one setting of them */
		if (sticky != NULL && row->set != option_set_privacy &&
		    row->set != option_set_timeout)
			sticky[row - option_rows] = true;
		if (row->type == OPTION_TEXT && row->unit == '$')
			value = without_macros(config, value);
		set_row(config, row, sub, value);
	} else if (row != NULL && (sticky == NULL || !sticky[row - option_rows])) {
		set_row(config, row, sub, value);
	}
	letter = config->saw_errors;
	config->saw_errors = letter || errors;
	return row != NULL && !letter;
}

/* `Name = value`, blanks around the sign allowed. */
void
option_set_line(struct config *config, const char *text, enum option_source source)
{
	size_t length = strcspn(text, "="), end = length;

	while (end > 0 && text[end - 1] == ' ')
		end--;
	option_set(config, 0, arena_memdup(config->arena, text, end),
	    text[length] != '\0' ? text_skip_space(text + length + 1) : "", source);
}

/* O lines: `O Name = value`, or `Oxvalue`. */
void
config_read_option(struct config *config, const char *text)
{
	if (*text == ' ')
		option_set_line(config, text + 1, OPTION_FROM_FILE);
	else
		option_set(config, (unsigned char)*text, NULL, *text != '\0' ? text + 1 : "",
		    OPTION_FROM_FILE);
}

void
option_set_defaults(struct config *config)
{
	if (config->reading != NULL && config->reading->sticky == NULL)
		config->reading->sticky = ARENA_ARRAY(config->arena, bool, option_row_count);
	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->default_value != NULL)
			set_row(config, row, NULL, row->default_value);
	}
	option_set_timeout_defaults(config);
	config->options.milter_log_level = -1;
}

bool
option_describe(size_t row, struct option_description *description)
{
	if (row >= option_row_count)
		return false;
	*description = (struct option_description){
	    .name = option_rows[row].name,
	    .letter = option_rows[row].letter,
	    .default_value = option_rows[row].default_value,
	    .documentation = option_rows[row].documentation,
	    .is_safe = option_rows[row].is_safe,
	};
	return true;
}

bool
option_is_idle(const char *name, const char *value)
{
	/* to switch off what is not there needs no effect */
	if (*value == '0' || *value == 'f' || *value == 'F')
		return false;
	if (text_starts_nocase(name, "Timeout."))
		return option_is_idle_timeout(name + strlen("Timeout."));
	for (size_t i = 0; i < option_row_count; i++) {
		if (option_rows[i].name != NULL && text_equal_nocase(option_rows[i].name, name))
			return option_rows[i].is_idle &&
			       (option_rows[i].default_value == NULL ||
				   !text_equal_nocase(option_rows[i].default_value, value));
	}
	return false;
}

const char *
option_name_of(struct arena *arena, const char *text)
{
	size_t length = strcspn(text, "=.");
	const struct option_row *found = NULL;
	char *name;

	if (text[0] != ' ') {
		for (size_t i = 0; text[0] != '\0' && i < option_row_count; i++) {
			if (option_rows[i].letter == text[0])
				return option_rows[i].name;
		}
		return NULL;
	}
	name = arena_memdup(arena, text + 1, length - 1);
	text_trim_end(name);
	for (size_t i = 0; *name != '\0' && i < option_row_count; i++) {
		if (option_rows[i].name == NULL)
			continue;
		if (text_equal_nocase(option_rows[i].name, name)) {
			found = &option_rows[i];
			break;
		}
		if (found == NULL && text_starts_nocase(option_rows[i].name, name))
			found = &option_rows[i];
	}
	if (found == NULL)
		return NULL;
	if (text[length] == '.')
		return arena_printf(arena, "%s.%.*s", found->name,
		    (int)strcspn(text + length + 1, " ="), text + length + 1);
	return found->name;
}
