/*
 * check: our own mistakes, and memory.
 *
 * Faults are told apart by who is at fault.  A broken promise in our code ends this process
 * (check, panic).  Memory that the system refuses ends it too, with EX_TEMPFAIL, so that a caller
 * tries again.  Data from the network, the queue, a map or the cf never ends a process: those
 * yield a verdict or an error value.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

#if defined(__GNUC__)
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NO_RETURN                __attribute__((noreturn))
#else
#define PRINTF_LIKE(text, first)
#define NO_RETURN
#endif

/* Ends the process when a promise of the code itself is broken. */
#define check(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

void check_failed(const char *what, const char *file, int line) NO_RETURN;

/* Memory that is there, or the process ends with EX_TEMPFAIL.  A size of 0 is taken as 1 (AIX's malloc(0) is NULL). */
void *check_malloc(size_t size);
void *check_realloc(void *old, size_t size);
char *check_strdup(const char *text);

#endif
