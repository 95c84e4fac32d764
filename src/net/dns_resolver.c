/* Questions to the system's resolver library. */
#include "net/dns.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/text.h"
#include "os/os.h"

enum {
	ANSWER_SIZE = 65535,
	QUERY_SIZE = 1024,
	NAME_MAXIMUM = 1025,
	QUERY_FLAGS = 3, /* the byte of the header that has the AD bit */
	QUERY_AD = 0x20,
};

/* One resolver a process, made at its first question and again when resolv.conf was changed. */
static struct {
	struct __res_state library;
	bool is_ready;
	struct stat file;
	struct dns_settings settings;
	bool is_trusted; /* its AD bit */
} resolver;

void
dns_set_flag(struct dns_settings *settings, const char *word, size_t length, bool is_on)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} flags[] = {
	    {"debug", RES_DEBUG},
	    {"usevc", RES_USEVC},
	    {"igntc", RES_IGNTC},
	    {"recurse", RES_RECURSE},
	    {"defnames", RES_DEFNAMES},
	    {"stayopen", RES_STAYOPEN},
	    {"dnsrch", RES_DNSRCH},
	};

	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		if (strlen(flags[i].word) != length ||
		    strncasecmp(flags[i].word, word, length) != 0)
			continue;
		settings->flags_on &= ~flags[i].flag;
		settings->flags_off &= ~flags[i].flag;
		*(is_on ? &settings->flags_on : &settings->flags_off) |= flags[i].flag;
	}
}

void
dns_configure(const struct dns_settings *settings)
{
	resolver.settings = *settings;
	if (resolver.is_ready)
		res_nclose(&resolver.library);
	resolver.is_ready = false;
}

/* Is what this line of resolv.conf says a reason to trust, or not to trust, the AD bit? */
static void
judge_line(char *line, bool *is_elsewhere, bool *is_vouched_for)
{
	char *save = NULL, *word = strtok_r(line, " \t\n", &save);
	bool is_server = word != NULL && strcmp(word, "nameserver") == 0;
	bool is_options = word != NULL && strcmp(word, "options") == 0;

	while ((is_server || is_options) && (word = strtok_r(NULL, " \t\n", &save)) != NULL) {
		if (is_options && strcmp(word, "trust-ad") == 0)
			*is_vouched_for = true;
		if (is_server && strncmp(word, "127.", 4) != 0 && strcmp(word, "::1") != 0)
			*is_elsewhere = true;
	}
}

static bool
is_trustworthy(void)
{
	FILE *file = fopen(_PATH_RESCONF, "re");
	bool is_elsewhere = false, is_vouched_for = false;
	char line[1024];

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		judge_line(line, &is_elsewhere, &is_vouched_for);
	if (file != NULL)
		fclose(file);
	return is_vouched_for || !is_elsewhere;
}

static bool
prepare(void)
{
	struct stat file = {0};

	if (stat(_PATH_RESCONF, &file) < 0)
		file = (struct stat){0};
	if (resolver.is_ready && file.st_ino == resolver.file.st_ino &&
	    file.st_size == resolver.file.st_size && file.st_mtime == resolver.file.st_mtime &&
	    os_modified_nanoseconds(&file) == os_modified_nanoseconds(&resolver.file))
		return true;
	if (resolver.is_ready)
		res_nclose(&resolver.library);
	memset(&resolver.library, 0, sizeof resolver.library);
	resolver.is_ready = res_ninit(&resolver.library) == 0;
	resolver.file = file;
	if (!resolver.is_ready)
		return false;
	resolver.library.options |= resolver.settings.flags_on;
	resolver.library.options &= ~resolver.settings.flags_off;
	resolver.is_trusted = resolver.settings.asks_for_validation && is_trustworthy();
	if (resolver.is_trusted) /* or the library takes the bit away */
		resolver.library.options |= os_resolver_trust();
	return true;
}

static void
set_limits(int retransmit_seconds, int retry)
{
	if (retransmit_seconds == 0)
		retransmit_seconds = resolver.settings.retransmit_seconds;
	if (retry == 0)
		retry = resolver.settings.retry;
	if (retransmit_seconds > 0)
		resolver.library.retrans = retransmit_seconds;
	if (retry > 0)
		resolver.library.retry = retry;
}

static void
ask(const char *name, enum dns_type type, int retransmit_seconds, int retry, struct arena *arena,
    struct dns_answer *answer)
{
	unsigned char query[QUERY_SIZE], *bytes;
	int query_length, length, old_retrans, old_retry;

	*answer =
	    (struct dns_answer){.status = DNS_TRY_AGAIN, .canonical = arena_strdup(arena, name)};
	if (!prepare())
		return;
	query_length = res_nmkquery(&resolver.library, ns_o_query, name, ns_c_in, (int)type, NULL,
	    0, NULL, query, sizeof query);
	if (query_length < 0) {
		answer->status = DNS_NO_NAME; /* no name that the DNS could have */
		return;
	}
	if (resolver.is_trusted) /* RFC 6840 5.7 */
		query[QUERY_FLAGS] |= QUERY_AD;
	old_retrans = resolver.library.retrans;
	old_retry = resolver.library.retry;
	set_limits(retransmit_seconds, retry);
	bytes = check_malloc(ANSWER_SIZE);
	length = res_nsend(&resolver.library, query, query_length, bytes, ANSWER_SIZE);
	resolver.library.retrans = old_retrans;
	resolver.library.retry = old_retry;
	if (length > ANSWER_SIZE)
		length = ANSWER_SIZE; /* the library tells the full length of what it cut */
	if (length > 0)
		dns_read_answer(bytes, (size_t)length, name, type, arena, answer);
	answer->is_authentic = answer->is_authentic && resolver.is_trusted;
	free(bytes);
}

void
dns_query(const char *name, enum dns_type type, struct arena *arena, struct dns_answer *answer)
{
	ask(name, type, 0, 0, arena, answer);
}

void
dns_query_within(const char *name, enum dns_type type, int retransmit_seconds, int retry,
    struct arena *arena, struct dns_answer *answer)
{
	ask(name, type, retransmit_seconds, retry, arena, answer);
}

static unsigned
count_dots(const char *name)
{
	unsigned dots = 0;

	for (; *name != '\0'; name++)
		dots += *name == '.';
	return dots;
}

/*
 * One name of the search; true: the search ends with this answer.  A "no data" is kept as the
 * better of two failures, as is a temporary one.
 */
static bool
try_name(const char *name, enum dns_type type, struct arena *arena, struct dns_answer *best,
    bool *have_best)
{
	struct dns_answer answer;

	ask(name, type, 0, 0, arena, &answer);
	if (answer.status == DNS_FOUND || answer.status == DNS_LOOP || !*have_best) {
		*best = answer;
		*have_best = true;
	} else if (best->status == DNS_NO_NAME ||
		   (best->status == DNS_NO_DATA && answer.status == DNS_TRY_AGAIN)) {
		*best = answer;
	}
	return answer.status == DNS_FOUND || answer.status == DNS_LOOP;
}

void
dns_search(const char *name, enum dns_type type, struct arena *arena, struct dns_answer *answer)
{
	unsigned dots = count_dots(name);
	size_t length = strlen(name);
	bool have_best = false, tried_as_is = false;

	*answer =
	    (struct dns_answer){.status = DNS_TRY_AGAIN, .canonical = arena_strdup(arena, name)};
	if (!prepare())
		return;
	if (length == 0 || length >= NAME_MAXIMUM) {
		answer->status = DNS_NO_NAME;
		return;
	}
	if (name[length - 1] == '.') {
		ask(name, type, 0, 0, arena, answer);
		return;
	}
	if (dots >= resolver.library.ndots) {
		tried_as_is = true;
		if (try_name(name, type, arena, answer, &have_best))
			return;
	}
	if ((dots == 0 && (resolver.library.options & RES_DEFNAMES) != 0) ||
	    (dots > 0 && (resolver.library.options & RES_DNSRCH) != 0)) {
		for (int i = 0; i < MAXDNSRCH && resolver.library.dnsrch[i] != NULL; i++) {
			const char *domain = resolver.library.dnsrch[i];

			if (*domain == '\0' || text_equal_nocase(domain, "."))
				continue;
			if (try_name(arena_printf(arena, "%s.%s", name, domain), type, arena,
				answer, &have_best))
				return;
			if ((resolver.library.options & RES_DNSRCH) == 0)
				break;
		}
	}
	if (!tried_as_is)
		try_name(name, type, arena, answer, &have_best);
}
