/*
 * proof: may this local mailer be run with this host and these users?  Whoever asks for it names the addresses that are
 * said to lead there; they are resolved anew, and only what they lead to is believed.  Anybody could send mail
 * to such an address, so nobody gains by a lie.
 */
#ifndef DELIVER_PROOF_H
#define DELIVER_PROOF_H

#include "deliver/spawn.h"
#include "rule/rule.h"

/*
 * NULL, or why it is not run.  The rules work in a process of its own, as DefaultUser; this one looks up for it
 * what only root may read.  Mailers that take users of this system alone (flag w) and no $h need no proof.
 */
const char *proof_refusal(struct config *, const struct mailer *, const struct spawn_request *);

/* Does any of the steps by which this address is resolved end at this mailer, host and user?  -1: a map gives no answer now. */
int proof_leads_to(struct rule_context *, const char *address, const struct mailer *,
    const char *host, const char *user);

#endif
