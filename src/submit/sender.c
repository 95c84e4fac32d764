#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "submit/submission.h"

void
submission_complain(struct submission *submission, const char *name, const struct verdict *verdict)
{
	struct arena *arena = submission->envelope->arena;
	const char *text =
	    name == NULL ? verdict->text : arena_printf(arena, "%s... %s", name, verdict->text);

	submission->report_count++;
	if (submission->says_errors)
		fprintf(stderr, "%s\n", text);
	if (!submission->is_about_sender)
		log_at(5, LOG_NOTICE, "%s: %s", submission->envelope->id, text);
	submission->envelope->status = text;
	/* what may be right later is queued; nobody is told that it failed */
	if (verdict->exit_status == EX_TEMPFAIL)
		return;
	submission->has_failed = true;
	/* V8: the first that is known to be wrong counts, a mere fault of syntax gives way */
	if (submission->exit_status == EX_OK || submission->has_weak_status) {
		submission->exit_status =
		    verdict->exit_status == EX_OK ? EX_USAGE : verdict->exit_status;
		submission->has_weak_status = verdict->exit_status == EX_OK;
	}
}

void
submission_warn(struct submission *submission, const char *format, ...)
{
	struct envelope *envelope = submission->envelope;
	struct str text = {0};
	va_list list;

	if ((submission->config->options.privacy & PRIVACY_AUTH_WARNINGS) == 0)
		return;
	str_printf(&text, "%s: ", config_macro(submission->config, submission->macros, "j"));
	va_start(list, format);
	str_vprintf(&text, format, list);
	va_end(list);
	log_at(0, LOG_INFO, "%s: Authentication-Warning: %s",
	    submission->is_early ? "NOQUEUE" : envelope->id, str_text(&text));
	header_append(&submission->warnings, envelope->arena, "X-Authentication-Warning",
	    arena_printf(envelope->arena, " %s", str_text(&text)));
	str_free(&text);
}

void
submission_add_warnings(struct submission *submission)
{
	struct header_list *warnings = &submission->warnings,
			   *headers = &submission->envelope->headers;

	if (warnings->first == NULL)
		return;
	*warnings->end = headers->first;
	if (headers->first == NULL)
		headers->end = warnings->end;
	headers->first = warnings->first;
	*warnings = (struct header_list){0};
}

/* Leaves comments out; quotes and backslashes protect. */
static char *
without_comments(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *out = copy;
	bool is_quoted = false;
	int depth = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0') {
			if (depth == 0)
				*out++ = *at, *out++ = at[1];
			at++;
			continue;
		}
		if (*at == '"' && depth == 0)
			is_quoted = !is_quoted;
		if (!is_quoted && *at == '(')
			depth++;
		else if (!is_quoted && *at == ')' && depth > 0)
			depth--;
		else if (depth == 0)
			*out++ = *at;
	}
	*out = '\0';
	return copy;
}

/* The first of these bytes that is neither quoted nor protected, or NULL. */
static char *
find_bare(char *text, const char *bytes)
{
	bool is_quoted = false;

	for (char *at = text; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && strchr(bytes, *at) != NULL)
			return at;
	}
	return NULL;
}

const char *
submission_bare_address(struct arena *arena, const char *text)
{
	char *bare = without_comments(arena, text), *open = find_bare(bare, "<"), *close, *colon;

	if (open != NULL) {
		close = find_bare(open + 1, ">");
		if (close != NULL)
			*close = '\0';
		bare = open + 1;
	} else {
		/* a group: its name goes in front of the first, its semicolon behind the last member */
		colon = find_bare(bare, ":@");
		if (colon != NULL && *colon == ':' && colon[1] != ':' && colon[1] != '\0')
			bare = colon + 1;
		close = find_bare(bare, ";");
		if (close != NULL)
			*close = '\0';
	}
	bare = text_skip_space(bare);
	text_trim_end(bare);
	return bare;
}

const char *
submission_xtext(struct arena *arena, const char *text)
{
	struct str out = {0};
	const char *result;

	for (; *text != '\0'; text++) {
		int byte = (unsigned char)*text;

		if (byte < '!' || byte > '~' || byte == '+' || byte == '=')
			str_printf(&out, "+%02X", byte);
		else
			str_add_char(&out, *text);
	}
	result = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return result;
}

/* The login name behind an address of this host; NULL when it is somebody else's. */
static const char *
local_login(const struct submission *submission, const struct resolved *resolved, const char *bare)
{
	const char *at = strrchr(bare, '@'), *login;

	if (at != NULL && !class_has(submission->config->classes, 'w', at + 1, strlen(at + 1)))
		return NULL;
	if (at == NULL && !submission->is_client &&
	    resolved->mailer != submission->config->local_mailer)
		return NULL;
	login = at == NULL ? bare
			   : arena_memdup(submission->envelope->arena, bare, (size_t)(at - bare));
	/* the detail of user+detail is not part of the name */
	return arena_memdup(submission->envelope->arena, login, strcspn(login, "+"));
}

/* May name whom they like: root, and class t. */
static bool
is_trusted(const struct submission *submission)
{
	return submission->caller_uid == 0 ||
	       class_has(submission->config->classes, 't', submission->caller_name,
		   strlen(submission->caller_name));
}

static void
set_local_sender(
    struct submission *submission, const char *given, const char *bare, const char *login)
{
	struct envelope *envelope = submission->envelope;
	bool is_own = login != NULL && text_equal_nocase(login, submission->caller_name);
	struct alias_user account;

	if (submission->sender.full_name == NULL && login != NULL) {
		char *folded = arena_strdup(envelope->arena, login);

		text_to_lower(folded);
		if ((alias_find_user(login, envelope->arena, &account) ||
			alias_find_user(folded, envelope->arena, &account)) &&
		    account.full_name != NULL && account.full_name[0] != '\0')
			submission->sender.full_name = account.full_name;
	}
	if (given != NULL && !is_own && !is_trusted(submission)) {
		submission_warn(
		    submission, "%s set sender to %s using -f", submission->caller_name, given);
		return;
	}
	if (strchr(bare, '@') != NULL)
		envelope->auth = submission_xtext(envelope->arena, bare);
	else
		envelope->auth =
		    arena_printf(envelope->arena, "%s@%s", submission_xtext(envelope->arena, bare),
			config_macro(submission->config, submission->macros, "j"));
}

/* Blanks inside an address become BlankSub, as rewriting would join its words. */
static const char *
join_words(const struct submission *submission, const char *bare)
{
	char *copy = arena_strdup(submission->envelope->arena, bare), *blank;
	char substitute = submission->config->options.blank_sub;

	while (substitute != '\0' && substitute != ' ' && (blank = find_bare(copy, " \t")) != NULL)
		*blank = substitute;
	return copy;
}

/* Root's and everybody's mail comes from the caller when -f makes no sense. */
static void
fall_back(struct submission *submission, const char *name)
{
	log_at(5, LOG_NOTICE,
	    "%s: setsender: %s: invalid or unparsable, received from %s@localhost",
	    submission->envelope->id, name, submission->caller_name);
	submission_set_sender(submission, NULL);
}

static bool
is_special(const char *name)
{
	return name[0] == '|' || name[0] == '/' || text_starts_nocase(name, ":include:");
}

void
submission_set_sender(struct submission *submission, const char *given)
{
	struct envelope *envelope = submission->envelope;
	const char *name = given != NULL ? given : submission->caller_name, *bare;
	int reports = submission->report_count;
	struct resolved resolved;
	bool is_good;

	submission->sender.address = "";
	if (text_skip_space(name)[0] == '\0' || strcmp(name, "<>") == 0) {
		envelope->sender = "<>";
		if (!is_trusted(submission))
			submission_warn(
			    submission, "%s set sender to <> using -f", submission->caller_name);
		return;
	}
	envelope->sender = arena_strdup(envelope->arena, name);
	bare = join_words(submission, submission_bare_address(envelope->arena, name));
	/* "Name <>": the null sender, though it is not shown as such */
	if (bare[0] == '\0' && strchr(name, '>') != NULL)
		return;
	if (is_special(name) && given != NULL) {
		struct verdict verdict =
		    verdict_make(envelope->arena, 553, "5.1.7", EX_USAGE, "Invalid sender address");

		submission->is_about_sender = true;
		submission_complain(submission, name, &verdict);
		submission->is_about_sender = false;
		fall_back(submission, name);
		return;
	}
	submission->is_about_sender = true;
	is_good = resolve_address(&submission->rule, name, RESOLVE_SENDER, &resolved);
	if (!is_good && submission->report_count == reports)
		submission_complain(submission, name, &resolved.error);
	submission->is_about_sender = false;
	if (!is_good && given != NULL && !submission->has_weak_status) {
		fall_back(submission, name);
		return;
	}
	/* what is unbalanced is kept as the sender, and used for nothing; V8 says so twice */
	if (!is_good || (submission->report_count != reports && submission->has_weak_status)) {
		if (submission->says_errors && submission->has_weak_status &&
		    envelope->status != NULL)
			fprintf(stderr, "%s\n", envelope->status);
		return;
	}
	submission->sender_mailer = resolved.mailer;
	submission->sender.address = bare;
	submission->sender.full_name = submission->full_name;
	set_local_sender(submission, given, bare, local_login(submission, &resolved, bare));
}
