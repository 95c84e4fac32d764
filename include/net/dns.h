/*
 * dns: questions to the resolver (RFC 1034, 1035, 2782, 3596) and a reader of its answers.
 *
 * The reader trusts nothing: every length, pointer and count of an answer is checked, names are
 * escaped as in zone files (\. \DDD), so no byte of an answer can break a log line or a rule, and
 * what cannot be read is DNS_TRY_AGAIN, never a crash.  The hosts file and the service switch are
 * not looked at here: see map class host and net/hosts.c.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AFSDB = 18,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TLSA = 52, /* RFC 6698; not for maps: dns_type_named does not know it */
};

enum dns_status {
	DNS_FOUND,     /* at least one record of the type asked for */
	DNS_NO_DATA,   /* the name exists, but has no such record */
	DNS_NO_NAME,   /* the name does not exist (NXDOMAIN), or is none that can be asked for */
	DNS_TRY_AGAIN, /* no answer, a server in trouble, an answer that makes no sense */
	DNS_LOOP, /* CNAMEs that lead in a circle or too far; `canonical` says where it was noticed */
};

struct dns_record {
	struct dns_record *next;
	enum dns_type type;
	uint32_t ttl_seconds;
	const char *owner;     /* without final dot */
	unsigned preference;   /* MX preference, SRV priority, AFSDB subtype */
	unsigned weight, port; /* SRV */
	const char *
	    name; /* MX NS PTR CNAME SRV AFSDB: the target without final dot, "" for the root (null MX) */
	const char *text;	   /* TXT: its strings joined, control characters escaped */
	const unsigned char *data; /* TLSA: usage, selector, matching type, and what is to match */
	size_t data_length;
	unsigned char address[16]; /* A, AAAA */
	size_t address_length;	   /* 4 or 16 */
};

struct dns_answer {
	enum dns_status status;
	/* AD bit: a validating resolver vouches for it, and it is one that we can trust, see dns_settings */
	bool is_authentic;
	const char *asked; /* the name that the answer is about, with what a search put behind it */
	const char *
	    canonical; /* the name that the CNAMEs of the answer lead to; the name asked for when there are none */
	struct dns_record
	    *records; /* of the type asked for, in the order of the answer; NULL: none */
	size_t count;
	size_t alias_count; /* CNAMEs followed */
};

/* How the resolver is used; set from ResolverOptions and Timeout.resolver.* when a configuration is read. */
struct dns_settings {
	int retransmit_seconds, retry;	   /* 0: as resolv.conf says */
	unsigned long flags_on, flags_off; /* RES_* of resolv.h */
	/*
	 * Ask for the AD bit.  It counts only where all name servers of resolv.conf are on this host, or its
	 * options say trust-ad: on the way from elsewhere anybody could set it.
	 */
	bool asks_for_validation;
};
void dns_configure(const struct dns_settings *);

/* A word of ResolverOptions ("DNSRCH", any case, `length` bytes); one that has no flag here changes nothing. */
void dns_set_flag(struct dns_settings *, const char *word, size_t length, bool is_on);

/* Asks for exactly this name (a final dot is allowed). Everything in the answer lives in the arena. */
void dns_query(const char *name, enum dns_type, struct arena *, struct dns_answer *);

/* Asks with the search list of resolv.conf, as res_search(3) does. `canonical` has the full name then. */
void dns_search(const char *name, enum dns_type, struct arena *, struct dns_answer *);

/* As dns_query with its own limits: `retransmit_seconds` and `retry` as above, 0: the usual ones. */
void dns_query_within(const char *name, enum dns_type, int retransmit_seconds, int retry,
    struct arena *, struct dns_answer *);

/* The name to ask PTR for: "1.2.0.192.in-addr.arpa" or "...ip6.arpa"; address_length 4 or 16. */
const char *dns_reverse_name(const unsigned char *address, size_t address_length, struct arena *);

/*
 * Reads one answer of `length` bytes to a question for `name` and `type`.  Used by the calls above;
 * open for tests and fuzzing.
 */
void dns_read_answer(const unsigned char *bytes, size_t length, const char *name, enum dns_type,
    struct arena *, struct dns_answer *);

/* "A", "MX", ... (any case) to its type; false: not one of the above. */
bool dns_type_named(const char *name, enum dns_type *);

/* "Name server timeout" and the like, in sendmail's words. */
const char *dns_status_text(enum dns_status);

#endif
