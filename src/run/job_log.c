#include "config.h"

#include "run/job_log.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "submit/finish.h"

/* V8: a longer list of names goes on in a line of its own; some are kept for the head of the line */
enum { LINE_MAXIMUM = 1024, LINE_HEAD = 100 };

void
job_log_interval(struct str *out, long seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds >= 86400)
		str_printf(out, "%ld+", seconds / 86400);
	str_printf(out, "%02ld:%02ld:%02ld", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

void
job_log_status(struct str *out, const struct recipient *recipient)
{
	const struct verdict *verdict = &recipient->verdict;
	const char *text = verdict->text != NULL ? verdict->text : "";

	if (verdict_is_success(verdict)) {
		str_printf(out, *text != '\0' ? "Sent (%s)" : "Sent", text);
	} else if (verdict_is_temporary(verdict)) {
		/* V8 does not call it deferred when the system itself was at fault */
		if (recipient->reply == NULL &&
		    (verdict->exit_status == EX_OSERR || verdict->exit_status == EX_IOERR))
			str_add_text(out, text);
		else if (recipient->reply == NULL && *text == '\0')
			str_add_text(out, "Deferred");
		else
			str_printf(out, "Deferred: %s",
			    recipient->reply != NULL ? recipient->reply : text);
	} else {
		const char *words = verdict_text_from_exit(verdict->exit_status);

		str_add_text(out, recipient->reply != NULL && words != NULL ? words : text);
	}
}

void
job_log_names(struct str *out, struct recipient *const recipients[], size_t count)
{
	for (size_t i = count; i > 0; i--)
		str_printf(out, "%s%s", i == count ? "" : ",", recipients[i - 1]->address);
}

/* Everything of the line behind the names. */
static void
add_tail(struct str *out, const struct job_log *log, const struct recipient *recipient)
{
	const struct verdict *verdict = &recipient->verdict;
	const struct mailer *mailer = recipient->mailer;

	if (log->control != NULL)
		str_printf(out, ", ctladdr=%s", log->control);
	str_add_text(out, ", delay=");
	job_log_interval(out, (long)(clock_now() - log->envelope->created));
	str_add_text(out, ", xdelay=");
	job_log_interval(out, (long)((clock_monotonic_ms() - log->started_ms) / 1000));
	if (mailer != NULL)
		str_printf(out, ", mailer=%s", mailer->name);
	str_printf(out, ", pri=%ld", log->envelope->priority);
	if (recipient->relay != NULL && *recipient->relay != '\0')
		str_printf(out, ", relay=%s", recipient->relay);
	if (verdict->dsn[0] != '\0')
		str_printf(out, ", dsn=%s", verdict->dsn);
	if (recipient->reply != NULL && !verdict_is_success(verdict))
		str_printf(out, ", reply=%s", recipient->reply);
	str_add_text(out, ", stat=");
	job_log_status(out, recipient);
}

static int
level_of(const struct verdict *verdict)
{
	return verdict_is_success(verdict) ? 8 : verdict_is_temporary(verdict) ? 9 : 7;
}

static void
log_lines(const struct job_log *log, struct recipient *const recipients[], size_t count)
{
	struct str names = {0}, tail = {0};
	const struct recipient *one = recipients[0];

	add_tail(&tail, log, one);
	for (size_t i = count; i > 0; i--) {
		str_add_text(&names, names.length == 0 ? "" : ",");
		finish_show_address(&names, recipients[i - 1]->address);
		if (i > 1 && names.length + strlen(recipients[i - 2]->address) + tail.length <
				 LINE_MAXIMUM - LINE_HEAD)
			continue;
		log_at(level_of(&one->verdict), LOG_INFO, "%s: to=%s%s%s", log->envelope->id,
		    str_text(&names), i > 1 ? ", [more]" : "", str_text(&tail));
		str_clear(&names);
	}
	str_free(&names);
	str_free(&tail);
}

void
job_log_delivery(const struct job_log *log, struct recipient *const recipients[], size_t count)
{
	const struct recipient *one = recipients[0];
	struct str text = {0};

	log_lines(log, recipients, count);
	if (log->run->verbose == NULL)
		return;
	if (one->verdict.exit_status == EX_OSERR || one->verdict.exit_status == EX_IOERR) {
		/* V8 names nobody when the system itself was at fault, and says nothing of it at submission */
		if (!log->run->is_submission)
			fprintf(log->run->verbose, "%s\n", one->verdict.text);
		return;
	}
	if (one->reply_is_own && !verdict_is_success(&one->verdict)) /* the client has shown it */
		return;
	/* V8: what is refused for good is for the report, where one goes out */
	if (log->run->is_submission && verdict_is_permanent(&one->verdict) && one->mailer != NULL)
		return;
	if (!verdict_is_permanent(&one->verdict) ||
	    verdict_code_names_recipients(verdict_code_from_exit(one->verdict.exit_status))) {
		job_log_names(&text, recipients, count);
		str_add_text(&text, "... ");
	}
	job_log_status(&text, one);
	fprintf(log->run->verbose, "%s\n", str_text(&text));
	fflush(log->run->verbose);
	str_free(&text);
}

void
job_log_queued(const struct job_log *log, const struct recipient *recipient)
{
	struct str delay = {0}, name = {0};

	job_log_interval(&delay, (long)(clock_now() - log->envelope->created));
	finish_show_address(&name, recipient->address);
	log_at(9, LOG_INFO, "%s: to=%s, delay=%s, mailer=%s, pri=%ld, stat=queued",
	    log->envelope->id, str_text(&name), str_text(&delay), recipient->mailer->name,
	    log->envelope->priority);
	if (log->run->verbose != NULL)
		fprintf(log->run->verbose, "%s... queued\n", recipient->address);
	str_free(&delay);
	str_free(&name);
}
