#include "config.h"

#include "deliver/proof.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "map/twin.h"
#include "proc/privilege.h"
#include "route/resolve.h"

enum { PROOF_SECONDS = 120 };

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_LATER };

/* Does a word have this macro? */
static bool
uses(const char *text, char name)
{
	const char long_name[] = {'{', name, '}', '\0'};

	for (; text != NULL && (text = strchr(text, '$')) != NULL; text++) {
		const char *at = text[1] == '&' ? text + 2 : text + 1;

		if (*at == name || text_starts(at, long_name) ||
		    (text[1] == '?' && text[2] == name))
			return true;
	}
	return false;
}

static bool
needs_proof(const struct mailer *mailer)
{
	bool uses_host = uses(mailer->directory, 'h');

	for (size_t i = 0; i < mailer->argument_count; i++)
		uses_host = uses_host || uses(mailer->arguments[i], 'h');
	return uses_host || !mailer_has(mailer, 'w');
}

/* A user as the mailer is given it: without quotes (flag s), and in small letters where the login name has them. */
static bool
is_same_user(struct arena *arena, const char *resolved, const char *user)
{
	return text_equal_nocase(resolved, user) ||
	       text_equal_nocase(resolve_strip_quotes(arena, resolved), user);
}

int
proof_leads_to(struct rule_context *rules, const char *address, const struct mailer *mailer,
    const char *host, const char *user)
{
	struct resolved resolved = {0}, local;
	bool is_deferred = false;

	if (!resolve_address(rules, address, 0, &resolved))
		return resolved.is_deferred ? -1 : 0;
	for (int round = 0; round < LOCALADDR_ROUNDS; round++) {
		const char *its_host = resolved.host != NULL ? resolved.host : "";

		if (resolved.mailer == mailer && text_equal_nocase(its_host, host) &&
		    is_same_user(rules->arena, resolved.user, user))
			return 1;
		is_deferred = is_deferred || resolved.is_deferred;
		if (!mailer_has(resolved.mailer, '5') || !resolve_local(rules, &resolved, &local))
			break;
		resolved = local;
	}
	return is_deferred ? -1 : 0;
}

static enum answer
check_all(struct config *config, const struct mailer *mailer, const struct spawn_request *request)
{
	struct arena *arena = arena_create();
	struct rule_context rules = {
	    .config = config, .macros = spawn_macros(config, request, ""), .arena = arena};
	enum answer answer = ANSWER_YES;

	for (size_t i = 0; i < request->user_count && answer == ANSWER_YES; i++) {
		int leads = proof_leads_to(
		    &rules, request->addresses[i], mailer, request->host, request->users[i]);

		answer = leads > 0 ? ANSWER_YES : leads < 0 ? ANSWER_LATER : ANSWER_NO;
	}
	macro_env_destroy(rules.macros);
	arena_destroy(arena);
	return answer;
}

/* In a process of its own: strangers' addresses go through rules and maps here. */
static void
prove(struct config *config, const struct mailer *mailer, const struct spawn_request *request,
    int channel)
{
	const struct options *options = &config->options;
	gid_t gid = options->default_gid;

	alarm(PROOF_SECONDS);
	if (geteuid() == 0 && !privilege_become(options->default_uid, gid, NULL))
		_exit(ANSWER_LATER);
	map_set_twin(channel);
	_exit((int)check_all(config, mailer, request));
}

const char *
proof_refusal(
    struct config *config, const struct mailer *mailer, const struct spawn_request *request)
{
	struct map_twin_policy policy = {.maps = map_set_names(config->maps, config->arena)};
	int ends[2], status = 0;
	pid_t child;

	if (!needs_proof(mailer))
		return NULL;
	if (request->address_count != request->user_count)
		return "no addresses lead to it";
	if (map_twin_channel(ends) < 0)
		return strerror(errno);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		prove(config, mailer, request, ends[0]);
	}
	close(ends[0]);
	policy.fd = ends[1];
	if (child > 0)
		map_twin_serve(&policy, 1, -1, config->maps);
	close(ends[1]);
	if (child < 0)
		return "cannot fork";
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return "nobody knows whether its address leads there";
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) == ANSWER_LATER)
		return "it cannot be told now whether its address leads there";
	return WEXITSTATUS(status) == ANSWER_YES ? NULL : "its address leads elsewhere";
}
