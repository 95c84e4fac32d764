/*
 * environment: what the caller's environment may tell us, and what our children get.
 */
#ifndef MAIN_ENVIRONMENT_H
#define MAIN_ENVIRONMENT_H

#include <stdbool.h>

#include "conf/config.h"

/*
 * At the start: drops everything that steers the loader, the resolver or a library.  Returns a copy
 * of $NAME (the caller's full name) or NULL.  `has_rights`: the program is set-id.
 */
const char *environment_begin(bool has_rights);

/* A switch of ours: "off" or "no". */
bool environment_says_off(const char *name);

/*
 * After the configuration: nothing of the caller's is left but what E lines passed on and, with
 * TimeZoneSpec set to nothing, TZ.
 */
void environment_finish(const struct text_list *settings, const char *time_zone);

#endif
