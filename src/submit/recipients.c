#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "submit/submission.h"

struct address_list {
	struct arena *arena;
	const char **items;
	size_t count, capacity;
};

static void
take(void *context, const char *address)
{
	struct address_list *list = context;

	if (address[0] == '\0')
		return;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;

		list->items = arena_grow(list->arena, list->items,
		    list->capacity * sizeof *list->items, capacity * sizeof *list->items);
		list->capacity = capacity;
	}
	list->items[list->count++] = arena_strdup(list->arena, address);
}

/* V8, OldStyleHeaders: a list without any of these is cut at blanks. */
static void
split_at_blanks(struct address_list *list, const char *text)
{
	while (*(text = text_skip_space(text)) != '\0') {
		size_t length = strcspn(text, " \t\r\n");

		take(list, arena_memdup(list->arena, text, length));
		text += length;
	}
}

/* V8 keeps recipients of one host together, in the order of the hosts; the detail of a local user counts as one. */
static int
compare_hosts(const char *one, const char *other)
{
	return text_compare_nocase(one + strspn(one, "+"), other + strspn(other, "+"));
}

static bool
is_same(const struct recipient *one, const struct resolved *other)
{
	/* flag u: the mailer tells capitals from small letters */
	bool case_counts = mailer_has(other->mailer, 'u');

	return one->mailer == other->mailer && text_equal_nocase(one->host, other->host) &&
	       (case_counts ? strcmp(one->user, other->user) == 0
			    : text_equal_nocase(one->user, other->user));
}

struct recipient *
submission_find_same(struct envelope *envelope, const struct resolved *resolved)
{
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (is_same(one, resolved))
			return one;
	}
	return NULL;
}

void
submission_insert(struct envelope *envelope, struct recipient *recipient)
{
	struct recipient **link = &envelope->recipients;

	while (*link != NULL && compare_hosts((*link)->host, recipient->host) <= 0)
		link = &(*link)->next;
	recipient->next = *link;
	*link = recipient;
	if (recipient->next == NULL)
		envelope->recipients_end = &recipient->next;
}

const char *
submission_final_address(
    const struct config *config, struct arena *arena, const char *name, const struct mailer *mailer)
{
	char *bare = arena_strdup(arena, submission_bare_address(arena, name));

	/* a source route: the mailbox is what stands behind its colon */
	if (bare[0] == '@' && strchr(bare, ':') != NULL)
		bare = strrchr(bare, ':') + 1;
	/* V8 folds the local part of mailers that do not tell capitals apart */
	if (mailer == NULL || !mailer_has(mailer, 'u'))
		text_to_lower(bare);
	if (strchr(bare, '@') != NULL)
		return arena_printf(arena, "RFC822; %s", bare);
	return arena_printf(
	    arena, "RFC822; %s@%s", bare, config_macro(config, config->macros, "j"));
}

static struct recipient *
add(struct submission *submission, const char *name, const struct mailer *named,
    const struct resolved *resolved)
{
	struct envelope *envelope = submission->envelope;
	struct recipient *recipient = ARENA_NEW(envelope->arena, struct recipient);

	recipient->address = arena_strdup(envelope->arena, name);
	recipient->flags = RECIPIENT_PRIMARY | submission->notify;
	recipient->mailer = resolved->mailer;
	recipient->host = arena_strdup(envelope->arena, resolved->host);
	recipient->user = arena_strdup(envelope->arena, resolved->user);
	recipient->final =
	    submission_final_address(submission->config, envelope->arena, name, named);
	submission_insert(envelope, recipient);
	return recipient;
}

/* V8: what set localaddr made of a name is done for the user of that name, if there is one. */
static void
set_control(struct submission *submission, struct recipient *recipient)
{
	struct alias_user account;

	recipient->control_user = "";
	recipient->control_alias = recipient->address;
	if (!mailer_has(recipient->mailer, 'w') ||
	    !alias_find_user(recipient->user, submission->envelope->arena, &account))
		return;
	recipient->control_user = account.login;
	recipient->control_uid = account.uid;
	recipient->control_gid = account.gid;
	recipient->has_control_ids = true;
}

/* Programs, files and lists may be named by aliases, not by whoever calls. */
static const char *
forbidden_kind(const char *name)
{
	if (name[0] == '|')
		return "programs";
	if (text_starts_nocase(name, ":include:"))
		return ":include:s";
	return name[0] == '/' && strchr(name, '@') == NULL ? "files" : NULL;
}

static void
refuse(struct submission *submission, const char *name, const struct verdict *verdict)
{
	submission_complain(submission, name, verdict);
	submission_refuse(submission, name, verdict);
}

/* -n: the names are taken as they are. */
static enum alias_known
check_name(struct submission *submission, const struct resolved *resolved, bool *is_alias)
{
	struct mailer plain = *resolved->mailer;
	struct alias_result alias;
	struct alias_user account;
	enum alias_known known;

	if (submission->no_aliasing)
		plain.flags.bits['A' / 32] &= ~((uint32_t)1 << 'A' % 32);
	known = alias_check(&submission->rule, submission->no_aliasing ? &plain : resolved->mailer,
	    resolved->host, resolved->user, &alias, &account);
	*is_alias = known == ALIAS_KNOWN_ALIAS;
	return known;
}

/* Queued to be resolved again: a map or the name service gives no answer now. */
static void
add_unresolved(struct submission *submission, const char *name)
{
	struct resolved resolved = {
	    .mailer = submission->config->local_mailer, .host = "", .user = name};

	submission->recipient_count++;
	submission->given_count++;
	submission->given_name = name;
	if (submission_find_same(submission->envelope, &resolved) == NULL)
		add(submission, name, resolved.mailer, &resolved);
}

static void
add_name(struct submission *submission, const char *name)
{
	const char *forbidden = forbidden_kind(name);
	struct arena *arena = submission->envelope->arena;
	int reports = submission->report_count;
	struct resolved resolved, local;
	const struct mailer *named;
	struct recipient *recipient;
	enum alias_known known;
	struct verdict verdict;
	bool is_alias, is_local_rule = false;

	if (forbidden != NULL) {
		verdict = verdict_make(
		    arena, 550, "5.7.1", EX_OK, "Cannot mail directly to %s", forbidden);
		submission->recipient_count += forbidden[0] != ':';
		refuse(submission, name, &verdict);
		return;
	}
	if (!resolve_address(&submission->rule, name, 0, &resolved)) {
		if ((resolved.is_deferred || verdict_is_temporary(&resolved.error)) &&
		    submission->config->local_mailer != NULL) {
			add_unresolved(submission, name);
			return;
		}
		/* mostly the rules' report has said it */
		if (submission->report_count == reports)
			submission_complain(submission, name, &resolved.error);
		submission_refuse(submission, name, &resolved.error);
		return;
	}
	named = resolved.mailer;
	if (submission_follows(submission, named)) {
		submission_follow(submission, name, &resolved);
		return;
	}
	known = check_name(submission, &resolved, &is_alias);
	/* set localaddr works on a name step by step (user+detail, user+*, user) until it has no more to say */
	for (int round = 0;
	     round < LOCALADDR_ROUNDS && !is_alias && mailer_has(resolved.mailer, '5') &&
	     resolve_local(&submission->rule, &resolved, &local);
	     round++) {
		resolved = local;
		is_local_rule = true;
		known = check_name(submission, &resolved, &is_alias);
	}
	if (submission_find_same(submission->envelope, &resolved) != NULL)
		return;
	submission->recipient_count++;
	submission->given_count++;
	submission->given_name = name;
	if (known == ALIAS_UNKNOWN) {
		verdict = verdict_make(arena, 550, "5.1.1", EX_NOUSER, "User unknown");
		refuse(submission, name, &verdict);
		submission_log_unknown(submission, name, NULL, resolved.mailer);
		submission->envelope->status = verdict.text;
		return;
	}
	recipient = add(submission, name, named, &resolved);
	if (is_local_rule)
		set_control(submission, recipient);
}

void
submission_add_list(struct submission *submission, const char *text)
{
	struct address_list list = {.arena = submission->envelope->arena};

	if (submission->config->options.old_style_headers && strpbrk(text, ",;<(\"") == NULL)
		split_at_blanks(&list, text);
	else
		resolve_split_list(text, list.arena, take, &list);
	/* V8 works on a list from its end */
	while (list.count > 0)
		add_name(submission, list.items[--list.count]);
}

/* A list that is cut at blanks goes out with commas. */
static void
add_commas(struct submission *submission, struct header *header)
{
	struct address_list list = {.arena = submission->envelope->arena};
	struct str text = {0};

	if (!submission->config->options.old_style_headers ||
	    strpbrk(header->value, ",;<(\"") != NULL)
		return;
	split_at_blanks(&list, header->value);
	if (list.count < 2)
		return;
	for (size_t i = 0; i < list.count; i++)
		str_printf(&text, "%s %s", i > 0 ? "," : "", list.items[i]);
	header->value = arena_strdup(list.arena, str_text(&text));
	str_free(&text);
}

void
submission_add_from_header(struct submission *submission)
{
	static const char *const names[] = {"to", "cc", "bcc", "apparently-to"};
	const struct header_list *headers = &submission->envelope->headers;
	bool resent = false;

	for (const struct header *one = headers->first; one != NULL && !resent; one = one->next)
		resent = !one->is_default && text_starts_nocase(one->name, "resent-");
	for (struct header *one = headers->first; one != NULL; one = one->next) {
		const char *name = one->name;

		if (one->is_default || one->is_deleted ||
		    text_starts_nocase(name, "resent-") != resent)
			continue;
		name += resent ? strlen("resent-") : 0;
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			if (!text_equal_nocase(name, names[i]))
				continue;
			submission_add_list(submission, one->value);
			add_commas(submission, one);
		}
	}
}
