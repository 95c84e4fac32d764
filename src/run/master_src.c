#include "config.h"

#include <string.h>

#include "base/log.h"
#include "master_private.h"
#include "proc/subsystem.h"

enum {
	TRACE_SHORT_LEVELS = 5, /* traceson: LogLevel 9 shows what 14 would */
	TRACE_LONG_LEVELS = 89, /* traceson -l: all there is */
};

/* What SRC asks of master; the protocol itself is proc/subsystem's. */

static void
refresh(struct master *master)
{
	struct str reason = {0};

	log_at(5, LOG_INFO, "restarting %s due to refresh", master->settings->program);
	if (master_reload(master, &reason)) {
		subsystem_answer(NULL);
	} else {
		/* there is room for one problem; the log has them all */
		str_truncate(&reason, strcspn(str_text(&reason), "\n"));
		subsystem_answer(
		    reason.length > 0 ? str_text(&reason) : "the configuration cannot be read");
	}
	str_free(&reason);
}

static void
stop(struct master *master, enum master_stop how)
{
	log_at(5, LOG_INFO, "stopping %s due to stopsrc%s", master->settings->program,
	    how == MASTER_STOPS_AT_ONCE ? " -f" : "");
	/* the answer first: SRC allows one packet, and whoever asked waits for it */
	subsystem_answer(NULL);
	subsystem_finish_answers();
	master->stop = how;
}

/* All processes see it at once, and go back to LogLevel with 0. */
static void
trace(struct master *master, int extra)
{
	if (master->extra_level == NULL) {
		subsystem_answer("no memory for tracing: restart sendmail");
		return;
	}
	*master->extra_level = extra;
	log_at(5, LOG_INFO, "log level is %d", log_level());
	subsystem_answer(NULL);
}

void
master_serve_subsystem(struct master *master)
{
	switch (subsystem_read()) {
	case SUBSYSTEM_STOP_GENTLY:
		stop(master, MASTER_STOPS_GENTLY);
		break;
	case SUBSYSTEM_STOP_NOW:
		stop(master, MASTER_STOPS_AT_ONCE);
		break;
	case SUBSYSTEM_RELOAD:
		refresh(master);
		break;
	case SUBSYSTEM_DESCRIBE:
		subsystem_answer_status(master_describe, master);
		break;
	case SUBSYSTEM_TRACE_OFF:
		trace(master, 0);
		break;
	case SUBSYSTEM_TRACE_SHORT:
		trace(master, TRACE_SHORT_LEVELS);
		break;
	case SUBSYSTEM_TRACE_LONG:
		trace(master, TRACE_LONG_LEVELS);
		break;
	case SUBSYSTEM_NONE:
		break;
	}
}
