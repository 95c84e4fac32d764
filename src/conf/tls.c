#include "conf/tls.h"

#include <string.h>

#include "conf/config.h"

void
option_tls_settings(
    const struct options *options, enum tls_role role, struct tls_settings *settings)
{
	bool is_server = role == TLS_SERVER;

	*settings = (struct tls_settings){
	    .ca_cert_file = options->ca_cert_file,
	    .ca_cert_path = options->ca_cert_path,
	    .crl_file = options->crl_file,
	    .crl_path = options->crl_path,
	    .cert_file = is_server ? options->server_cert_file : options->client_cert_file,
	    .key_file = is_server ? options->server_key_file : options->client_key_file,
	    .cipher_list = options->cipher_list,
	    .cipher_suites = options->cipher_suites,
	    .ssl_options = is_server ? options->server_ssl_options : options->client_ssl_options,
	    .dh_parameters = is_server ? options->dh_parameters : NULL,
	    .cert_fingerprint_algorithm = options->cert_fingerprint_algorithm,
	    .may_key_be_group_readable = option_blames(options, BLAME_GROUP_READABLE_KEY_FILE),
	    .ask_for_certificate =
		options->tls_srv_options == NULL || strchr(options->tls_srv_options, 'V') == NULL,
	};
}

void
config_set_alternative_names(struct config *config, const char *const *names)
{
	int id = macro_id(config->names, "cert_altnames");

	if (!config->options.set_cert_altnames)
		return;
	class_clear(config->classes, id);
	for (; names != NULL && *names != NULL; names++)
		class_add(config->classes, id, *names);
}
