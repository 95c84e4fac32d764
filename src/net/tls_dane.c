/* RFC 7672: certificates that the DNS vouches for. */
#include "net/dns.h"
#include "net/tls_private.h"

enum { USAGE_TRUST_ANCHOR = 2, USAGE_END_ENTITY = 3, TLSA_HEAD = 3 };

int
tls_dane_apply(SSL *ssl, const struct tls_dane *dane)
{
	int usable = 0;

	if (SSL_dane_enable(ssl, dane->base_domain) != 1)
		return -1;
	/* RFC 7672 3.1.1: who has the key is meant, whatever the certificate calls him, and for however long */
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	if (dane->next_hop != NULL && *dane->next_hop != '\0' &&
	    SSL_add1_host(ssl, dane->next_hop) != 1)
		return -1;
	for (const struct dns_record *record = dane->records; record != NULL;
	     record = record->next) {
		const unsigned char *data = record->data;

		/* 3.1.3: usages 0 and 1 lean on authorities that nobody agrees on between mail servers */
		if (record->data_length <= TLSA_HEAD ||
		    (data[0] != USAGE_TRUST_ANCHOR && data[0] != USAGE_END_ENTITY))
			continue;
		usable += SSL_dane_tlsa_add(ssl, data[0], data[1], data[2], data + TLSA_HEAD,
			      record->data_length - TLSA_HEAD) == 1;
	}
	return usable;
}

bool
tls_dane_verify(SSL *ssl)
{
	return SSL_get_verify_result(ssl) == X509_V_OK &&
	       SSL_get0_dane_authority(ssl, NULL, NULL) >= 0;
}
