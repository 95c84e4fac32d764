#include "base/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static unsigned char levels[TRACE_CATEGORIES];
static FILE *output; /* NULL: standard output */

void
trace_set_output(FILE *file)
{
	output = file;
}

FILE *
trace_output(void)
{
	return output != NULL ? output : stdout;
}
static bool muted;

static long
number(const char **text)
{
	long value = 0;

	while (text_is_digit((unsigned char)**text)) {
		if (value < 100000)
			value = 10 * value + (**text - '0');
		(*text)++;
	}
	return value;
}

void
trace_set(const char *switches)
{
	const char *at = switches;

	if (*at == '\0')
		at = "0-99.1";
	while (*at != '\0') {
		long first, last, level = 1;

		if (!text_is_digit((unsigned char)*at)) {
			at++;
			continue;
		}
		first = last = number(&at);
		if (*at == '-') {
			at++;
			last = number(&at);
		}
		if (*at == '.') {
			at++;
			level = number(&at);
		}
		for (long i = first; i <= last && i < TRACE_CATEGORIES; i++)
			levels[i] = (unsigned char)(level < 255 ? level : 255);
		while (*at != '\0' && *at != ',')
			at++;
	}
}

void
trace_mute(bool mute)
{
	muted = mute;
}

bool
trace_on(int category, int level)
{
	return !muted && category < TRACE_CATEGORIES && levels[category] >= level;
}

void
trace_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(trace_output(), format, arguments);
	va_end(arguments);
	fflush(trace_output());
}
