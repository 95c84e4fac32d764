/* Who gets a message that is sent to a local name. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "submit/submission.h"

bool
submission_follows(const struct submission *submission, const struct mailer *mailer)
{
	return !submission->is_client && geteuid() == 0 && mailer_has(mailer, 'A');
}

/* What -v tells, and errors. */
static void
say(void *context, const char *text, int exit_status)
{
	struct submission *submission = context;
	struct verdict verdict;

	if (exit_status < 0) {
		if (submission->is_verbose)
			printf("%s\n", text);
		fflush(stdout);
		return;
	}
	verdict = verdict_make(submission->envelope->arena, 550, "5.0.0", exit_status, "%s", text);
	submission_complain(submission, NULL, &verdict);
	submission->told = submission->envelope->status;
}

static const char *
control_of(const struct submission *submission, const struct expanded *entry)
{
	const struct expanded *control = expand_control(entry);

	if (control == NULL)
		return NULL;
	if (control->account != NULL)
		return arena_printf(submission->envelope->arena, "%s (%ld/%ld)", control->address,
		    (long)control->account->uid, (long)control->account->gid);
	return arena_printf(submission->envelope->arena, "%s (%ld/%ld)", control->address,
	    (long)control->control.uid, (long)control->control.gid);
}

static void
refused(void *context, const struct expanded *entry)
{
	struct submission *submission = context;
	const struct mailer *mailer = entry->resolved.mailer;

	/* V8 does not count programs that may not be run */
	if (mailer == NULL || mailer != submission->config->prog_mailer)
		submission->recipient_count++;
	submission_refuse_member(submission, entry, submission->given_name, submission->told);
	if (strcmp(entry->verdict.dsn, "5.1.1") != 0 || mailer == NULL)
		return;
	submission_log_unknown(submission, entry->address, control_of(submission, entry), mailer);
	submission->envelope->status = entry->verdict.text;
}

static void
add_member(struct submission *submission, const struct expanded *entry, const struct mailer *named,
    bool is_only)
{
	struct envelope *envelope = submission->envelope;
	struct recipient *recipient = ARENA_NEW(envelope->arena, struct recipient);

	if (submission_find_same(envelope, &entry->resolved) != NULL)
		return;
	recipient->flags = RECIPIENT_PRIMARY | submission->notify;
	expand_fill(&submission->expand, entry, recipient);
	if (is_only) /* V8: one that takes the place of another takes its report as well */
		recipient->flags |= RECIPIENT_PRIMARY;
	recipient->final = submission_final_address(
	    submission->config, envelope->arena, submission->given_name, named);
	submission_insert(envelope, recipient);
	submission->recipient_count++;
}

/* Is everything known about those that this name stands for? */
static bool
is_certain(const struct expand *expand)
{
	for (const struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->given == expand->given && one->is_temporary)
			return false;
	}
	return true;
}

/* As it is, to be followed when it is delivered to. */
static void
add_unfollowed(struct submission *submission, const char *name, const struct mailer *named)
{
	struct envelope *envelope = submission->envelope;
	struct recipient *recipient = ARENA_NEW(envelope->arena, struct recipient);

	recipient->flags = RECIPIENT_PRIMARY | submission->notify;
	recipient->address = arena_strdup(envelope->arena, name);
	recipient->mailer = named;
	recipient->host = "";
	recipient->user = recipient->address;
	recipient->final =
	    submission_final_address(submission->config, envelope->arena, name, named);
	submission_insert(envelope, recipient);
	submission->recipient_count++;
}

static size_t
count_good(const struct expand *expand)
{
	size_t count = 0;

	for (const struct expanded *one = expand->first; one != NULL; one = one->next)
		count += one->given == expand->given && one->state == EXPANDED_GOOD;
	return count;
}

void
submission_follow(struct submission *submission, const char *name, const struct resolved *resolved)
{
	struct expand *expand = &submission->expand;
	struct verdict loop;

	if (expand->rules == NULL)
		*expand = (struct expand){.rules = &submission->rule,
		    .no_aliasing = submission->no_aliasing,
		    .sender = expand_sender(&submission->rule, submission->envelope->sender),
		    .say = say,
		    .refused = refused,
		    .context = submission,
		    .log_id = submission->envelope->id};
	submission->given_name = arena_strdup(submission->envelope->arena, name);
	expand_resolved(expand, submission->given_name, resolved);
	if (expand->has_reached || expand->has_loop)
		submission->given_count++;
	if (expand->has_loop && !expand->has_reached) {
		loop = verdict_make(submission->envelope->arena, 554, "5.4.6", EX_USAGE, "%s",
		    "aliasing/forwarding loop broken");
		submission_refuse(submission, name, &loop);
		return;
	}
	if (!is_certain(expand)) {
		add_unfollowed(submission, name, resolved->mailer);
		return;
	}
	for (struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->given == expand->given && one->state == EXPANDED_GOOD)
			add_member(submission, one, resolved->mailer, count_good(expand) == 1);
	}
}
