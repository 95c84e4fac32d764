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
 * MACRO_NONE and *error (literal or in arena) when it is none; V8's words.
 */
int macro_name_parse(struct macro_names *, const char *text, const char **end, struct arena *, const char **error);
int macro_id(struct macro_names *, const char *name);	    /* "r" or "client_addr"; made when unknown */
int macro_id_find(const struct macro_names *, const char *name); /* MACRO_NONE when unknown */
const char *macro_name(const struct macro_names *, int id);	    /* "r" or "{client_addr}", as printed */

struct macro_env;
struct macro_env *macro_env_create(const struct macro_env *parent); /* parent NULL for the configuration's */
void macro_env_destroy(struct macro_env *);
void macro_env_clear(struct macro_env *); /* forgets its own values */
void macro_set(struct macro_env *, int id, const char *value); /* copies; NULL takes the value away (hiding a parent's) */
const char *macro_get(const struct macro_env *, int id);	    /* NULL when there is none */

/*
 * The encoding of `$` operators inside stored text: one byte MACRO_BYTE + 1..n.  Text of D, C, H,
 * O lines is kept with `$x` as \001 id... see conf/reader; macro_expand gives plain text.
 * Expands `$x`, `${name}`, `$$`, `$&x` and conditionals `$?x ... $| ... $.` in a template as it
 * stands in the cf.
 */
void macro_expand(struct macro_names *, const struct macro_env *, const char *template, struct str *out);

/* Classes: sets of phrases without regard to case; a phrase may be several tokens ("mail.example.com"). */
struct class;
struct class_set;
struct class_set *class_set_create(void);
void class_set_destroy(struct class_set *);
void class_add(struct class_set *, int id, const char *phrase);
bool class_has(const struct class_set *, int id, const char *phrase, size_t length);
size_t class_count(const struct class_set *, int id);
bool class_next(const struct class_set *, int id, size_t *position, const char **phrase);

#endif
