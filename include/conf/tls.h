/*
 * tls: what the options of sendmail.cf say about TLS.
 */
#ifndef CONF_TLS_H
#define CONF_TLS_H

#include "conf/option.h"
#include "net/tls.h"

/* For tls_context_create; the texts stay the options'. */
void option_tls_settings(const struct options *, enum tls_role, struct tls_settings *);

/*
 * SetCertAltnames: class {cert_altnames} has these names and no others; a list that ends with NULL, or NULL.  The class is
 * this process's own.
 */
struct config;
void config_set_alternative_names(struct config *, const char *const *names);

#endif
