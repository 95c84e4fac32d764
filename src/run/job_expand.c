#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "job_private.h"
#include "route/expand.h"
#include "submit/clone.h"

/* What the recipients of one message are made of.  Duplicates are found among all of them. */
struct job_expansion {
	struct expand expand;
	const char *error; /* the last one */
};

static void
tell(void *context, const char *text, int exit_status)
{
	struct job *job = context;

	if (exit_status < 0 && job->run->verbose != NULL && !job->run->is_first_attempt)
		fprintf(job->run->verbose, "%s\n", text);
	if (exit_status <= 0)
		return;
	job->expansion->error = text;
	log_at(5, LOG_NOTICE, "%s: %s", job->envelope->id, text);
}

static bool
read_source(void *context, const struct source *chain, size_t count, struct arena *arena,
    struct source_text *text)
{
	struct job *job = context;

	return spawn_read_source(job->run->spawner, chain, count, arena, text);
}

static struct expand *
get_expand(struct job *job)
{
	struct arena *arena = job->envelope->arena;

	if (job->expansion == NULL) {
		job->expansion = ARENA_NEW(arena, struct job_expansion);
		job->expansion->expand = (struct expand){.rules = &job->rule,
		    .sender = expand_sender(&job->rule, job->envelope->sender),
		    .say = tell,
		    .context = job,
		    .log_id = job->envelope->id,
		    .read = read_source,
		    .read_context = job};
	}
	return &job->expansion->expand;
}

/* V8: who was made by an alias, a list or a .forward is not followed once more. */
static bool
was_expanded(const struct recipient *recipient)
{
	return recipient->control_alias != NULL &&
	       (strcmp(recipient->control_alias, recipient->address) != 0 ||
		   (recipient->flags & RECIPIENT_ALIAS) != 0);
}

static void
settle_whole(struct job *job, struct recipient *recipient, struct verdict verdict)
{
	recipient->verdict = verdict;
	job_settle_recipients(job, &recipient, 1, clock_monotonic_ms());
}

/* One of those that the recipient stands for; an error is settled at once. */
static void
add_member(
    struct job *job, const struct recipient *whole, const struct expanded *entry, bool is_only)
{
	/* V8, RFC 3461 6.2.7.3: one that takes the place of another takes its report as well */
	bool is_primary = (whole->flags & RECIPIENT_PRIMARY) != 0 && is_only;
	struct recipient *member =
	    envelope_add_recipient(job->envelope, entry->address, whole->flags);

	expand_fill(&job->expansion->expand, entry, member);
	member->orcpt = whole->orcpt;
	member->final = whole->final;
	member->alias_of = whole->address;
	if (entry->parent != NULL)
		member->named_by = entry->parent->address;
	if (is_primary)
		member->flags |= RECIPIENT_PRIMARY;
	if (entry->state != EXPANDED_BAD)
		return;
	member->flags |= RECIPIENT_REFUSED;
	settle_whole(job, member, entry->verdict);
}

/* The sender who wants to know of success hears that it went to several. */
static void
note_expansion(
    struct job *job, const struct recipient *recipient, size_t count, const struct expand *expand)
{
	for (const struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->given == expand->given && expand_owner(one) != NULL)
			return; /* V8: a list with an owner has its own messages */
	}
	if (count < 2 || (recipient->flags & RECIPIENT_NOTIFY_SUCCESS) == 0 ||
	    (job->run->config->options.privacy & PRIVACY_NO_RECEIPTS) != 0)
		return;
	job->was_expanded = true;
	str_printf(&job->transcript, "%s... expanded to multiple addresses\n", recipient->address);
}

struct members {
	size_t count, replaced;
	bool is_plain; /* nobody but the name itself */
	bool is_temporary;
};

static struct members
count_members(const struct expand *expand, const struct recipient *recipient)
{
	struct members members = {.is_plain = true};

	for (const struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->given != expand->given)
			continue;
		members.is_temporary = members.is_temporary || one->is_temporary;
		if (one->state == EXPANDED_REPLACED) {
			members.is_plain = false;
			members.replaced++;
			continue;
		}
		members.is_plain = members.is_plain && one->parent == NULL && !one->is_self &&
				   strcmp(one->address, recipient->address) == 0;
		members.count++;
	}
	return members;
}

bool
job_expand_recipient(struct job *job, struct recipient *recipient)
{
	struct arena *arena = job->envelope->arena;
	struct expand *expand;
	struct members members;

	if (!mailer_has(recipient->mailer, 'A') || was_expanded(recipient))
		return false;
	expand = get_expand(job);
	job->expansion->error = NULL;
	expand_list(expand, recipient->address);
	members = count_members(expand, recipient);
	if (members.is_temporary) {
		settle_whole(job, recipient,
		    verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
			"An alias, list or .forward cannot be read now"));
		return true;
	}
	if (members.count == 0 && !expand->has_reached) {
		settle_whole(job, recipient,
		    verdict_make(arena, 554, "5.4.6", EX_USAGE, "%s",
			job->expansion->error != NULL ? job->expansion->error
						      : "aliasing/forwarding loop broken"));
		return true;
	}
	if (members.count > 0 && members.is_plain)
		return false; /* the mailer says whether it knows him */
	note_expansion(job, recipient, members.count, expand);
	for (const struct expanded *one = expand->first; one != NULL; one = one->next) {
		if (one->given == expand->given && one->state != EXPANDED_REPLACED)
			add_member(job, recipient, one, members.count == 1);
	}
	recipient->flags |= RECIPIENT_DONE;
	return true;
}

/* The address behind "RFC822; ". */
static const char *
final_address(const struct recipient *recipient)
{
	const char *semicolon = recipient->final != NULL ? strchr(recipient->final, ';') : NULL;

	return semicolon != NULL ? text_skip_space(semicolon + 1) : recipient->control_alias;
}

/*
 * A program or file of a queued message: what names it is looked for once more, since nobody
 * believes a control file that somebody else than root could have written.
 */
static const struct expanded *
find_again(struct job *job, const struct recipient *recipient, const char *address)
{
	struct expand again = {.rules = &job->rule,
	    .say = tell,
	    .context = job,
	    .log_id = job->envelope->id,
	    .read = read_source,
	    .read_context = job};

	get_expand(job); /* where tell puts errors */
	if (address == NULL)
		return NULL;
	expand_list(&again, address);
	for (const struct expanded *one = again.first; one != NULL; one = one->next) {
		if (one->state == EXPANDED_GOOD && one->parent != NULL &&
		    one->resolved.mailer == recipient->mailer &&
		    strcmp(one->address, recipient->address) == 0 &&
		    (recipient->control_alias == NULL ||
			text_equal_nocase(one->parent->address, recipient->control_alias) ||
			address == recipient->control_alias))
			return one;
	}
	return NULL;
}

void
job_find_chain(struct job *job, struct recipient *recipient)
{
	struct source *chain;
	const struct expanded *found;

	if (recipient->chain_count > 0)
		return;
	found = find_again(job, recipient, final_address(recipient));
	if (found == NULL)
		found = find_again(job, recipient, recipient->control_alias);
	if (found == NULL)
		return;
	chain = ARENA_ARRAY(job->envelope->arena, struct source, SOURCES_MAXIMUM);
	recipient->chain_count = expand_chain(found, chain);
	recipient->chain = chain;
}

/* They could not be queued as a message of their own: their lists stay, and wait. */
static void
put_back(struct job *job, int error)
{
	struct arena *arena = job->envelope->arena;
	struct verdict verdict = verdict_make(arena, 452, "4.3.0", EX_TEMPFAIL,
	    "Cannot make a message for the owner of the list: %s", strerror(error));

	for (struct recipient *one = job->envelope->recipients; one != NULL; one = one->next) {
		struct recipient *whole = job->envelope->recipients;

		if (one->owner == NULL || (one->flags & (RECIPIENT_DONE | RECIPIENT_REFUSED)) != 0)
			continue;
		one->flags |= RECIPIENT_DONE;
		while (whole != NULL && whole->address != one->alias_of)
			whole = whole->next;
		if (whole == NULL || (whole->flags & RECIPIENT_DONE) == 0)
			continue;
		whole->flags &= ~(unsigned)RECIPIENT_DONE;
		settle_whole(job, whole, verdict);
	}
}

void
job_split_lists(struct job *job)
{
	struct run_context *run = job->run;
	struct clones clones;

	clone_make(job->envelope, &clones);
	if (clones.count == 0)
		return;
	if (clone_commit(run->queue, job->envelope, &clones, job->envelope->body_fd) < 0) {
		put_back(job, errno);
	} else {
		clone_leave(job->envelope);
		/* a crash from here on sends nobody a second copy */
		if (queue_rewrite(run->queue, job->envelope) < 0)
			log_at(0, LOG_CRIT, "%s: SYSERR: cannot rewrite the queue file",
			    job->envelope->id);
		for (size_t i = clones.count; i > 0 && run->queued != NULL; i--)
			run->queued(run->callback_context, clones.envelopes[i - 1]->id);
	}
	clone_destroy(&clones);
}
