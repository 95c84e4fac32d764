#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "main/main.h"
#include "queue/queue.h"
#include "run/identity.h"

/*
 * Files of root's queue carry the group of the set-group-id bit, which lets mailq see them; root gets
 * it as well where the program was installed without that bit.
 */
static void
take_mail_group(const struct main_context *context)
{
	struct group *group;

	if (geteuid() != 0 || context->has_rights || context->is_submission)
		return;
	group = getgrnam(MAIL_GROUP);
	if (group != NULL && setegid(group->gr_gid) < 0)
		log_at(
		    0, LOG_ERR, "NOQUEUE: cannot take group %s: %s", MAIL_GROUP, strerror(errno));
}

static bool
enter_identity(const struct main_context *context)
{
	struct identity identity;

	identity_find(context->config, context->config->options.queue_directory, &identity);
	if (!identity.is_change)
		return true;
	if (context->has_rights)
		return identity_become(&identity);
	return setegid(identity.gid) == 0 && seteuid(identity.uid) == 0;
}

int
main_enter_queue(const struct main_context *context, struct queue **queue)
{
	int error;

	*queue = NULL;
	take_mail_group(context);
	if (!enter_identity(context)) {
		main_report_error(
		    context, "cannot become the owner of the queue: %s", strerror(errno));
		return EX_OSERR;
	}
	*queue = identity_open_queue(context->config, context->is_submission);
	if (*queue != NULL)
		return EX_OK;
	error = errno;
	main_report_error(context, "can not chdir(%s/): %s",
	    context->config->options.queue_directory, strerror(error));
	if (error == EACCES || error == EPERM)
		io_printf(STDERR_FILENO,
		    "Program mode requires special privileges, e.g., root or TrustedUser.\n");
	return queue_open_status(error);
}

void
main_leave_queue(const struct main_context *context)
{
	if (!context->has_rights && context->caller_uid == 0 && geteuid() != 0 &&
	    (seteuid(0) < 0 || setegid(context->caller_gid) < 0))
		_exit(EX_OSERR);
}
