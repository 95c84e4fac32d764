/*
 * expand: from the addresses given to those that get the message: aliases, :include: lists and
 * .forward files, as V8 follows them (Operations Guide 4.6, aliases(5)).
 */
#ifndef ROUTE_EXPAND_H
#define ROUTE_EXPAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/envelope.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "route/source.h"

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
	bool is_local_rule;	/* set localaddr made it another one */
	/* of a replaced one: what says so, as whom programs and files in it are run, and its owner- */
	struct source source;
	struct source_owner control;
	const char *owner; /* new sender for those in it (owner-LIST); NULL: the old one */
	/* the user it is, when the mailer asks for one (flag w); else NULL */
	const struct alias_user *account;
	uint32_t hash;	/* of the user: most of a long list differ in it */
	unsigned given; /* of which call's address it is a part: struct expand's number then */
};

struct expand {
	struct rule_context *rules; /* everything lives in its arena */
	bool no_aliasing;	    /* -n */
	const struct resolved *sender; /* MeToo is off: who gets no copy as a member; NULL: everybody does */
	/* errors ("alice... User unknown", with the exit status) and what -v tells (status -1: "team... aliased to a, b") */
	void (*say)(void *context, const char *text, int exit_status);
	/* after the words about one that is refused; NULL: nobody wants to know */
	void (*refused)(void *context, const struct expanded *);
	void *context;
	const char *log_id; /* for what is logged about .forward files; NULL: "NOQUEUE" */
	/* source_read, or somebody with more rights who does the same; NULL: source_read */
	bool (*read)(void *context, const struct source *chain, size_t count, struct arena *,
	    struct source_text *);
	void *read_context;
	/* the rest is filled in */
	const char *
	    place; /* "" or "/home/alice/.forward: line 1: ", to stand before what the rules tell */
	struct expanded *first; /* in V8's order of the queue: by host, then as found */
	int level;
	unsigned given; /* counts the addresses that were given */
	bool has_loop, has_reached; /* of the address that is being followed: a circle; somebody */
};

/* The chain of sources that names this one; how many, 0 when it was given. */
size_t expand_chain(const struct expanded *, struct source chain[SOURCES_MAXIMUM]);

/* V8's ctladdr: the nearest of itself and those that led to it that programs are run for; NULL: none. */
const struct expanded *expand_control(const struct expanded *);

/* The owner of the nearest list it came from, or NULL. */
const char *expand_owner(const struct expanded *);

/*
 * Fills a recipient from it, all but `final` and the flags of its delivery status: address, mailer,
 * control user and alias as V8 queues them (C line, flag A), owner, chain.
 */
void expand_fill(const struct expand *, const struct expanded *, struct recipient *);

/* For expand.sender; NULL where MeToo is on, or the sender is nobody here. */
const struct resolved *expand_sender(struct rule_context *, const char *sender);

/* Adds one address that was given and is resolved. */
void expand_resolved(struct expand *, const char *address, const struct resolved *);

/* Adds the addresses of a list that somebody gave. */
void expand_list(struct expand *, const char *list);

#endif
