#include "mail/verdict.h"

#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"

/*
 * V8: DSN, words and reply code of each exit status, as a local mailer that ends with it makes
 * them in the log.
 */
static const struct status_row {
	int exit_status, code;
	const char *dsn, *text;
} status_rows[] = {
    {EX_OK, 250, "2.0.0", "Sent"},
    {EX_USAGE, 500, "5.0.0", "Command line usage error"},
    {EX_DATAERR, 501, "5.6.0", "Data format error"},
    {EX_NOINPUT, 550, "5.3.0", "Cannot open input"},
    {EX_NOUSER, 550, "5.1.1", "User unknown"},
    {EX_NOHOST, 550, "5.1.2", "Host unknown"},
    {EX_UNAVAILABLE, 554, "5.0.0", "Service unavailable"},
    {EX_SOFTWARE, 554, "5.3.0", "Internal error"},
    {EX_OSERR, 451, "4.0.0", "Operating system error"},
    {EX_OSFILE, 554, "5.3.5", "System file missing"},
    {EX_CANTCREAT, 550, "5.0.0", "Can't create output"},
    {EX_IOERR, 451, "4.0.0", "I/O error"},
    {EX_TEMPFAIL, 450, "4.0.0", "Deferred"},
    {EX_PROTOCOL, 554, "5.5.0", "Remote protocol error"},
    {EX_NOPERM, 550, "5.0.0", "Insufficient permission"},
    {EX_CONFIG, 554, "5.3.5", "Local configuration error"},
};

/*
 * V8: exit status of `$#error $@ 5.subject.detail`.  -1 stands for every detail that is not listed
 * for its subject; a subject without rows is EX_UNAVAILABLE.
 */
static const struct dsn_row {
	int subject, detail, exit_status;
} dsn_rows[] = {
    {1, 0, EX_DATAERR},
    {1, 1, EX_NOUSER},
    {1, 2, EX_NOHOST},
    {1, 3, EX_USAGE},
    {1, 5, EX_CONFIG},
    {1, 6, EX_NOUSER},
    {1, 7, EX_USAGE},
    {1, 8, EX_NOHOST},
    {2, 3, EX_DATAERR},
    {3, -1, EX_OSERR},
    {4, 0, EX_IOERR},
    {4, 1, EX_TEMPFAIL},
    {4, 2, EX_IOERR},
    {4, 3, EX_TEMPFAIL},
    {4, 4, EX_PROTOCOL},
    {4, 5, EX_TEMPFAIL},
    {4, 6, EX_CONFIG},
    {5, -1, EX_PROTOCOL},
    {7, -1, EX_DATAERR},
};

static const struct status_row *
find_status(int exit_status)
{
	for (size_t i = 0; i < sizeof status_rows / sizeof *status_rows; i++) {
		if (status_rows[i].exit_status == exit_status)
			return &status_rows[i];
	}
	return NULL;
}

/* Length of a DSN ("5.1.1") at the start of the text, 0 when there is none. */
static size_t
scan_dsn(const char *text, int part[3])
{
	size_t at = 0;

	for (int i = 0; i < 3; i++) {
		size_t digits = 0;

		part[i] = 0;
		if (i > 0 && text[at++] != '.')
			return 0;
		for (; digits < 4 && text_is_digit((unsigned char)text[at]); digits++)
			part[i] = 10 * part[i] + (text[at++] - '0');
		if (digits == 0 || digits > 3)
			return 0;
	}
	return part[0] == 2 || part[0] == 4 || part[0] == 5 ? at : 0;
}

static void
clean(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		unsigned char byte = (unsigned char)*from;

		if (byte == '\r' && from[1] == '\n')
			continue;
		*to++ = byte == '\n' || byte == '\r' || byte == '\t' ? ' '
			: byte < ' ' || byte == 127		     ? '?'
								     : *from;
	}
	*to = '\0';
	text_trim_end(text);
}

struct verdict
verdict_make(
    struct arena *arena, int code, const char *dsn, int exit_status, const char *format, ...)
{
	struct verdict verdict = {.code = code, .exit_status = exit_status};
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = arena_vprintf(arena, format, arguments);
	va_end(arguments);
	clean(text);
	verdict.text = text;
	if (dsn != NULL)
		text_copy(verdict.dsn, sizeof verdict.dsn, dsn);
	return verdict;
}

bool
verdict_is_success(const struct verdict *verdict)
{
	return verdict->code >= 200 && verdict->code < 300;
}

bool
verdict_is_temporary(const struct verdict *verdict)
{
	return verdict->code >= 400 && verdict->code < 500;
}

bool
verdict_is_permanent(const struct verdict *verdict)
{
	return verdict->code >= 500 && verdict->code < 600;
}

int
verdict_exit_from_dsn(const char *dsn)
{
	int part[3];

	if (scan_dsn(dsn, part) == 0)
		return EX_UNAVAILABLE;
	if (part[0] == 2)
		return EX_OK;
	if (part[0] == 4)
		return EX_TEMPFAIL;
	for (size_t i = 0; i < sizeof dsn_rows / sizeof *dsn_rows; i++) {
		if (dsn_rows[i].subject == part[1] &&
		    (dsn_rows[i].detail == -1 || dsn_rows[i].detail == part[2]))
			return dsn_rows[i].exit_status;
	}
	return EX_UNAVAILABLE;
}

int
verdict_exit_from_code(int code)
{
	if (code >= 200 && code < 300)
		return EX_OK;
	if (code >= 400 && code < 500)
		return EX_TEMPFAIL;
	if (code == 550 || code == 551 || code == 553)
		return EX_NOUSER;
	if (code >= 500 && code < 600)
		return EX_UNAVAILABLE;
	return EX_PROTOCOL;
}

bool
verdict_knows_exit(int exit_status)
{
	return find_status(exit_status) != NULL;
}

const char *
verdict_dsn_from_exit(int exit_status)
{
	const struct status_row *row = find_status(exit_status);

	return row != NULL ? row->dsn : "5.3.0";
}

const char *
verdict_text_from_exit(int exit_status)
{
	const struct status_row *row = find_status(exit_status);

	return row != NULL ? row->text : "unknown mailer error";
}

bool
verdict_code_names_recipients(int code)
{
	return code == 450 || code == 550 || code == 551 || code == 553;
}

int
verdict_code_from_exit(int exit_status)
{
	const struct status_row *row = find_status(exit_status);

	return row != NULL ? row->code : 554;
}

bool
verdict_parse_dsn(const char **text, char dsn[VERDICT_DSN_SIZE])
{
	int part[3];
	size_t length = scan_dsn(*text, part);

	if (length == 0 || length >= VERDICT_DSN_SIZE ||
	    ((*text)[length] != '\0' && (*text)[length] != ' ' && (*text)[length] != '\t'))
		return false;
	memcpy(dsn, *text, length);
	dsn[length] = '\0';
	*text = text_skip_space(*text + length);
	return true;
}
