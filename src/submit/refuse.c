/* Recipients that are wrong at once: who hears of them, and how. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "route/resolve.h"
#include "submit/dead_letter.h"
#include "submit/submission.h"

void
submission_choose_error_mode(struct submission *submission)
{
	char mode = submission->config->options.error_mode;

	/* V8, p: who is not at this terminal gets mail; who is finds dead.letter */
	submission->mails_errors = mode != 'q';
	if (mode == 'p')
		submission->mails_errors =
		    !dead_letter_is_own(submission->caller_uid, submission->sender.address);
}

/* A queue file may not hold it even for a moment: whoever runs the queue would run a program, or write a file. */
static bool
is_harmless(const char *name)
{
	const char *plain = name + strspn(name, "\"\\ \t");

	return *plain != '|' && *plain != '/' && !text_starts_nocase(plain, ":include:");
}

static void
set_status(const struct submission *submission, struct recipient *one, const char *name,
    const struct verdict *verdict)
{
	struct arena *arena = submission->envelope->arena;

	one->flags |= RECIPIENT_REFUSED;
	one->status = name == NULL ? arena_printf(arena, "%d %s %s", verdict->code, verdict->dsn,
					 verdict->text)
				   : arena_printf(arena, "%d %s %s... %s", verdict->code,
					 verdict->dsn, name, verdict->text);
}

void
submission_refuse(struct submission *submission, const char *name, const struct verdict *verdict)
{
	struct envelope *envelope = submission->envelope;
	/* V8: these say nothing about the name */
	bool is_unknown = strcmp(verdict->dsn, "5.1.1") == 0 || strcmp(verdict->dsn, "5.4.6") == 0;
	struct recipient *one;

	submission->recipient_failed = true;
	submission->refused_name = name;
	submission->last_refused = NULL;
	if (!submission->mails_errors || verdict->code < 500 || verdict->dsn[0] != '5')
		return;
	one =
	    envelope_add_recipient(envelope, is_harmless(name) ? name : SUBMISSION_REFUSED_ADDRESS,
		RECIPIENT_PRIMARY | submission->notify);
	one->mailer = submission->config->local_mailer;
	one->host = "";
	one->user = one->address;
	one->final = submission_final_address(submission->config, envelope->arena, name, NULL);
	submission->last_refused = one;
	set_status(submission, one,
	    is_unknown || strstr(verdict->text, "... ") != NULL ? NULL : name, verdict);
}

void
submission_log_unknown(const struct submission *submission, const char *name, const char *control,
    const struct mailer *mailer)
{
	long delay = (long)(clock_now() - submission->envelope->created);

	log_at(8, LOG_INFO,
	    "%s: to=%s%s%s, delay=%02ld:%02ld:%02ld, mailer=%s, pri=%ld, dsn=5.1.1, "
	    "reply=550 5.1.1 User unknown, stat=User unknown",
	    submission->envelope->id, name, control != NULL ? ", ctladdr=" : "",
	    control != NULL ? control : "", delay / 3600, delay / 60 % 60, delay % 60, mailer->name,
	    submission->envelope->priority);
}

/* One of those that a given name stands for: the report says which. */
void
submission_refuse_member(struct submission *submission, const struct expanded *member,
    const char *given, const char *text)
{
	struct recipient *one;

	submission_refuse(submission, member->address, &member->verdict);
	if (!submission->mails_errors || member->parent == NULL)
		return;
	one = submission->last_refused;
	if (one == NULL)
		return;
	one->control_user = "";
	one->control_alias = member->parent->address;
	one->final =
	    submission_final_address(submission->config, submission->envelope->arena, given, NULL);
	if (text_starts_nocase(member->address, ":include:"))
		one->address = one->user = member->address;
	/* where it stands is of use to whoever has to mend it */
	if (strcmp(member->verdict.dsn, "5.1.1") != 0 || strstr(text, ": line ") != NULL)
		one->status = arena_printf(submission->envelope->arena, "%d %s %s",
		    member->verdict.code, member->verdict.dsn, text);
}

void
submission_refuse_all(struct submission *submission, const struct verdict *verdict)
{
	for (struct recipient *one = submission->envelope->recipients; one != NULL; one = one->next)
		if ((one->flags & RECIPIENT_REFUSED) == 0)
			set_status(submission, one, NULL, verdict);
}

int
submission_keep_refused(struct submission *submission, const struct verdict *message)
{
	struct envelope *envelope = submission->envelope;
	struct recipient **link = &envelope->recipients;
	int count = 0;

	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		const struct verdict *verdict = one->verdict.code != 0 ? &one->verdict : message;

		if (!verdict_is_permanent(verdict) || verdict->dsn[0] != '5')
			continue;
		set_status(submission, one,
		    strcmp(verdict->dsn, "5.1.1") == 0 || verdict == message ? NULL : one->address,
		    verdict);
		one->mailer = submission->config->local_mailer;
		*link = one;
		link = &one->next;
		count++;
	}
	if (count > 0) {
		*link = NULL;
		envelope->recipients_end = link;
	}
	return count;
}

bool
submission_has_refusal(const struct submission *submission)
{
	for (const struct recipient *one = submission->envelope->recipients; one != NULL;
	     one = one->next) {
		if ((one->flags & RECIPIENT_REFUSED) != 0)
			return true;
	}
	return false;
}

static void
count_one(void *context, const char *address)
{
	int *count = context;

	*count += *address != '\0';
}

int
submission_count_errors_to(const struct submission *submission)
{
	const struct header *header = header_find(&submission->envelope->headers, "Errors-To");
	int count = 0;

	if (submission->config->options.use_errors_to && header != NULL)
		resolve_split_list(header->value, submission->envelope->arena, count_one, &count);
	return count;
}

bool
submission_wants_dead_letter(const struct submission *submission)
{
	return submission->envelope->message_size > 0 && !submission->mails_errors &&
	       submission->config->options.error_mode == 'p';
}

int
submission_final_status(const struct submission *submission)
{
	return submission->config->options.error_mode == 'e' ? 0 : submission->exit_status;
}
