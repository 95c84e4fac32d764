/*
 * report: a report about a message as text: a delivery status notification (RFC 3462, 3464, with the
 * parameters of RFC 3461) in V8's words, or V8's plain form.  Pure: who gets it and what happened to
 * whom is decided elsewhere (run/report.h).
 */
#ifndef MAIL_REPORT_H
#define MAIL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/str.h"

enum report_action {
	REPORT_NOTHING, /* says nothing of this recipient */
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,      /* to a mailbox */
	REPORT_DELIVERED_LIST, /* to a mailing list */
	REPORT_RELAYED,	       /* to a peer that makes no reports */
	REPORT_EXPANDED,       /* an alias of several */
};

struct report_recipient {
	enum report_action action;
	const char *name;	/* for people: as it was given */
	const char *alias;	/* what it was expanded from; NULL */
	const char *reason;	/* for people, when it failed; NULL */
	const char *original;	/* ORCPT as received, "rfc822;x+2By@z" (xtext); NULL */
	const char *final;	/* "RFC822; user@host" */
	const char *actual;	/* "rfc822; user@host", "X-Unix; |program"; NULL: not told */
	const char *status;	/* "5.1.1" */
	const char *remote;	/* "DNS; host"; NULL */
	const char *diagnostic; /* "SMTP; 550 5.1.1 no such user"; NULL */
	time_t retry_until;	/* of one delayed; 0: not told */
};

/* Every text may come from a stranger: control characters do not break its line. */
struct report {
	bool is_mime; /* SendMimeErrors */
	const char *boundary;
	bool is_8bit;		  /* the original has 8-bit bytes */
	bool is_warning;	  /* nothing is final yet: says so in a box */
	const char *introduction; /* ErrorHeader as it is to appear, lines ended by \n; NULL */
	time_t arrived, attempted;
	time_t deliver_by; /* when it was to be there (RFC 2852); 0: no matter */
	const char *received_from; /* "root@localhost", "client.example [192.0.2.1]" */
	const char *with_id;	   /* queue id of the original, for a postmaster; NULL */
	const char *transcript;	   /* lines ended by \n; "" */
	const char *envid;	   /* as received (xtext); NULL */
	const char *reporting_mta; /* "mail.example.com" */
	const char *received_mta;  /* "DNS; client.example"; NULL */
	const struct report_recipient *recipients;
	size_t recipient_count;
	/* the original; without `returns_body` its header alone */
	bool returns_body;
	const char *header; /* lines ended by \n */
	size_t header_length;
	int body_fd; /* read with pread from its start; -1: no body */
	bool (*write)(
	    void *context, const char *bytes, size_t length); /* false: stop, errno is set */
	void *context;
};

/* The body of the report.  False with errno: it could not be written, or the original not be read. */
bool report_write(const struct report *);

/* "5 days", "1 hour, 30 minutes", "too long" for none: V8's words for a span of time. */
void report_interval(struct str *out, long seconds);

/* RFC 3461 4: the text behind an xtext; what is none stays as it is. */
void report_add_xtext(struct str *out, const char *xtext);

#endif
