#include "main/main.h"

#include <stdio.h>

#include "conf/advice.h"
#include "route/alias.h"

static void
tell(void *context, int line_number, const char *text)
{
	const struct config *config = context;

	if (line_number > 0)
		printf("%s: line %d: warning: %s\n", config->file, line_number, text);
	else
		printf("%s: warning: %s\n", config->file, text);
}

/*
 * The configuration was read, and its faults were told in V8's words, before any mode runs.  What
 * follows is ours, and no fault.
 */
int
main_check(struct main_context *context)
{
	struct config *config = context->config;

	alias_declare(config);
	config_advise(config, tell, config);
	fflush(stdout);
	return config->error_status;
}
