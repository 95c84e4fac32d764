/*
 * local: one message to a local mailer, through spawn.
 */
#ifndef DELIVER_LOCAL_H
#define DELIVER_LOCAL_H

#include "base/str.h"
#include "conf/config.h"
#include "deliver/spawn.h"
#include "mail/verdict.h"
#include "route/render.h"

struct local_message {
	struct render render; /* mailer, header and body */
	const char *
	    unix_from; /* the "From sender date" line, without line end, for mailers without flag n; or NULL */
	long limit_seconds; /* how long the mailer may take; 0: for ever */
};

/*
 * Runs the mailer and gives it the message.  The verdict is that of its exit status, in V8's words
 * (sysexits; whatever could not be started is temporary); what it printed is added to `output`,
 * 64 kB at most.
 */
struct verdict local_deliver(struct spawner *, const struct spawn_request *,
    const struct local_message *, struct str *output, struct arena *);

/* The exit status that such a verdict was made of, as a number; NULL: the mailer did not end. */
const char *local_exit_text(const struct verdict *, struct arena *);

/* The verdict of a mailer's wait status. */
struct verdict local_verdict(const struct mailer *, int wait_status, struct arena *);

#endif
