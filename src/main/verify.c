/* -bv: who would get a message to these addresses. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "main/main.h"
#include "queue/queue.h"
#include "route/expand.h"

struct verify {
	struct main_context *context;
	struct rule_context rules;
	struct expand expand;
	char id[ENVELOPE_ID_SIZE];
	int exit_status;
};

/* V8: errors of the files themselves are system errors, the rest is the caller's. */
static void
complain(struct verify *verify, const char *text, int exit_status)
{
	fflush(stdout);
	fprintf(stderr, "%s\n", text);
	if (exit_status == EX_OK)
		return;
	verify->exit_status = exit_status;
	if (exit_status == EX_SOFTWARE)
		log_at(0, LOG_CRIT, "%s: SYSERR(%s): %s", verify->id, verify->context->caller_name,
		    text);
	else
		log_at(5, LOG_NOTICE, "%s: %s", verify->id, text);
}

static void
report_rule(void *context, const char *message, int exit_status)
{
	struct verify *verify = context;
	const char *place = verify->expand.place != NULL ? verify->expand.place : "";

	complain(verify, arena_printf(verify->rules.arena, "%s%s", place, message),
	    exit_status != RULE_NOTICE ? exit_status : EX_OK);
}

static void
say(void *context, const char *text, int exit_status)
{
	struct verify *verify = context;

	if (exit_status >= 0)
		complain(verify, text, exit_status);
	else if (verify->context->arguments->is_verbose)
		printf("%s\n", text);
}

static void
show(const struct expanded *one)
{
	const struct resolved *resolved = &one->resolved;

	printf("%s... deliverable: mailer %s, ", one->address, resolved->mailer->name);
	if (*resolved->host != '\0')
		printf("host %s, ", resolved->host);
	printf("user %s\n", resolved->user);
}

int
main_verify(struct main_context *context)
{
	struct verify verify = {.context = context};
	struct arena *arena = arena_create();
	const char *const *recipient = context->arguments->recipients;

	if (geteuid() != 0)
		fprintf(stderr, "Notice: -bv may give misleading output for non-privileged user\n");
	/* V8 stands in its queue whatever it does */
	if (!main_check_queue(context))
		return EX_CONFIG;
	if (recipient == NULL || *recipient == NULL) {
		fprintf(stderr, "Recipient names must be specified\n");
		return EX_USAGE;
	}
	queue_new_id(verify.id);
	verify.rules = (struct rule_context){.config = context->config,
	    .macros = context->config->macros,
	    .arena = arena,
	    .report = report_rule,
	    .report_context = &verify};
	verify.expand = (struct expand){.rules = &verify.rules,
	    .no_aliasing = context->arguments->no_aliasing,
	    .say = say,
	    .context = &verify,
	    .log_id = verify.id};
	for (; *recipient != NULL; recipient++)
		expand_list(&verify.expand, *recipient);
	for (const struct expanded *one = verify.expand.first; one != NULL; one = one->next) {
		if (one->state == EXPANDED_GOOD && one->resolved.mailer != NULL)
			show(one);
	}
	fflush(stdout);
	arena_destroy(arena);
	return verify.exit_status;
}
