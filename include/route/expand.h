/*
 * expand: from the addresses given to those that get the message: aliases, :include: lists and
 * .forward files, as V8 follows them (Operations Guide 4.6, aliases(5)).
 */
#ifndef ROUTE_EXPAND_H
#define ROUTE_EXPAND_H

#include <stdbool.h>
#include <sys/types.h>

#include "route/alias.h"
#include "route/resolve.h"

enum expanded_state {
	EXPANDED_GOOD,	   /* is to be delivered to */
	EXPANDED_REPLACED, /* by what its alias, list or .forward says */
	EXPANDED_BAD,	   /* told, and verdict says why */
};

struct expanded {
	struct expanded *next;
	struct expanded *parent; /* whose alias or file named it; NULL: given */
	const char *address;	 /* as it was written */
	struct resolved resolved;
	enum expanded_state state;
	struct verdict verdict; /* of a bad one */
	bool is_self;		/* names itself: no alias and no .forward any more */
	bool is_temporary;	/* good only as far as can be told now */
	/* whose .forward or list led here: programs and files are his; NULL: an alias, or given */
	const struct alias_user *control;
};

struct expand {
	struct rule_context *rules; /* everything lives in its arena */
	bool no_aliasing;	    /* -n */
	/* errors ("alice... User unknown", with the exit status) and what -v tells (status -1: "team... aliased to a, b") */
	void (*say)(void *context, const char *text, int exit_status);
	void *context;
	const char *log_id; /* for what is logged about .forward files; NULL: "NOQUEUE" */
	/* the rest is filled in */
	const char *
	    place; /* "" or "/home/alice/.forward: line 1: ", to stand before what the rules tell */
	struct expanded *first; /* in V8's order of the queue: by host, then as found */
	int level;
};

/* Adds the addresses of a list that somebody gave. */
void expand_list(struct expand *, const char *list);

#endif
