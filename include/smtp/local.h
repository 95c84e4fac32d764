/*
 * local: how the sendmail command hands a message to the daemon of its own host.
 *
 * A stream socket in the file system, LOCAL_SOCKET_PATH, mode 0666 in a directory that only root
 * can write to (so nobody else can pose as the daemon).  Who calls is what the kernel says
 * (os_peer), never what the caller says.  The protocol below is spoken on this socket only; it is
 * never offered, and its words are unknown commands, on TCP and with -bs.
 *
 * The caller speaks at once, there is no greeting, and it need not wait for anything:
 *
 *     XENV 1 LENGTH [mode=X] [hops=N] [gateway]... CRLF
 *     LENGTH bytes: the envelope in qf form, as control_write makes it
 *     BDAT LENGTH CRLF
 *     LENGTH bytes of the body: lines end in LF as in a df, any byte is allowed, no dot is doubled
 *     ...                     as many BDAT as the caller likes, none for an empty body
 *     BDAT 0 LAST CRLF        (LENGTH may be more than 0 here too)
 *
 * A line of the daemon's answer ends in CRLF.  It comes after LAST, or as soon as it is a refusal:
 *
 *     R INDEX CODE D.S.N TEXT   the recipient with this number (0 is the first of the qf) was
 *                               refused; any number of lines; the others go on
 *     250 2.0.0 ID Message accepted for delivery     it is on disk: the caller may exit 0
 *     CODE D.S.N TEXT           4xx: nothing was kept, queue it in the client queue or exit 75;
 *                               5xx: refused, as the same reply to DATA would be
 *
 * When the connection ends before the final line, the caller does not know; it keeps the message
 * (a duplicate is better than a loss).  Then the next XENV may follow on the same connection.
 *
 * The other request is a hint, `sendmail -q` by somebody who may run the queue:
 *
 *     XRUN CRLF                 250 2.0.0 ... or 550 5.7.1 ...
 *
 * What the envelope holds: S the sender as given (-f, or the login name), the recipients with
 * their N S F D flags in the order V8 keeps them, B F Z A lines, macros, and the header *as the
 * message has it*: no field of the cf's H lines is added, no Bcc taken out of it.  The daemon does
 * for the caller what a set-user-id sendmail would do: default fields (Received, Date, From,
 * Message-Id), X-Authentication-Warning, hop count, limits, check_* rulesets, commit.
 * Macros that are taken from anybody: r and s (-p), x (full name); from root and trusted users all
 * others too (-M).  $_, client_* and the like are made by the daemon from the peer's identity.
 * T, K, N, P, I, M, d, C lines and the id are not read.
 */
#ifndef SMTP_LOCAL_H
#define SMTP_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define LOCAL_SOCKET_PATH STATEDIR "/run/pillarbox/submit"

/* LOCAL_SOCKET_PATH, or $PILLARBOX_SOCKET in a process without special rights (tests). */
const char *local_socket_path(void);

enum { LOCAL_VERSION = 1, LOCAL_ENVELOPE_MAXIMUM = 16 * 1024 * 1024, LOCAL_LINE_MAXIMUM = 512 };

struct local_request {
	size_t envelope_length;
	char
	    delivery_mode; /* i b q d; 0: the daemon's DeliveryMode.  i acts as b: accepted is accepted */
	int hop_count;	 /* -h */
	bool is_gateway; /* -G: addresses are not completed */
};

/* Appends the XENV line for this request. */
void local_write_request(struct str *out, const struct local_request *);

/* Reads what follows "XENV ".  False: malformed, or another version. Unknown words are skipped. */
bool local_parse_request(const char *text, struct local_request *);

/* Reads what follows "BDAT ". */
bool local_parse_chunk(const char *text, size_t *length, bool *is_last);

#endif
