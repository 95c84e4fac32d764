#include <sysexits.h>

#include "main/main.h"

/* Without HostStatusDirectory nothing is kept, so there is nothing to print or purge; no other state is written by us. */
int
main_hosts(struct main_context *context)
{
	(void)context;
	return EX_OK;
}
