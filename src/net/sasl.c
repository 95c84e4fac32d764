#include "net/sasl.h"

#include <stdlib.h>
#include <string.h>
#include <sasl/sasl.h>

#include "base/check.h"
#include "os/os.h"

struct exchange {
	sasl_conn_t *sasl;
	const struct exchange_settings settings;
	sasl_secret_t *password;
	sasl_callback_t callbacks[6];
	char reason[256];
};

typedef int callback(void);

static int
give_simple(void *context, int id, const char **result, unsigned *length)
{
	const struct exchange *exchange = context;

	*result = id == SASL_CB_USER ? exchange->settings.user : exchange->settings.id;
	if (length != NULL)
		*length = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
give_password(sasl_conn_t *sasl, void *context, int id, sasl_secret_t **result)
{
	const struct exchange *exchange = context;

	(void)sasl;
	(void)id;
	*result = exchange->password;
	return SASL_OK;
}

static int
give_realm(void *context, int id, const char **available, const char **result)
{
	const struct exchange *exchange = context;

	(void)id;
	if (exchange->settings.realm != NULL)
		*result = exchange->settings.realm;
	else
		*result = available != NULL && available[0] != NULL ? available[0] : "";
	return SASL_OK;
}

/* The library's own words may hold what nobody should read; what matters comes with its errors. */
static int
be_silent(void *context, int level, const char *message)
{
	(void)context;
	(void)level;
	(void)message;
	return SASL_OK;
}

static bool
start_library(const char **reason)
{
	static sasl_callback_t silent[] = {
	    {SASL_CB_LOG, (callback *)(void (*)(void))be_silent, NULL},
	    {SASL_CB_LIST_END, NULL, NULL}};
	static bool started;
	int status;

	if (started)
		return true;
	status = sasl_client_init(silent);
	started = status == SASL_OK;
	if (!started)
		*reason = sasl_errstring(status, NULL, NULL);
	return started;
}

static void
set_security(struct exchange *exchange)
{
	const struct exchange_settings *settings = &exchange->settings;
	sasl_security_properties_t properties = {0};
	sasl_ssf_t bits = settings->tls_bits;

	/* no layer of its own: TLS is there for that */
	properties.maxbufsize = 0;
	if (settings->no_plain_text)
		properties.security_flags |= SASL_SEC_NOPLAINTEXT;
	if (settings->no_anonymous)
		properties.security_flags |= SASL_SEC_NOANONYMOUS;
	if (settings->no_active)
		properties.security_flags |= SASL_SEC_NOACTIVE;
	if (settings->no_dictionary)
		properties.security_flags |= SASL_SEC_NODICTIONARY;
	if (settings->forward_secrecy)
		properties.security_flags |= SASL_SEC_FORWARD_SECRECY;
	if (settings->mutual)
		properties.security_flags |= SASL_SEC_MUTUAL_AUTH;
	sasl_setprop(exchange->sasl, SASL_SEC_PROPS, &properties);
	sasl_setprop(exchange->sasl, SASL_SSF_EXTERNAL, &bits);
	if (settings->tls_identity != NULL)
		sasl_setprop(exchange->sasl, SASL_AUTH_EXTERNAL, settings->tls_identity);
}

static sasl_secret_t *
copy_password(const struct secret *password)
{
	sasl_secret_t *copy = check_malloc(sizeof *copy + password->length + 1);

	copy->len = password->length;
	if (password->length > 0)
		memcpy(copy->data, password->data, password->length);
	copy->data[password->length] = '\0';
	return copy;
}

struct exchange *
exchange_create(const struct exchange_settings *settings, const char **reason)
{
	struct exchange *exchange;
	int status;

	if (!start_library(reason))
		return NULL;
	exchange = check_malloc(sizeof *exchange);
	memset(exchange, 0, sizeof *exchange);
	memcpy((void *)&exchange->settings, settings, sizeof *settings);
	exchange->password = copy_password(settings->password);
	exchange->callbacks[0] =
	    (sasl_callback_t){SASL_CB_USER, (callback *)(void (*)(void))give_simple, exchange};
	exchange->callbacks[1] =
	    (sasl_callback_t){SASL_CB_AUTHNAME, (callback *)(void (*)(void))give_simple, exchange};
	exchange->callbacks[2] =
	    (sasl_callback_t){SASL_CB_PASS, (callback *)(void (*)(void))give_password, exchange};
	exchange->callbacks[3] =
	    (sasl_callback_t){SASL_CB_GETREALM, (callback *)(void (*)(void))give_realm, exchange};
	exchange->callbacks[4] =
	    (sasl_callback_t){SASL_CB_LOG, (callback *)(void (*)(void))be_silent, exchange};
	exchange->callbacks[5] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	status = sasl_client_new(settings->service, settings->server_name, NULL, NULL,
	    exchange->callbacks, 0, &exchange->sasl);
	if (status != SASL_OK) {
		*reason = sasl_errstring(status, NULL, NULL);
		exchange_destroy(exchange);
		return NULL;
	}
	set_security(exchange);
	return exchange;
}

void
exchange_destroy(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	if (exchange->sasl != NULL)
		sasl_dispose(&exchange->sasl);
	os_wipe(exchange->password->data, exchange->password->len);
	free(exchange->password);
	free(exchange);
}

static enum exchange_status
translate(struct exchange *exchange, int status, const char *bytes, unsigned length,
    struct secret *out, const char **reason)
{
	if (status == SASL_OK || status == SASL_CONTINUE) {
		secret_set(out, bytes != NULL ? bytes : "", bytes != NULL ? length : 0);
		return EXCHANGE_CONTINUE;
	}
	*reason = sasl_errdetail(exchange->sasl);
	if (*reason == NULL)
		*reason = sasl_errstring(status, NULL, NULL);
	return status == SASL_NOMECH ? EXCHANGE_NO_MECHANISM : EXCHANGE_FAILED;
}

enum exchange_status
exchange_start(struct exchange *exchange, const char *mechanisms, const char **mechanism,
    struct secret *out, bool *has_out, const char **reason)
{
	const char *bytes = NULL;
	unsigned length = 0;
	int status =
	    sasl_client_start(exchange->sasl, mechanisms, NULL, &bytes, &length, mechanism);

	*has_out = bytes != NULL;
	return translate(exchange, status, bytes, length, out, reason);
}

enum exchange_status
exchange_step(struct exchange *exchange, const char *challenge, size_t length, struct secret *out,
    const char **reason)
{
	const char *bytes = NULL;
	unsigned out_length = 0;
	int status = sasl_client_step(
	    exchange->sasl, challenge, (unsigned)length, NULL, &bytes, &out_length);

	return translate(exchange, status, bytes, out_length, out, reason);
}

unsigned
exchange_bits(struct exchange *exchange)
{
	const void *value = NULL;

	if (sasl_getprop(exchange->sasl, SASL_SSF, &value) != SASL_OK || value == NULL)
		return 0;
	return (unsigned)*(const sasl_ssf_t *)value;
}
