/*
 * wire: the bytes between a mail server and its filters (the protocol of libmilter, versions 2 to 6).
 *
 * A packet is a length of four bytes, which counts what follows, a letter, and data: texts that end in NUL,
 * numbers of four bytes, the highest first.  No I/O here.
 */
#ifndef MILTER_WIRE_H
#define MILTER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "mail/verdict.h"

enum {
	MILTER_VERSION = 6,
	MILTER_VERSION_OLDEST = 2,
	MILTER_VERSION_UNKNOWN = 3,	     /* from which on filters hear of unknown commands */
	MILTER_VERSION_DATA = 4,	     /* and of DATA */
	MILTER_CHUNK = 65535,		     /* bytes of the body in a packet */
	MILTER_PACKET_MAXIMUM = 1024 * 1024, /* more no filter has to say at once */
};

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACROS = 'D',
	MILTER_END = 'E', /* of the message */
	MILTER_HELO = 'H',
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_END_HEADER = 'N',
	MILTER_NEGOTIATE = 'O',
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
	MILTER_UNKNOWN = 'U',
};

enum milter_reply {
	MILTER_ADD_RECIPIENT = '+',
	MILTER_ADD_RECIPIENT_WITH = '2', /* and its parameters */
	MILTER_DELETE_RECIPIENT = '-',
	MILTER_ACCEPT = 'a',
	MILTER_REPLACE_BODY = 'b',
	MILTER_CONTINUE = 'c',
	MILTER_DISCARD = 'd',
	MILTER_CHANGE_SENDER = 'e',
	MILTER_ADD_HEADER = 'h',
	MILTER_INSERT_HEADER = 'i',
	MILTER_CHANGE_HEADER = 'm',
	MILTER_PROGRESS = 'p',
	MILTER_QUARANTINE = 'q',
	MILTER_REJECT = 'r',
	MILTER_SKIP = 's',
	MILTER_TEMPFAIL = 't',
	MILTER_REPLY_CODE = 'y',
};

enum milter_action { /* what a filter may do at the end of a message */
	MILTER_MAY_ADD_HEADERS = 0x01,
	MILTER_MAY_CHANGE_BODY = 0x02,
	MILTER_MAY_ADD_RECIPIENTS = 0x04,
	MILTER_MAY_DELETE_RECIPIENTS = 0x08,
	MILTER_MAY_CHANGE_HEADERS = 0x10,
	MILTER_MAY_QUARANTINE = 0x20,
	MILTER_MAY_CHANGE_SENDER = 0x40,
	MILTER_MAY_ADD_RECIPIENTS_WITH = 0x80,
	MILTER_MAY_CHOOSE_MACROS = 0x100,
	MILTER_ACTIONS = 0x1ff,
};

enum milter_protocol { /* what a filter does not want to hear, and what it does not answer */
	MILTER_NO_CONNECT = 0x01,
	MILTER_NO_HELO = 0x02,
	MILTER_NO_MAIL = 0x04,
	MILTER_NO_RCPT = 0x08,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADERS = 0x20,
	MILTER_NO_END_HEADER = 0x40,
	MILTER_SILENT_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_MAY_SKIP = 0x400,
	MILTER_REJECTED_RCPT = 0x800, /* wants to hear of recipients that were refused */
	MILTER_SILENT_CONNECT = 0x1000,
	MILTER_SILENT_HELO = 0x2000,
	MILTER_SILENT_MAIL = 0x4000,
	MILTER_SILENT_RCPT = 0x8000,
	MILTER_SILENT_DATA = 0x10000,
	MILTER_SILENT_UNKNOWN = 0x20000,
	MILTER_SILENT_END_HEADER = 0x40000,
	MILTER_SILENT_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000, /* header values with the blank behind the colon */
	MILTER_PROTOCOL = 0x1fffff,
};

void milter_add_number(struct str *, uint32_t);
void milter_add_text(struct str *, const char *); /* with its NUL */
/* The length and the letter; `length` bytes of data have to follow. */
void milter_add_head(struct str *, char letter, size_t length);

/* What a filter sent, to be taken apart from the front. */
struct milter_packet {
	char letter;
	const char *at; /* NUL-terminated behind `left` bytes */
	size_t left;
};
uint32_t milter_read_number(const char bytes[4]);
/* False: there is none, or no NUL that ends it; nothing was taken then. */
bool milter_take_number(struct milter_packet *, uint32_t *);
bool milter_take_text(struct milter_packet *, const char **);

/*
 * "550 5.7.1 Text", or several lines of it apart by CR LF ("550-5.7.1 One" first); a percent sign is doubled.  The verdict's
 * text is in the arena, its lines apart by LF.  False: no reply of class 4 or 5.
 */
bool milter_parse_reply(const char *text, struct arena *, struct verdict *);

#endif
