/* VRFY and EXPN (RFC 5321 4.1.1.6, 4.1.1.7). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "server/session.h"

enum { VRFY_MAXIMUM = 6, FOUND_MAXIMUM = 1000 };

struct search {
	struct session *s;
	bool expands;	    /* EXPN */
	bool failed;	    /* an error was answered */
	const char **found; /* addresses as they are printed, "Full Name <alice@host>" */
	const char **keys;  /* the same without names, to see each once */
	size_t count, capacity;
	int depth;
	bool is_remote; /* the last one found is */
};

static void look_at(struct search *, const char *address);

static void
add(struct search *search, const char *name, const char *address)
{
	struct arena *arena = search->s->scratch;
	const char *printed = *name != '\0' ? arena_printf(arena, "%s <%s>", name, address)
					    : arena_printf(arena, "<%s>", address);
	size_t i;

	for (i = 0; i < search->count; i++)
		if (strcmp(search->keys[i], address) == 0)
			return;
	if (search->count == FOUND_MAXIMUM)
		return;
	if (search->count == search->capacity) {
		size_t old = search->capacity * sizeof *search->found;

		search->capacity = search->capacity == 0 ? 16 : search->capacity * 2;
		search->found =
		    arena_grow(arena, search->found, old, search->capacity * sizeof *search->found);
		search->keys =
		    arena_grow(arena, search->keys, old, search->capacity * sizeof *search->keys);
	}
	search->found[search->count] = printed;
	search->keys[search->count++] = address;
}

static const char *
full_address(struct search *search, const char *user)
{
	if (strchr(user, '@') != NULL)
		return user;
	return arena_printf(search->s->scratch, "%s@%s", user, session_macro(search->s, "j"));
}

struct address_list {
	struct arena *arena;
	const char **items;
	size_t count, capacity;
};

static void
keep_address(void *context, const char *address)
{
	struct address_list *list = context;

	if (list->count == list->capacity) {
		size_t old = list->capacity * sizeof *list->items;

		list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
		list->items =
		    arena_grow(list->arena, list->items, old, list->capacity * sizeof *list->items);
	}
	list->items[list->count++] = arena_strdup(list->arena, address);
}

/* V8: the last one of a list comes first. */
static void
look_at_list(struct search *search, const char *text)
{
	struct address_list list = {.arena = search->s->scratch};

	resolve_split_list(text, list.arena, keep_address, &list);
	while (list.count > 0)
		look_at(search, list.items[--list.count]);
}

/* Each line of an :include: file is a list; what may not be opened is shown as it is. */
static void
look_into_file(struct search *search, const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	FILE *file = NULL;
	char line[2048];

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
			   (file = fdopen(fd, "r")) == NULL))
		close(fd);
	if (file == NULL) {
		add(search, "", arena_printf(search->s->scratch, ":include:%s", path));
		return;
	}
	while (fgets(line, sizeof line, file) != NULL && search->count < FOUND_MAXIMUM) {
		char *text = text_skip_space(line);

		text_trim_end(text);
		if (*text != '\0' && *text != '#')
			look_at_list(search, text);
	}
	fclose(file);
}

static void
expand(struct search *search, const char *user, const char *value)
{
	struct session *s = search->s;

	if (s->is_verbose)
		session_reply(s, 50, NULL, "%s... aliased to %s", user, value);
	if (++search->depth <= s->options->max_alias_recursion)
		look_at_list(search, value);
	search->depth--;
}

static void
fail(struct search *search, int code, const char *dsn, const char *text)
{
	if (!search->failed && search->depth == 0)
		session_reply(search->s, code, dsn, "%s", text);
	search->failed = search->failed || search->depth == 0;
}

/* "|prog", "/file", ":include:file": only aliases may lead there. */
static bool
is_special(struct search *search, const char *address, const struct resolved *resolved)
{
	const char *user = resolved->user, *what;

	what = session_special_kind(search->s, resolved);
	if (what == NULL)
		return false;
	if (search->depth == 0)
		fail(search, 550, "5.7.1",
		    arena_printf(
			search->s->scratch, "%s... Cannot mail directly to %s", address, what));
	else if (*what == ':' && search->expands)
		look_into_file(search,
		    text_starts_nocase(user, ":include:") ? user + strlen(":include:") : user);
	else
		add(search, "", user);
	return true;
}

static void
look_at_user(struct search *search, const char *address, const struct resolved *resolved)
{
	struct session *s = search->s;
	struct rule_context context;
	struct alias_result alias;
	struct alias_user account;

	session_rule_context(s, &context);
	switch (alias_check(
	    &context, resolved->mailer, resolved->host, resolved->user, &alias, &account)) {
	case ALIAS_KNOWN_ALIAS:
		if (search->expands)
			expand(search, resolved->user, alias.value);
		else
			add(search, "", full_address(search, resolved->user));
		break;
	case ALIAS_KNOWN_USER:
		add(search, account.full_name, full_address(search, account.login));
		break;
	case ALIAS_KNOWN_OTHER:
		search->is_remote = resolved->mailer != s->config->local_mailer;
		add(search, "", full_address(search, resolved->user));
		break;
	case ALIAS_UNKNOWN:
		fail(search, 550, "5.1.1", arena_printf(s->scratch, "%s... User unknown", address));
		break;
	case ALIAS_NOT_KNOWN_NOW:
		fail(search, 451, "4.3.0",
		    arena_printf(s->scratch, "%s... Temporary lookup failure", address));
		break;
	}
}

static void
look_at(struct search *search, const char *address)
{
	struct session *s = search->s;
	struct resolved resolved = {0};
	const char *kept = arena_strdup(s->scratch, address);

	if (*kept == '\0' || search->failed)
		return;
	if (!session_resolve(s, kept, 0, &resolved))
		fail(search, resolved.error.code, resolved.error.dsn, resolved.error.text);
	else if (!is_special(search, kept, &resolved))
		look_at_user(search, kept, &resolved);
}

static void
serve(struct session *s, char *argument, bool expands)
{
	struct search search = {.s = s, .expands = expands};
	struct verdict verdict;
	size_t i;

	if (!session_check(
		s, expands ? "check_expn" : "check_vrfy", argument, NULL, false, &verdict)) {
		session_reply_verdict(s, &verdict);
		return;
	}
	if (*argument == '\0') {
		session_reply(s, 501, "5.5.2", "Argument required");
		return;
	}
	look_at_list(&search, argument);
	if (search.failed)
		return;
	if (search.count == 0)
		session_reply(s, 550, "5.1.1", "%s... User unknown", argument);
	for (i = 0; i < search.count; i++) {
		if (i + 1 < search.count)
			session_reply_more(s, 250, "2.1.5", "%s", search.found[i]);
		else
			session_reply(s, search.is_remote && !expands ? 252 : 250, "2.1.5", "%s",
			    search.found[i]);
	}
}

static void
log_request(struct session *s, const char *verb, const char *argument, const char *remark)
{
	log_at(6, LOG_INFO, "%s: %s: %s%s%s%s", session_id(s), s->peer, verb,
	    *argument != '\0' ? " " : "", argument, remark);
}

void
command_vrfy(struct session *s, char *argument)
{
	session_count(s, COUNT_VRFY, VRFY_MAXIMUM, "VRFY");
	s->issued_something = true;
	if (session_has_privacy(s, PRIVACY_NO_VRFY)) {
		log_request(s, "VRFY", argument, " [rejected]");
		session_reply(s, 252, "2.5.2",
		    "Cannot VRFY user; try RCPT to attempt delivery (or try finger)");
		return;
	}
	if (!s->is_greeted && session_has_privacy(s, PRIVACY_NEED_VRFY_HELO)) {
		session_reply(s, 503, "5.0.0", "I demand that you introduce yourself first");
		return;
	}
	log_request(s, "VRFY", argument, "");
	serve(s, argument, false);
}

void
command_expn(struct session *s, char *argument)
{
	session_count(s, COUNT_VRFY, VRFY_MAXIMUM, "EXPN");
	s->issued_something = true;
	if (!s->features.expn) {
		log_request(s, "EXPN", argument, " [rejected]");
		session_reply(s, 502, "5.7.0", "Sorry, we do not allow this operation");
		return;
	}
	if (!s->is_greeted && session_has_privacy(s, PRIVACY_NEED_EXPN_HELO)) {
		session_reply(s, 503, "5.0.0", "I demand that you introduce yourself first");
		return;
	}
	log_request(s, "EXPN", argument, "");
	serve(s, argument, true);
}
