/*
 * test_show: what test mode prints about the configuration, to standard output.
 */
#ifndef MAIN_TEST_SHOW_H
#define MAIN_TEST_SHOW_H

#include "conf/config.h"

/* The text of a macro or argument as it was given. */
void test_show_value(const struct config *, const char *text);
void test_show_ruleset(const struct config *, int number);
void test_show_mailer(const struct config *, const struct mailer *);
void test_show_help(const struct config *, struct arena *);
void test_show_mx(const char *host, const struct map_hooks *, struct arena *);

#endif
