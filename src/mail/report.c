#include "mail/report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/date.h"
#include "base/text.h"

enum { READ_SIZE = 32 * 1024 };

static const char warning_box[] = "    **********************************************\n"
				  "    **      THIS IS A WARNING MESSAGE ONLY      **\n"
				  "    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n"
				  "    **********************************************\n\n";

/* By enum report_action: what machines and what people read. */
static const struct {
	const char *action, *words;
} actions[] = {
    [REPORT_NOTHING] = {NULL, NULL},
    [REPORT_FAILED] = {"failed", NULL},
    [REPORT_DELAYED] = {"delayed", NULL},
    [REPORT_DELIVERED] = {"delivered (to mailbox)", "successfully delivered to mailbox"},
    [REPORT_DELIVERED_LIST] = {"delivered (to mailing list)",
	"successfully delivered to mailing list"},
    [REPORT_RELAYED] = {"relayed (to non-DSN-aware mailer)", "relayed to non-DSN-aware mailer"},
    [REPORT_EXPANDED] = {"expanded (to multi-recipient alias)", "expanded by alias"},
};

static void
add_clean(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		str_add_char(out, byte == '\n' || byte == '\r' || byte == '\t' ? ' '
				  : byte < ' ' || byte == 127		       ? '?'
									       : *text);
	}
}

static void
add_field(struct str *out, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	str_printf(out, "%s: ", name);
	add_clean(out, value);
	str_add_char(out, '\n');
}

static int
hex_digit(char byte)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = byte != '\0' ? strchr(digits, byte) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

void
report_add_xtext(struct str *out, const char *xtext)
{
	for (; *xtext != '\0'; xtext++) {
		int high = *xtext == '+' ? hex_digit(xtext[1]) : -1;
		int low = high >= 0 ? hex_digit(xtext[2]) : -1;

		if (low < 0) {
			str_add_char(out, *xtext);
			continue;
		}
		if (high != 0 || low != 0) /* a C string has no room for a NUL byte */
			str_add_char(out, (char)(high * 16 + low));
		xtext += 2;
	}
}

static void
add_xtext_field(struct str *out, const char *name, const char *value)
{
	struct str text = {0};

	if (value == NULL)
		return;
	report_add_xtext(&text, value);
	add_field(out, name, str_text(&text));
	str_free(&text);
}

/* "rfc822;x+2By@z": the type is none, what follows is xtext. */
static void
add_original(struct str *out, const char *orcpt)
{
	const char *semicolon = orcpt != NULL ? strchr(orcpt, ';') : NULL;
	struct str text = {0};

	if (semicolon == NULL)
		return;
	str_add(&text, orcpt, (size_t)(semicolon + 1 - orcpt));
	report_add_xtext(&text, semicolon + 1);
	add_field(out, "Original-Recipient", str_text(&text));
	str_free(&text);
}

static void
add_date(struct str *out, const char *name, time_t when)
{
	char text[DATE_RFC822_SIZE];

	date_rfc822(when, text);
	add_field(out, name, text);
}

static void
add_name(struct str *out, const struct report_recipient *one)
{
	const char *words = actions[one->action].words;

	add_clean(out, one->name);
	if (words != NULL)
		str_printf(out, "  (%s)", words);
	str_add_char(out, '\n');
	if (one->action == REPORT_FAILED && one->reason != NULL) {
		str_add_text(out, "    (reason: ");
		add_clean(out, one->reason);
		str_add_text(out, ")\n");
	}
	if (one->alias != NULL) {
		str_add_text(out, "    (expanded from: ");
		add_clean(out, one->alias);
		str_add_text(out, ")\n");
	}
}

/* Failures, or what came through: a heading and the names under it. */
static void
add_names(struct str *out, const struct report *report, bool failures, const char *heading)
{
	bool is_first = true;

	for (size_t i = 0; i < report->recipient_count; i++) {
		const struct report_recipient *one = &report->recipients[i];

		if (failures ? one->action != REPORT_FAILED : actions[one->action].words == NULL)
			continue;
		if (is_first)
			str_printf(out, "   ----- The following addresses had %s -----\n", heading);
		is_first = false;
		add_name(out, one);
	}
	if (!is_first)
		str_add_char(out, '\n');
}

/* What people read. */
static void
add_explanation(struct str *out, const struct report *report)
{
	char arrived[DATE_RFC822_SIZE];

	date_rfc822(report->arrived, arrived);
	if (report->is_warning)
		str_add_text(out, warning_box);
	str_printf(out, "The original message was received at %s\nfrom ", arrived);
	add_clean(out, report->received_from);
	str_add_char(out, '\n');
	if (report->with_id != NULL)
		str_printf(out, "with id %s\n", report->with_id);
	str_add_char(out, '\n');
	if (report->introduction != NULL)
		str_printf(out, "%s\n", report->introduction);
	add_names(out, report, true, "permanent fatal errors");
	add_names(out, report, false, "successful delivery notifications");
	if (*report->transcript != '\0')
		str_printf(
		    out, "   ----- Transcript of session follows -----\n%s\n", report->transcript);
}

static void
add_recipient(struct str *out, const struct report *report, const struct report_recipient *one)
{
	if (one->action == REPORT_NOTHING)
		return;
	str_add_char(out, '\n');
	add_original(out, one->original);
	add_field(out, "Final-Recipient", one->final);
	add_field(out, "X-Actual-Recipient", one->actual);
	add_field(out, "Action", actions[one->action].action);
	add_field(out, "Status", one->status);
	add_field(out, "Remote-MTA", one->remote);
	add_field(out, "Diagnostic-Code", one->diagnostic);
	add_date(out, "Last-Attempt-Date", report->attempted);
	if (one->action == REPORT_DELAYED && one->retry_until != 0)
		add_date(out, "Will-Retry-Until", one->retry_until);
}

/* What machines read: RFC 3464. */
static void
add_status(struct str *out, const struct report *report)
{
	add_xtext_field(out, "Original-Envelope-Id", report->envid);
	str_printf(out, "Reporting-MTA: dns; %s\n", report->reporting_mta);
	add_field(out, "Received-From-MTA", report->received_mta);
	add_date(out, "Arrival-Date", report->arrived);
	if (report->deliver_by != 0)
		add_date(out, "Deliver-By-Date", report->deliver_by);
	for (size_t i = 0; i < report->recipient_count; i++)
		add_recipient(out, report, &report->recipients[i]);
}

/* One of the heads between parts; `type` NULL: none is named. */
static void
add_boundary(struct str *out, const struct report *report, const char *type)
{
	str_printf(out, "--%s\n", report->boundary);
	if (type != NULL)
		str_printf(out, "Content-Type: %s\n", type);
}

/* V8: a line that mailboxes would take for the start of a message is marked, whoever gets the report. */
static void
add_body_bytes(struct str *out, const char *bytes, size_t length, size_t left, bool *is_line_start)
{
	for (size_t i = 0; i < length; i++) {
		if (*is_line_start && left - i >= 5 && strncmp(bytes + i, "From ", 5) == 0)
			str_add_char(out, '>');
		*is_line_start = bytes[i] == '\n';
		str_add_char(out, bytes[i]);
	}
}

static bool
write_out(const struct report *report, struct str *out)
{
	bool done = report->write(report->context, str_text(out), out->length);

	str_clear(out);
	return done;
}

/* The original's body, ended by a line end. */
static bool
write_body(const struct report *report, struct str *out)
{
	char bytes[READ_SIZE + 5];
	bool is_line_start = true;
	off_t at = 0;

	while (report->body_fd >= 0) {
		ssize_t got = pread(report->body_fd, bytes, sizeof bytes, at);
		size_t usable;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		/* five bytes stay behind, to recognise "From " whole */
		usable = got > READ_SIZE ? READ_SIZE : (size_t)got;
		add_body_bytes(out, bytes, usable, (size_t)got, &is_line_start);
		at += (off_t)usable;
		if (!write_out(report, out))
			return false;
		if (got <= READ_SIZE)
			break;
	}
	/* V8: a body without a last line end gets one, and no empty line behind it */
	str_add_char(out, '\n');
	return true;
}

static bool
write_original(const struct report *report, struct str *out)
{
	str_add_char(out, '\n');
	str_add(out, report->header, report->header_length);
	if (!report->returns_body) {
		str_add_char(out, '\n');
		return true;
	}
	str_add_char(out, '\n');
	return write_body(report, out);
}

static bool
write_mime(const struct report *report, struct str *out)
{
	str_add_text(out, "This is a MIME-encapsulated message\n\n");
	add_boundary(out, report, NULL);
	str_add_char(out, '\n');
	add_explanation(out, report);
	add_boundary(out, report, "message/delivery-status");
	str_add_char(out, '\n');
	add_status(out, report);
	str_add_char(out, '\n');
	add_boundary(out, report, report->returns_body ? "message/rfc822" : "text/rfc822-headers");
	if (report->is_8bit)
		str_add_text(out, "Content-Transfer-Encoding: 8bit\n");
	if (!write_original(report, out))
		return false;
	str_printf(out, "--%s--\n\n", report->boundary);
	return write_out(report, out);
}

static bool
write_plain(const struct report *report, struct str *out)
{
	add_explanation(out, report);
	str_printf(out, "   ----- %s -----\n",
	    report->returns_body ? "Original message follows" : "Message header follows");
	return write_original(report, out) && write_out(report, out);
}

bool
report_write(const struct report *report)
{
	struct str out = {0};
	bool done = report->is_mime ? write_mime(report, &out) : write_plain(report, &out);

	str_free(&out);
	return done;
}

void
report_interval(struct str *out, long seconds)
{
	static const struct {
		long seconds;
		const char *name;
	} units[] = {
	    {604800, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	bool is_first = true;

	if (seconds <= 0) {
		str_add_text(out, "too long");
		return;
	}
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		long count = seconds / units[i].seconds;

		if (count == 0)
			continue;
		seconds -= count * units[i].seconds;
		str_printf(out, "%s%ld %s%s", is_first ? "" : ", ", count, units[i].name,
		    count == 1 ? "" : "s");
		is_first = false;
	}
}
