/*
 * submit_deliver: the first attempt for a message that was just queued, by the program that may use
 * the network.  Whatever goes wrong here, the message is safe and the next queue run takes it.
 */
#ifndef MAIN_SUBMIT_DELIVER_H
#define MAIN_SUBMIT_DELIVER_H

#include "mail/envelope.h"
#include "main/main.h"

/*
 * Waits for it (-odi, -v).  Without faults of our own its exit status is ours; does not return then.
 * refusals_only: nothing is tried, only the report about what was refused is made (-odq).
 */
int submit_deliver_now(
    const struct main_context *, const char *id, int own_status, bool refusals_only);

/* Leaves it to a process of its own (-odb); own_status. */
int submit_deliver_later(const struct main_context *, const char *id, int own_status);

/*
 * No first attempt is to be made: the machine is too busy for its priority (QueueLA), or HoldExpensive is on, nobody
 * watches (-v) and all mailers are expensive.
 */
bool submit_must_wait(const struct options *, const struct envelope *, bool is_verbose);

/* The to= line of a recipient: `attempt` is " xdelay=00:00:00," or "", `rest` what follows the priority. */
void submit_log_to(
    const struct envelope *, const struct recipient *, const char *attempt, const char *rest);
/* Those of recipients that only wait, in the delivery mode that makes them wait. */
void submit_log_queued(const struct envelope *, char delivery_mode);

#endif
