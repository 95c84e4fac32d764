#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "report_private.h"

/* V8: what a report says of a local mailer's exit status; others are 5.0.0. */
static const struct {
	int exit_status;
	const char *status;
} mailer_statuses[] = {
    {EX_USAGE, "5.5.4"},
    {EX_DATAERR, "5.5.2"},
    {EX_NOINPUT, "5.3.0"},
    {EX_NOUSER, "5.1.1"},
    {EX_NOHOST, "5.1.2"},
    {EX_UNAVAILABLE, "5.5.0"},
    {EX_SOFTWARE, "5.5.0"},
    {EX_OSFILE, "5.5.0"},
    {EX_CANTCREAT, "5.3.0"},
    {EX_PROTOCOL, "5.5.0"},
    {EX_NOPERM, "5.3.0"},
    {EX_CONFIG, "5.5.0"},
};

/* The exit status of a mailer that decided; false: somebody else did. */
static bool
read_exit_status(const struct recipient *one, int *exit_status)
{
	long number;

	if (one->diagnostic == NULL || !text_to_number(one->diagnostic, 0, 255, &number))
		return false;
	*exit_status = (int)number;
	return true;
}

static const char *
status_of_mailer(int exit_status)
{
	for (size_t i = 0; i < sizeof mailer_statuses / sizeof mailer_statuses[0]; i++) {
		if (mailer_statuses[i].exit_status == exit_status)
			return mailer_statuses[i].status;
	}
	return "5.0.0";
}

static const char *
status_of(const struct recipient *one)
{
	const char *dsn = one->verdict.dsn;
	int exit_status;

	switch (one->report) {
	case REPORT_FAILED:
		if (!verdict_is_permanent(&one->verdict)) /* it grew too old: RFC 3463 3.5 */
			return "4.4.7";
		if (read_exit_status(one, &exit_status))
			return status_of_mailer(exit_status);
		/* V8: what is wrong with the message is none of the recipient's */
		return *dsn != '\0' && one->verdict.code != 552 ? dsn : "5.0.0";
	case REPORT_DELAYED:
		if (read_exit_status(one, &exit_status))
			return "4.2.0";
		return *dsn != '\0' ? dsn : "4.0.0";
	case REPORT_DELIVERED:
	case REPORT_DELIVERED_LIST:
	case REPORT_EXPANDED:
		return "2.1.5";
	default:
		return *dsn != '\0' ? dsn : "2.0.0";
	}
}

static const char *
reason_of(const struct recipient *one)
{
	int exit_status;

	if (read_exit_status(one, &exit_status) && verdict_knows_exit(exit_status))
		return verdict_text_from_exit(exit_status);
	return one->diagnostic;
}

static const char *
typed(struct arena *arena, const char *type, const char *otherwise, const char *value)
{
	if (value == NULL || *value == '\0')
		return NULL;
	return arena_printf(arena, "%s; %s", type != NULL ? type : otherwise, value);
}

static const char *
at_this_host(const struct report_order *order, struct arena *arena, const char *user)
{
	const struct config *config = order->rule->config;

	if (strchr(user, '@') != NULL)
		return user;
	return arena_printf(arena, "%s@%s", user, config_macro(config, config->macros, "j"));
}

/* A program or file is called by its name: without the quotes that an alias may have around it. */
static const char *
without_quotes(struct arena *arena, const char *name)
{
	size_t length = strlen(name);

	if (length >= 2 && name[0] == '"' && name[length - 1] == '"')
		return arena_memdup(arena, name + 1, length - 2);
	return name;
}

/* V8: it is no address at all; its place has what is wrong with it. */
static const char *
broken_address(const struct report_order *order, struct arena *arena, const struct recipient *one)
{
	const struct config *config = order->rule->config;
	const char *text = one->verdict.text, *words = strstr(text, "... ");

	return arena_printf(arena, "rfc822; \"%d %s\"@%s", one->verdict.code,
	    words != NULL ? words + strlen("... ") : text,
	    config_macro(config, config->macros, "j"));
}

/* Where it went in the end. */
static const char *
actual_of(const struct report_order *order, struct arena *arena, const struct recipient *one)
{
	const char *plain = without_quotes(arena, one->address), *user = one->user;

	if ((order->rule->config->options.privacy & PRIVACY_NO_ACTUAL_RECIPIENT) != 0)
		return NULL;
	if (*plain == '|' || (*plain == '/' && strchr(plain, '@') == NULL))
		return arena_printf(arena, "X-Unix; %s", plain);
	if (user == NULL && text_starts(one->verdict.dsn, "5.1.") &&
	    one->verdict.exit_status != EX_NOUSER)
		return broken_address(order, arena, one);
	if (user == NULL || *user == '\0')
		user = one->address;
	return arena_printf(arena, "rfc822; %s", at_this_host(order, arena, user));
}

static void
describe(const struct report_order *order, struct arena *arena, const struct recipient *one,
    struct report_recipient *out)
{
	const struct mailer *mailer = one->mailer;

	*out = (struct report_recipient){
	    .action = (enum report_action)one->report,
	    .name = one->address,
	    .alias = one->named_by != NULL   ? one->named_by
		     : one->alias_of != NULL ? one->alias_of
					     : one->control_alias,
	    .reason = reason_of(one),
	    .original = one->orcpt,
	    .final = one->final,
	    .actual = actual_of(order, arena, one),
	    .status = status_of(one),
	    /* V8 does not say it of those whom the peer put off by name */
	    .retry_until = one->reply_is_own ? 0 : order->retry_until,
	    .remote = typed(arena, mailer != NULL ? mailer->mta_type : NULL, "DNS", one->remote),
	    .diagnostic = typed(
		arena, mailer != NULL ? mailer->diagnostic_type : NULL, "X-Unix", one->diagnostic),
	};
	if (out->alias != NULL && (*out->alias == '\0' || strcmp(out->alias, out->name) == 0))
		out->alias = NULL;
	if (out->final == NULL)
		out->final =
		    arena_printf(arena, "RFC822; %s", at_this_host(order, arena, one->address));
}

const struct report_recipient *
report_recipients(const struct report_order *order, struct arena *arena, size_t *count)
{
	struct report_recipient *list;

	*count = 0;
	for (const struct recipient *one = order->original->recipients; one != NULL;
	     one = one->next)
		++*count;
	list = ARENA_ARRAY(arena, struct report_recipient, *count + 1);
	*count = 0;
	for (const struct recipient *one = order->original->recipients; one != NULL;
	     one = one->next) {
		if (one->report != REPORT_NOTHING)
			describe(order, arena, one, &list[(*count)++]);
	}
	return list;
}
