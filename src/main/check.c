#include "main/main.h"

#include <stdio.h>
#include <sysexits.h>

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

int
main_options(struct main_context *context)
{
	struct option_description option;

	(void)context;
	/* V8 has an empty line for what has a letter alone */
	for (size_t i = 0; option_describe(i, &option); i++)
		printf("%s\n", option.name != NULL ? option.name : "");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
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
