#include "main/main.h"

/* The configuration was read, and its faults were told, before any mode runs. */
int
main_check(struct main_context *context)
{
	return context->config->error_status;
}
