/*
 * describe: what -d0.1, -d0.4, -d0.10, --help and --version print, to standard output.
 */
#ifndef MAIN_DESCRIBE_H
#define MAIN_DESCRIBE_H

#include "conf/config.h"

void describe_build(void);		       /* -d0.1: version and what it was built with */
void describe_defaults(void);		       /* -d0.10: names of files */
void describe_selected(const struct config *); /* -d0.10: after the file was read */
void describe_names(const struct config *);    /* -d0.4: who this host is */
void describe_identity(const struct config *); /* -d0.4 */
int describe_version(void);		       /* these two return the exit status */
int describe_help(void);

#endif
