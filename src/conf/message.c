#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "reading.h"

/* How V8 shows the name of a macro behind its `$`: one byte, without its highest bit. */
static const char *
show_name(struct config *config, const char *name, char **to)
{
	const char *end = strchr(name, '}');
	size_t length = end != NULL ? (size_t)(end - name) - 1 : 0;
	int id, number = 0;

	if (name[0] != '{' || length == 0)
		return name;
	id = macro_id_find(config->names, arena_memdup(config->arena, name + 1, length));
	if (id != MACRO_NONE)
		number = macro_number(config->names, id);
	if (number == 0 || number > UCHAR_MAX)
		return name;
	*(*to)++ = (char)(number & 0x7f);
	return end + 1;
}

const char *
config_show(struct config *config, const char *text)
{
	char *shown = arena_strdup(config->arena, text), *to = shown;

	for (; *text != '\0'; text++) {
		if (text[0] == '$' && text[1] == '$') {
			text++;
		} else if (text[0] == '$' && text[1] != '\0' && strcmp(text, "$\"") != 0) {
			/* at the end of a line, quoted or not, it is a dollar */
			const char *name = text + 1;

			*to++ = '\001';
			if (strchr("&=~?", *name) != NULL)
				*to++ = *name++;
			text = show_name(config, name, &to) - 1;
			continue;
		}
		*to++ = *text;
	}
	*to = '\0';
	return shown;
}

static void
report(struct config *config, const char *message, enum config_message kind)
{
	const struct config_request *request =
	    config->reading != NULL ? config->reading->request : NULL;

	if (request != NULL && request->report != NULL)
		request->report(request->report_context, message, kind);
}

static void
report_at_line(struct config *config, const char *text, enum config_message kind)
{
	const struct config_reading *reading = config->reading;
	struct str message = {0};

	if (reading != NULL && reading->file != NULL)
		str_printf(&message, "%s: line %d: ", reading->file, reading->line_number);
	str_add_text(&message, text);
	report(config, message.data, kind);
	str_free(&message);
}

static void
note_status(struct config *config, int status)
{
	if (status == EX_OK)
		return;
	/* V8: the first error's status stays, save what ends the program */
	if (config->error_status == EX_OK || status == EX_CONFIG || status == EX_USAGE)
		config->error_status = status;
	config->saw_errors = true;
}

/* V8: messages have no bytes above 127. */
static void
drop_high_bits(struct str *text)
{
	for (size_t i = 0; i < text->length; i++)
		text->data[i] = (char)(text->data[i] & 0x7f);
}

void
config_error_lines(struct config *config, int status, const char *text)
{
	struct str line = {0};

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		str_clear(&line);
		str_add(&line, text, length);
		drop_high_bits(&line);
		report_at_line(config, line.data, CONFIG_ERROR);
		text += length + (text[length] == '\n');
	}
	str_free(&line);
	note_status(config, status);
}

/*
 * A message as V8 prints it.  What it quotes of the file has V8's own bytes in it; a `$` in the words
 * themselves is one.
 */
static void
format(struct config *config, struct str *text, const char *words, va_list arguments)
{
	str_vprintf(text, words, arguments);
	if (config->reading == NULL || config->reading->file == NULL)
		return;
	if (strchr(words, '$') == NULL && strchr(str_text(text), '$') != NULL) {
		const char *shown = config_show(config, str_text(text));

		str_clear(text);
		str_add_text(text, shown);
	}
	drop_high_bits(text);
}

void
config_error(struct config *config, int status, const char *words, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, words);
	format(config, &text, words, arguments);
	va_end(arguments);
	report_at_line(config, str_text(&text), CONFIG_ERROR);
	note_status(config, status);
	str_free(&text);
}

void
config_warn(struct config *config, const char *words, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, words);
	format(config, &text, words, arguments);
	va_end(arguments);
	report_at_line(config, str_text(&text), CONFIG_WARNING);
	str_free(&text);
}

void
config_usage(struct config *config, const char *words, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, words);
	format(config, &text, words, arguments);
	va_end(arguments);
	report_at_line(config, str_text(&text), CONFIG_USAGE);
	config->saw_usage_errors = true;
	config->has_wrong_setting |= config->reading->file == NULL;
	str_free(&text);
}

void
config_print(struct config *config, const char *format, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	report(config, str_text(&text), CONFIG_PLAIN);
	str_free(&text);
}

void
config_note(struct config *config, int status, const char *words, ...)
{
	struct str text = {0};
	va_list arguments;

	va_start(arguments, words);
	format(config, &text, words, arguments);
	va_end(arguments);
	report(config, str_text(&text), status == EX_OK ? CONFIG_WARNING : CONFIG_ERROR);
	note_status(config, status);
	str_free(&text);
}
