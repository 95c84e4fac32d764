/* An answer of a name server: any bytes. */
#include <stdint.h>

#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const enum dns_type types[] = {DNS_A, DNS_MX, DNS_TXT, DNS_CNAME, DNS_PTR, DNS_SRV, DNS_AAAA, DNS_AFSDB};
	struct arena *arena = arena_create();
	struct dns_answer answer;

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		dns_read_answer(bytes, length, "host.example.org", types[i], arena, &answer);
	arena_destroy(arena);
	return 0;
}
