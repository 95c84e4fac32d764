/*
 * ruleset: the S and R lines, compiled when they are read.  rule/ runs them.
 */
#ifndef CONF_RULESET_H
#define CONF_RULESET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct config;

/* Numbers: 0 to 99 may be given; named ones are numbered downwards from 199. */
enum { RULESET_GIVEN = 100, RULESET_MAXIMUM = 200, RULESET_NONE = -1 };

struct rule; /* compiled form: rule's and conf/ruleset's own, see conf/rule_code.h */

struct ruleset {
	int number;
	const char *name; /* NULL for one with a number only */
	struct rule *first, *last;
	bool is_defined; /* an S line was seen */
};

/* Finds by number or name ("3", "canonify", "check_rcpt"); RULESET_NONE when there is none. */
int ruleset_find(const struct config *, const char *name);

/*
 * The same for names that people type: *end is after it.  *error is NULL, or V8's words for a text
 * that is no name or a number out of range; a name that nobody defined is no error.
 */
int ruleset_parse(const struct config *, const char *text, const char **end, struct arena *,
    const char **error);

/*
 * Finds or makes one.  The name may be "x", "7", "x=7".  RULESET_NONE and *error in V8's words when
 * it is none; *error may also come with a number (a set that was to change its own keeps it).
 */
int ruleset_declare(struct config *, const char *text, const char **error, const char **warning);

/* True when the set exists and has rules: hooks that nobody wrote are not called. */
bool ruleset_is_there(const struct config *, const char *name);

/*
 * Compiles one R line (`line` is what follows the R, as read, tabs and all) and appends it.
 * false and *error in V8's words ("invalid rewrite line \"...\" (tab expected)", ...).
 */
bool ruleset_add_rule(struct config *, int number, const char *line, int line_number, const char **error);

#endif
