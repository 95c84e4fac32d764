#include "client/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/str.h"

#define OPENING	     (STAGE_BANNER | STAGE_EHLO | STAGE_HELO | STAGE_STARTTLS | STAGE_AUTH)
#define TRANSACTION  (STAGE_MAIL | STAGE_RCPT | STAGE_DATA | STAGE_END)
#define ANY_DIALOGUE (OPENING | TRANSACTION | STAGE_MISC)

/* docs/differences.md shows this table; tests/wire/outcomes.test compares them and plays every row. */
static const struct outcome_row rows[] = {
    {STAGE_RESOLVE, EVENT_TRY_AGAIN, EVENT_TRY_AGAIN, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.4.3",
	NULL},
    {STAGE_RESOLVE, EVENT_NO_NAME, EVENT_NO_NAME, OUTCOME_FAIL, EX_NOHOST, "5.1.2", NULL},
    {STAGE_RESOLVE, EVENT_NO_SMART_HOST, EVENT_NO_SMART_HOST, OUTCOME_END_SESSION, EX_TEMPFAIL,
	"4.4.3", "failed"},
    {STAGE_RESOLVE, EVENT_NULL_MX, EVENT_NULL_MX, OUTCOME_FAIL, EX_UNAVAILABLE, "5.1.10", NULL},
    {STAGE_RESOLVE, EVENT_SMART_NULL_MX, EVENT_SMART_NULL_MX, OUTCOME_END_SESSION, EX_TEMPFAIL,
	"4.1.10", "failed"},
    {STAGE_RESOLVE, EVENT_SELF, EVENT_SELF, OUTCOME_FAIL, EX_CONFIG, "5.3.5", NULL},
    {STAGE_RESOLVE, EVENT_SMART_SELF, EVENT_SMART_SELF, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.3.5",
	"failed"},
    {STAGE_RESOLVE, EVENT_NO_PORT, EVENT_NO_PORT, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.3.5",
	"failed"},
    {STAGE_CONNECT, EVENT_REFUSED, EVENT_REFUSED, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.4.1", NULL},
    {STAGE_CONNECT, EVENT_TIMED_OUT, EVENT_TIMED_OUT, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.4.1",
	NULL},
    {STAGE_TLS, EVENT_HANDSHAKE, EVENT_HANDSHAKE, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.7.0", NULL},
    {STAGE_TLS, EVENT_FORBIDDEN, EVENT_FORBIDDEN, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.7.0",
	"failed, when the rule says 5xx"},
    {STAGE_TLS, EVENT_FORBIDDEN_FOR_GOOD, EVENT_FORBIDDEN_FOR_GOOD, OUTCOME_FAIL, EX_UNAVAILABLE,
	"5.7.0", NULL},
    {STAGE_AUTH, EVENT_NO_MECHANISM, EVENT_NO_MECHANISM, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.3.0",
	NULL},
    {STAGE_AUTH | TRANSACTION, EVENT_LOCAL_FAILURE, EVENT_LOCAL_FAILURE, OUTCOME_END_SESSION,
	EX_TEMPFAIL, "4.3.0", NULL},
    {TRANSACTION, EVENT_NO_CREDENTIALS, EVENT_NO_CREDENTIALS, OUTCOME_DEFER, EX_TEMPFAIL, "4.7.0",
	"failed"},
    {ANY_DIALOGUE, EVENT_TIMED_OUT, EVENT_TIMED_OUT, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.4.2",
	NULL},
    {ANY_DIALOGUE, EVENT_LOST, EVENT_LOST, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.4.2", NULL},
    {ANY_DIALOGUE, EVENT_GARBLED, EVENT_GARBLED, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.5.0", NULL},

    {ANY_DIALOGUE, 421, 421, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.3.2", NULL},
    {OPENING | STAGE_MISC, 200, 299, OUTCOME_GO_ON, EX_OK, "2.0.0", NULL},
    {STAGE_AUTH, 300, 399, OUTCOME_GO_ON, EX_OK, "", NULL},
    {OPENING, 300, 399, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.5.0", NULL},
    {OPENING, 400, 499, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.0.0", NULL},
    {STAGE_EHLO, 500, 599, OUTCOME_TRY_HELO, EX_TEMPFAIL, "4.5.0", NULL},
    {STAGE_AUTH, 500, 599, OUTCOME_NEXT_MECHANISM, EX_TEMPFAIL, "4.7.8",
	"sends without AUTH in the end"},
    {STAGE_BANNER, 500, 599, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.3.0", "failed"},
    {STAGE_HELO, 500, 599, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.5.0", "failed"},
    {STAGE_STARTTLS, 500, 599, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.7.0",
	"goes on in the clear where tls_server permits"},
    {STAGE_MISC, 300, 599, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.0.0", NULL},

    {STAGE_MAIL | STAGE_RCPT | STAGE_END, 200, 299, OUTCOME_GO_ON, EX_OK, "2.0.0", NULL},
    {STAGE_DATA, 300, 399, OUTCOME_GO_ON, EX_OK, "", NULL},
    {TRANSACTION, 200, 399, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.5.0", NULL},
    {TRANSACTION, 400, 499, OUTCOME_DEFER, EX_TEMPFAIL, "4.0.0", NULL},
    {TRANSACTION, 530, 530, OUTCOME_DEFER, EX_TEMPFAIL, "4.7.0", "failed"},
    {TRANSACTION, 534, 535, OUTCOME_DEFER, EX_TEMPFAIL, "4.7.0", "failed"},
    {TRANSACTION, 538, 538, OUTCOME_DEFER, EX_TEMPFAIL, "4.7.0", "failed"},
    {STAGE_MAIL, 501, 501, OUTCOME_FAIL, EX_DATAERR, "5.5.4", NULL},
    {STAGE_MAIL, 550, 550, OUTCOME_FAIL, EX_DATAERR, "5.1.0", NULL},
    {STAGE_MAIL, 553, 553, OUTCOME_FAIL, EX_DATAERR, "5.1.8", NULL},
    {STAGE_RCPT, 550, 551, OUTCOME_FAIL, EX_NOUSER, "5.1.1", NULL},
    {STAGE_RCPT, 553, 553, OUTCOME_FAIL, EX_NOUSER, "5.1.1", NULL},
    {TRANSACTION, 500, 599, OUTCOME_FAIL, EX_UNAVAILABLE, "5.0.0", NULL},
};

static const struct {
	enum client_stage stage;
	const char *name;
} stage_names[] = {
    {STAGE_RESOLVE, "name look-up"},
    {STAGE_CONNECT, "connecting"},
    {STAGE_BANNER, "banner"},
    {STAGE_EHLO, "EHLO"},
    {STAGE_HELO, "HELO"},
    {STAGE_STARTTLS, "STARTTLS"},
    {STAGE_TLS, "TLS"},
    {STAGE_AUTH, "AUTH"},
    {STAGE_MAIL, "MAIL"},
    {STAGE_RCPT, "RCPT"},
    {STAGE_DATA, "DATA"},
    {STAGE_END, "final dot"},
    {STAGE_MISC, "RSET"},
};

static const struct {
	enum outcome_event event;
	const char *name;
} event_names[] = {
    {EVENT_TRY_AGAIN, "no answer from DNS"},
    {EVENT_NO_NAME, "no such domain"},
    {EVENT_NO_SMART_HOST, "no such smart host"},
    {EVENT_NULL_MX, "null MX"},
    {EVENT_SMART_NULL_MX, "null MX of the smart host"},
    {EVENT_SELF, "the host is this one: by MX, by its answer to EHLO"},
    {EVENT_SMART_SELF, "the smart host is this host"},
    {EVENT_NO_PORT, "the mailer's port is unknown"},
    {EVENT_REFUSED, "refused"},
    {EVENT_TIMED_OUT, "timed out"},
    {EVENT_LOST, "connection lost"},
    {EVENT_GARBLED, "no SMTP"},
    {EVENT_HANDSHAKE, "handshake failed"},
    {EVENT_FORBIDDEN, "forbidden by tls_server or tls_rcpt"},
    {EVENT_FORBIDDEN_FOR_GOOD, "forbidden with 5xx, and the host is no smart host"},
    {EVENT_NO_MECHANISM, "no mechanism in common"},
    {EVENT_LOCAL_FAILURE, "failure of ours"},
    {EVENT_NO_CREDENTIALS, "a smart host's 5.7.x to one without credentials"},
};

const struct outcome_row *
outcome_row(size_t index)
{
	return index < sizeof rows / sizeof *rows ? &rows[index] : NULL;
}

const struct outcome_row *
outcome_find(enum client_stage stage, int code_or_event)
{
	static const struct outcome_row unknown = {
	    ~0U, 0, 0, OUTCOME_END_SESSION, EX_TEMPFAIL, "4.5.0", NULL};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if ((rows[i].stages & (unsigned)stage) != 0 && code_or_event >= rows[i].first &&
		    code_or_event <= rows[i].last)
			return &rows[i];
	}
	return &unknown;
}

const char *
outcome_stage_name(enum client_stage stage)
{
	for (size_t i = 0; i < sizeof stage_names / sizeof *stage_names; i++) {
		if (stage_names[i].stage == stage)
			return stage_names[i].name;
	}
	return "?";
}

const char *
outcome_event_name(int code_or_event, char buffer[8])
{
	for (size_t i = 0; i < sizeof event_names / sizeof *event_names; i++) {
		if ((int)event_names[i].event == code_or_event)
			return event_names[i].name;
	}
	snprintf(buffer, 8, "%d", code_or_event % 1000);
	return buffer;
}

const char *
outcome_name(enum outcome outcome)
{
	static const char *const names[] = {
	    [OUTCOME_GO_ON] = "goes on",
	    [OUTCOME_TRY_HELO] = "HELO is tried",
	    [OUTCOME_NEXT_MECHANISM] = "next mechanism; with none left all deferred, session ends",
	    [OUTCOME_END_SESSION] = "all deferred, session ends",
	    [OUTCOME_DEFER] = "deferred",
	    [OUTCOME_FAIL] = "failed",
	};

	return names[outcome];
}

/* The peer's enhanced code, in the class that the verdict has. */
static void
choose_dsn(struct verdict *verdict, const struct outcome_row *row, const struct reply *reply)
{
	snprintf(
	    verdict->dsn, sizeof verdict->dsn, "%s", reply->dsn[0] != '\0' ? reply->dsn : row->dsn);
	if (row->outcome != OUTCOME_GO_ON && verdict->dsn[0] != '\0')
		verdict->dsn[0] = row->outcome == OUTCOME_FAIL ? '5' : '4';
}

struct verdict
outcome_of_reply(struct arena *arena, enum client_stage stage, const struct reply *reply,
    bool has_enhanced_codes)
{
	const struct outcome_row *row = outcome_find(stage, reply->code);
	struct verdict verdict;

	if (row->outcome == OUTCOME_GO_ON)
		verdict = verdict_make(arena, reply->code, "", EX_OK, "%s",
		    has_enhanced_codes ? reply_text_alone(reply) : reply->text);
	else if (row->outcome == OUTCOME_FAIL)
		verdict =
		    verdict_make(arena, reply->code, "", row->exit_status, "%s", reply->first);
	else
		verdict = verdict_make(arena, reply_is(reply, 4) ? reply->code : 451, "",
		    EX_TEMPFAIL, "%s", reply->first);
	choose_dsn(&verdict, row, reply);
	return verdict;
}

struct verdict
outcome_of_event(
    struct arena *arena, enum client_stage stage, enum outcome_event event, const char *format, ...)
{
	const struct outcome_row *row = outcome_find(stage, (int)event);
	struct verdict verdict;
	struct str text = {0};
	va_list arguments;
	int code = row->outcome == OUTCOME_FAIL ? 550 : 451;

	if (event == EVENT_LOST || event == EVENT_TIMED_OUT)
		code = 421;
	va_start(arguments, format);
	str_vprintf(&text, format, arguments);
	va_end(arguments);
	verdict = verdict_make(arena, code, row->dsn, row->exit_status, "%s", str_text(&text));
	str_free(&text);
	return verdict;
}
