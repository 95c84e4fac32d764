/*
 * mailer: the M lines.
 */
#ifndef CONF_MAILER_H
#define CONF_MAILER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mail/header.h"

enum { MAILER_MAXIMUM = 25, MAILER_ARGUMENTS = 30 };

struct mailer {
	int number;	  /* order: prog 0, *file* 1, *include* 2, then as in the file */
	const char *name;
	const char *path; /* P=: "[IPC]", "[FILE]" or a program */
	struct flag_set flags; /* F= */
	/* rulesets by number; 0 (parse) means none, as V8 shows them */
	int sender_envelope, sender_header; /* S= */
	int recipient_envelope, recipient_header; /* R= */
	long maximum_size;    /* M=; 0: none */
	int maximum_messages; /* m= */
	int maximum_recipients; /* r= */
	int line_limit;	      /* L= */
	const char *eol;      /* E=, escapes resolved */
	const char *const *arguments; /* A=, split at blanks, macros unexpanded, NULL-ended; [0] is "TCP", or argv[0] */
	size_t argument_count;
	const char *arguments_text; /* A= as written, for =M */
	const char *directory; /* D= */
	const char *chroot;    /* /= */
	const char *charset;   /* C= */
	const char *queue_group; /* Q= */
	const char *mta_type, *address_type, *diagnostic_type; /* T=; NULL when unset */
	bool has_uid, has_gid;
	uid_t uid; /* U= */
	gid_t gid;
	int nice;  /* N= */
	long wait_seconds; /* W= */
};

bool mailer_has(const struct mailer *, int flag);
bool mailer_is_smtp(const struct mailer *); /* P=[IPC], or LMTP/SMTP over a pipe: its A= has no $u */

#endif
