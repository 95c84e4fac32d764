/*
 * mailer_process: one run of a local mailer: ids, directory, arguments, environment, exec.
 */
#ifndef DELIVER_MAILER_PROCESS_H
#define DELIVER_MAILER_PROCESS_H

#include "deliver/spawn.h"

/*
 * Runs it with these descriptors as standard input and as standard output and error, and waits.
 * A wait status; where it could not be run, one that says EX_OSERR, EX_CONFIG or EX_TEMPFAIL, and
 * a line about it on `output`.
 */
int mailer_process_run(struct config *, const struct spawn_request *, int input, int output);

#endif
