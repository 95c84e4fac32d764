/*
 * date: the forms of time that mail uses.
 */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include <time.h>

enum { DATE_RFC822_SIZE = 48, DATE_CTIME_SIZE = 26 };

/* RFC 5322 3.3 as sendmail writes it: `Fri, 20 Nov 2026 10:49:58 +0100`, and `GMT` without an offset. */
const char *date_rfc822(time_t, char buffer[DATE_RFC822_SIZE]);

/* ctime(3) without its newline: `Fri Nov 20 10:49:58 2026`. */
const char *date_ctime(time_t, char buffer[DATE_CTIME_SIZE]);

#endif
