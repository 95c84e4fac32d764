#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "job_private.h"
#include "route/expand.h"

struct told {
	struct job *job;
	struct expand *expand;
	const char *error; /* the last one */
};

static void
tell(void *context, const char *text, int exit_status)
{
	struct told *told = context;

	if (exit_status <= 0)
		return;
	told->error = text;
	log_at(5, LOG_NOTICE, "%s: %s", told->job->envelope->id, text);
}

/* V8: who was made by an alias, a list or a .forward is not followed once more. */
static bool
was_expanded(const struct recipient *recipient)
{
	return recipient->control_alias != NULL &&
	       strcmp(recipient->control_alias, recipient->address) != 0;
}

static void
settle_whole(struct job *job, struct recipient *recipient, struct verdict verdict)
{
	recipient->verdict = verdict;
	job_settle_recipients(job, &recipient, 1, clock_monotonic_ms());
}

/* One of those that the recipient stands for; an error is settled at once. */
static void
add_member(struct job *job, const struct recipient *whole, const struct expanded *entry)
{
	struct envelope *envelope = job->envelope;
	struct recipient *member = envelope_add_recipient(
	    envelope, entry->address, whole->flags & ~(unsigned)RECIPIENT_PRIMARY);

	member->orcpt = whole->orcpt;
	member->final = whole->final;
	member->alias_of = whole->address;
	member->control_alias = whole->address;
	if (entry->state != EXPANDED_BAD)
		return;
	member->flags |= RECIPIENT_REFUSED;
	member->mailer = entry->resolved.mailer;
	member->host = entry->resolved.host != NULL ? entry->resolved.host : "";
	member->user = entry->resolved.user;
	settle_whole(job, member, entry->verdict);
}

/* How many get it instead; 1 with *is_plain: nobody but the name itself. */
static size_t
count_members(const struct expand *expand, const struct recipient *recipient, bool *is_plain,
    bool *is_temporary)
{
	size_t count = 0;

	*is_plain = true;
	*is_temporary = false;
	for (const struct expanded *one = expand->first; one != NULL; one = one->next) {
		*is_temporary = *is_temporary || one->is_temporary;
		if (one->state == EXPANDED_REPLACED) {
			*is_plain = false;
			continue;
		}
		*is_plain = *is_plain && one->parent == NULL &&
			    strcmp(one->address, recipient->address) == 0;
		count++;
	}
	return count;
}

bool
job_expand_recipient(struct job *job, struct recipient *recipient)
{
	struct told told = {.job = job};
	struct expand expand = {
	    .rules = &job->rule, .say = tell, .context = &told, .log_id = job->envelope->id};
	struct arena *arena = job->envelope->arena;
	bool is_plain, is_temporary;
	size_t count;

	if (!mailer_has(recipient->mailer, 'A') || was_expanded(recipient))
		return false;
	told.expand = &expand;
	expand_list(&expand, recipient->address);
	count = count_members(&expand, recipient, &is_plain, &is_temporary);
	if (is_temporary) {
		settle_whole(job, recipient,
		    verdict_make(
			arena, 451, "4.3.0", EX_TEMPFAIL, "Alias file gives no answer now"));
		return true;
	}
	if (count == 0) {
		settle_whole(job, recipient,
		    verdict_make(arena, 554, "5.4.6", EX_USAGE, "%s",
			told.error != NULL ? told.error : "aliasing/forwarding loop broken"));
		return true;
	}
	if (is_plain)
		return false; /* the mailer says whether it knows him */
	for (const struct expanded *one = expand.first; one != NULL; one = one->next) {
		if (one->state != EXPANDED_REPLACED)
			add_member(job, recipient, one);
	}
	recipient->flags |= RECIPIENT_DONE;
	return true;
}
