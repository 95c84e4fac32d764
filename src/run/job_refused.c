#include <string.h>

#include "base/text.h"
#include "job_private.h"
#include "submit/submission.h"

static void
say_nothing(void *context, const char *message, int exit_status)
{
	(void)context;
	(void)message;
	(void)exit_status;
}

/* "/home/hank/.forward: line 1: NAME... TEXT" */
static const char *
name_in_status(struct job *job, const char *text)
{
	const char *line = strstr(text, ": line "), *end = strstr(text, "... ");

	if (line != NULL && end != NULL && line < end) {
		text = strchr(line + 2, ':');
		text += text != NULL && text[1] == ' ' ? 2 : 0;
	}
	if (end == NULL || text == NULL || text >= end)
		return NULL;
	return arena_memdup(job->envelope->arena, text, (size_t)(end - text));
}

/* Its true name, and what the mailer would have been told: for the report. */
static void
name_refused(struct job *job, struct recipient *recipient, const char *text)
{
	struct rule_context quiet = job->rule;
	struct resolved resolved;
	const char *path;
	char *user;

	if (strcmp(recipient->address, SUBMISSION_REFUSED_ADDRESS) == 0) {
		const char *name = name_in_status(job, text);

		recipient->address = name != NULL ? name : recipient->address;
	}
	quiet.report = say_nothing;
	if (recipient->control_alias == NULL ||
	    !resolve_address(&quiet, recipient->address, 0, &resolved))
		return;
	path = source_include_path(resolved.user);
	user = arena_strdup(job->envelope->arena, path != NULL ? path : resolved.user);
	if (!mailer_has(resolved.mailer, 'u'))
		text_to_lower(user);
	recipient->user = user;
}

/* V8 has a reason of its own for these alone; NULL: the status says it. */
static const char *
reason_of(const struct recipient *recipient, const char *dsn, const char *text)
{
	if (strcmp(dsn, "5.4.6") == 0 && strstr(text, "loop broken") == NULL)
		return "554 5.4.6 Too many hops";
	if (strcmp(dsn, "5.1.1") == 0 && strstr(text, "... ") != NULL)
		return "550 5.1.1 User unknown";
	return strcmp(dsn, "5.4.6") == 0 || strcmp(dsn, "5.1.1") == 0 ? recipient->status : NULL;
}

bool
job_was_refused(struct job *job, struct recipient *recipient)
{
	const char *text = recipient->status;
	char dsn[VERDICT_DSN_SIZE] = "";
	long code;
	char number[4] = "";

	if (text == NULL || strlen(text) < 5 || text[3] != ' ')
		return false;
	memcpy(number, text, 3);
	text += 4;
	if (!text_to_number(number, 500, 599, &code) || !verdict_parse_dsn(&text, dsn))
		return false;
	recipient->verdict = verdict_make(
	    job->envelope->arena, (int)code, dsn, verdict_exit_from_dsn(dsn), "%s", text);
	/* V8 has a reason of its own for these alone */
	recipient->diagnostic = reason_of(recipient, dsn, text);
	name_refused(job, recipient, text);
	job_take_refusal(job, recipient);
	return true;
}
