/*
 * advice: what a sendmail.cf says without fault, and what is probably not meant: a ruleset, mailer or
 * map that nobody defined, a database that is missing or older than its text, a smart host that no
 * rule uses or that is this host, names that do not fit together, unsafe modes, mail filters that are not there, options without effect.
 */
#ifndef CONF_ADVICE_H
#define CONF_ADVICE_H

#include "conf/config.h"

/* One remark; line_number 0: about the file as a whole. */
typedef void config_advice(void *context, int line_number, const char *text);

/* Reads the file of a configuration once more. Alias maps are looked at where they are declared (route/alias.h). */
void config_advise(const struct config *, config_advice *, void *context);

#endif
