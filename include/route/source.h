/*
 * source: the places that may name recipients: an alias, a user's .forward, an :include: list; and
 * the proof that one of them does.
 *
 * Whoever expands a name remembers the chain that led there: the last alias or .forward, which
 * anybody may send to, then the lists in it.  Who has rights that others lack (the spawn twin) walks
 * the same chain himself, with his own configuration, and believes only what he finds: each list
 * must stand in what comes before it, and each file passes V8's checks of owners and modes.
 */
#ifndef ROUTE_SOURCE_H
#define ROUTE_SOURCE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/str.h"
#include "conf/config.h"

enum { SOURCES_MAXIMUM = 32 };

enum source_kind {
	SOURCE_ALIAS = 'a',
	SOURCE_FORWARD = 'f', /* ForwardPath */
	SOURCE_INCLUDE = 'i',
};

struct source {
	enum source_kind kind;
	const char *name;   /* the alias's key, the login name, the path */
	const char *detail; /* of a .forward: what stood behind the plus, for $h; else "" */
};

/* As whom programs and files named there are run and written (V8: ctladdr). */
struct source_owner {
	const char *login; /* "" when it is no user's own file */
	uid_t uid;	   /* 0 is never used: DefaultUser then */
	gid_t gid;	   /* 0: DefaultUser's group */
	bool is_unsafe;	   /* others could have written it */
	const char *name;  /* whose shell counts; "": nobody's, NULL: the uid has no name */
	bool has_bad_shell;
};

struct source_text {
	char *text; /* NULL: there is none */
	const char *path; /* of the file; NULL for an alias */
	struct source_owner owner;
	const char *reason; /* why there is none, in V8's words; NULL: nothing is wrong */
	bool is_temporary;  /* it may be there later */
	const char *complaints; /* about .forward files that were passed over: "PATH: reason", by lines; or NULL */
};

/*
 * What the last of the chain says.  True when there is a text.  A .forward that is not there, or
 * has no address, gives false without a reason.
 */
bool source_read(struct config *, const struct source *chain, size_t count, struct arena *,
    struct source_text *);

/* Does this text name the item, as it is written there? */
bool source_names(const char *text, const char *item, struct arena *);

/*
 * What such an item stands for: "|command" or "/file", without quotes, blanks as V8 leaves them; NULL
 * when it is neither.
 */
const char *source_target(const struct config *, const char *item, struct arena *);

/* "/path" of an :include: item; NULL when it is none. */
const char *source_include_path(const char *item);

/* The names of the sources as text, and back; for logs and for the twin's socket. */
const char *source_print(const struct source *, struct arena *);
bool source_parse(const char *text, struct source *, struct arena *);

/* A source_text as bytes, and back: for the twin's socket.  The reader copies into the arena. */
void source_put_answer(struct str *, const struct source_text *);
bool source_take_answer(const struct str *, struct arena *, struct source_text *);

#endif
