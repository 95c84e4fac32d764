/*
 * service_switch: which methods look something up, and in which order (option ServiceSwitchFile).
 */
#ifndef CONF_SERVICE_SWITCH_H
#define CONF_SERVICE_SWITCH_H

#include <stddef.h>

#include "conf/config.h"

/*
 * The methods of a service ("hosts", "aliases", "passwd"): fills at most `size` names, returns how
 * many.  Without a file, or a line in it, V8's own: dns and files for hosts, files for the rest.
 * Shaped for struct map_hooks; `config` is a struct config.
 */
size_t config_switch_methods(
    const struct config *config, const char *service, const char *methods[], size_t size);

#endif
