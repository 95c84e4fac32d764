/*
 * macro: macros and classes.
 *
 * A macro has an id: its character for one-letter names, 128 up for long ones, the same in one
 * configuration and all envelopes.  Values live in environments: the configuration's own, and one
 * a session or envelope whose parent it is; a look-up goes up until a value is found.
 */
#ifndef CONF_MACRO_H
#define CONF_MACRO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/table.h"

struct config;

/* Ids.  The names are one namespace for macros, classes and options such as {persistentMacros}. */
struct macro_names;
struct macro_names *macro_names_create(void);
void macro_names_destroy(struct macro_names *);

enum { MACRO_NONE = -1 };
/*
 * Reads `x` or `{name}` at the start of text, making a new id where needed.  *end is after it.
 * MACRO_NONE and *error (literal or in arena) when it is none, in V8's words, two messages apart by
 * \n.  As in V8 a name with characters that may not be in one is used without them, with an error:
 * set *error to NULL first and ask it in any case.
 */
int macro_name_parse(
    struct macro_names *, const char *text, const char **end, struct arena *, const char **error);
int macro_id(struct macro_names *, const char *name); /* "r" or "client_addr"; made when unknown */
int macro_id_find(const struct macro_names *, const char *name); /* MACRO_NONE when unknown */
const char *macro_name(const struct macro_names *, int id); /* "r" or "{client_addr}", as printed */

/* V8's byte for a name, which messages and -d84.1 show: in the order in which texts had them; 0: none. */
int macro_number(const struct macro_names *, int id);

struct macro_env;
struct macro_env *macro_env_create(
    const struct macro_env *parent); /* parent NULL for the configuration's */
void macro_env_destroy(struct macro_env *);
void macro_env_clear(struct macro_env *); /* forgets its own values */

/*
 * How text with `$` is kept: as it stands in the cf, `$x ${name} $&x $$ $?x $| $.` and all; there is
 * no internal byte form.  Two kinds of values keep data from being read as such:
 *   - macro_set: plain text (an address, a host name); a `$` in it is a dollar.
 *   - macro_set_template: text of a D line; macros in it are expanded each time it is used, as V8.
 * Both copy; NULL takes the value away (hiding a parent's).
 */
void macro_set(struct macro_env *, int id, const char *value);
void macro_set_template(struct macro_env *, int id, const char *text);

/*
 * The value as it was set, NULL when there is none.  What may have come from a D line ($j, $n, $e)
 * is not yet expanded: use config_macro() of conf/config.h where the text is wanted.
 */
const char *macro_get(const struct macro_env *, int id);
bool macro_is_template(const struct macro_env *, int id);
/* The value expanded; valid until a macro in it changes, or it is asked for with other macros. */
const char *macro_expanded(struct macro_names *, const struct macro_env *, int id);

/*
 * Expands a template: `$x`, `${name}`, `$&x` by their values (templates in turn, plain text as it
 * is; nothing when unset), `$$` to a dollar, `$?x ... $| ... $.` by whether x has a value that is not
 * empty.  What is no macro after a `$` stays.  Loops of macros end at a depth of 10,
 * and values that double each other after 10,000 of them: false then, with what there is by
 * that time in `out`.
 * Callers hand in text of the cf only; data of messages is never a template.
 */
bool macro_expand(
    struct macro_names *, const struct macro_env *, const char *template, struct str *out);

/*
 * The same for text that stays a template: R lines, and what D lines put into them.  `$x`, `${name}`
 * and conditionals are replaced; `$&x`, `$$`, `$*`, `$1`, `$=x`, `$[` and all other operators stay as
 * they stand, also those that come out of a macro's value.  A plain value's `$` comes out as `$$`.
 */
bool macro_expand_line(
    struct macro_names *, const struct macro_env *, const char *line, struct str *out);

/* Classes: sets of phrases without regard to case; a phrase may be several tokens ("mail.example.com"). */
struct class_set;
struct class_set *class_set_create(void);
void class_set_destroy(struct class_set *);
void class_add(
    struct class_set *, int id, const char *phrase); /* the phrase's own spelling is kept */
void class_clear(struct class_set *, int id);
bool class_has(const struct class_set *, int id, const char *phrase, size_t length);
size_t class_count(const struct class_set *, int id);
size_t class_longest(const struct class_set *,
    int id); /* bytes of the longest phrase, 0 when empty: no need to ask for more */
/* All of them in the order in which V8 shows a class, that of its symbol table; in the arena. */
const char *const *class_list(const struct class_set *, int id, struct arena *, size_t *count);
/* Walks in the order of addition: set *position to 0 first; false at the end. */
bool class_next(const struct class_set *, int id, size_t *position, const char **phrase);

#endif
