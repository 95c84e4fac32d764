/*
 * arguments_private: what the parts of the command line's parser share.
 */
#ifndef MAIN_ARGUMENTS_PRIVATE_H
#define MAIN_ARGUMENTS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "main/arguments.h"

/* A growing list of strings that is handed out NULL-ended. */
struct arguments_list {
	const char **items;
	size_t count, capacity;
};

struct arguments_parser {
	struct arguments *out;
	struct arguments_list macros, options;
	struct argument_message **message_end;
	struct queue_selection **selection_end;
	int argc, at;
	char *const *argv;
};

/* Something to say, in the order of the calls: the exit status is 64 from now on. */
struct argument_message *arguments_say(struct arguments_parser *, const char *text);
/* The same, and nothing else happens. */
void arguments_fail(struct arguments_parser *, const char *text);

/* arguments_queue: the values of -q and -Q; "" where there is none. */
void arguments_take_queue(struct arguments_parser *, const char *value);
void arguments_take_quarantine(struct arguments_parser *, const char *value);
/* When all is read: -q and -Q change what a plain call does, and go together with few modes. */
void arguments_settle_queue_mode(struct arguments_parser *);

#endif
