#include <sysexits.h>

#include "main/main.h"

/* The configuration was read, and its faults were told, before any mode runs.  V8: one status for all of them. */
int
main_check(struct main_context *context)
{
	return context->config->error_status == 0 ? EX_OK : EX_SOFTWARE;
}
