/*
 * list: what the control files of a queue say, for mailq and for choosing and sorting messages.
 * Reads of each file only what stands before the header, holds no lock, changes nothing, and does not mind what
 * others do meanwhile: a message that goes away is not listed.
 */
#ifndef QUEUE_LIST_H
#define QUEUE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/arena.h"
#include "queue/queue.h"

struct queue_listed_recipient {
	struct queue_listed_recipient *next;
	const char *address;
	const char *status;  /* its own M line, or NULL */
	const char *control; /* a C line before it, as it stands, or NULL */
};

struct queue_listed {
	char id[ENVELOPE_ID_SIZE];
	bool is_locked; /* somebody works on it */
	bool is_warned;
	int read_error; /* errno when the control file could not be read; 0 */
	int body_error; /* errno when there is no df to be seen; body_size is -1 then */
	off_t body_size;
	time_t created, last_attempt, modified;
	int attempts;
	long priority;
	const char *sender; /* NULL: no S line */
	const char *status, *body_type, *quarantine;
	struct queue_listed_recipient *recipients;
	size_t position;       /* in the directory */
	const char *directory; /* struct queue's `shown`: while the queue is open */
	const char *group;     /* the same for its group_name; NULL: mqueue */
	int group_number;      /* 0 is mqueue; in the order of the directories */
};

struct queue_list {
	struct arena *arena;
	struct queue_listed *items;
	size_t count, capacity;
};

/* One -q[!]I|R|S|Qtext: substrings of the id, a recipient, the sender, the reason of a quarantine. */
struct queue_filter {
	struct queue_filter *next;
	char field; /* 'I' 'R' 'S' 'Q' */
	bool is_negated;
	const char *text;
};

/* Tells of a name that is no regular file (mailq says so; a run logs it). */
typedef void queue_list_report(void *context, const char *name);

/*
 * Lists control files of one kind ('q', 'h', 'Q') that pass the filters, in no order: queue_list_sort is next.  0, or
 * -1 with errno.  report may be NULL.  The list is to be freed in both cases.
 */
int queue_list_read(struct queue *, char kind, const struct queue_filter *, queue_list_report *,
    void *context, struct queue_list *);
void queue_list_free(struct queue_list *);

/* V8: filters of the same letter are or'ed, different ones and'ed.  All but the id ignore case. */
bool queue_list_matches(const struct queue_filter *, const struct queue_listed *);

/*
 * QueueSortOrder: 'p' priority, 'h' host of the first recipient (then priority), 't' creation, 'f'
 * file name, 'm' modification, 'r' and 's' at random, 'n' as in the directory.  What is equal stays
 * in the directory's order.
 */
void queue_list_sort(struct queue_list *, char order);

/* From now on what is equal stays in the order in which the list is: behind queue_list_read that of the disk. */
void queue_list_keep_order(struct queue_list *);

#endif
