/*
 * map: keyed look-ups, the K lines of a configuration (Operations Guide 5.3.9).
 *
 * A map is declared once (from a K line, an alias file or another internal use) and opened at its
 * first look-up.  A file that changed since (device, inode, size or time) is opened again by
 * itself, so new credentials and aliases act at once.  A look-up takes a shared lock; of a small
 * database it is enough that all of it was read under one.
 */
#ifndef MAP_MAP_H
#define MAP_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

struct map;
struct map_set; /* the maps of one configuration, by name */

enum map_alias_name { MAP_ALIAS_LOCAL, MAP_ALIAS_NOT_LOCAL, MAP_ALIAS_ILLEGAL };

/* What look-ups may need of the world above; the rewriting engine fills it in. */
struct map_hooks {
	void *context;
	/* map class macro; value NULL: clear; false: the name is none */
	bool (*set_macro)(void *context, const char *name, const char *value);
	/*
	 * Tells at once what is wrong with a line of an alias file, between what check_alias_name tells;
	 * status as message_status.  NULL: it is collected in the result's message.
	 */
	void (*report)(void *context, const char *message, int status);
	/* a switch map's methods: fills at most `size` names, returns how many (ServiceSwitchFile) */
	size_t (*switch_methods)(
	    void *context, const char *service, const char *methods[], size_t size);
	bool is_deferred;	/* delivery mode d: maps with -D are not asked */
	bool keeps_aliases;	/* DontExpandCnames, for class host */
	const char *hosts_file; /* HostsFile, for class host; NULL: /etc/hosts */
	const char
	    *domain; /* $m, put behind a name of the hosts file that has no dot; NULL: none */
	const char *log_id;		/* queue id, for class syslog; NULL: none */
	const char *const *environment; /* "NAME=value" of E lines, for class program */
	size_t environment_count;
	const char *user_database; /* UserDatabaseSpec, for class userdb; NULL: none */
	/*
	 * Class stab and text alias files: may `name` be the left side of an alias?  It is asked once a
	 * line when the file is read (V8 runs its rules on it).  NULL: every name may.
	 */
	enum map_alias_name (*check_alias_name)(void *context, const char *name);
};

struct map_result {
	int status; /* EX_OK found; EX_UNAVAILABLE / EX_NOUSER / EX_NOHOST ... not found; EX_TEMPFAIL */
	bool found;
	const char *
	    value; /* when found: value with %0..%9 replaced and -a added; in the caller's arena.  On a
			      temporary failure the -T text, or NULL. */
	const char *
	    message; /* to tell the administrator ("hash map "x": missing map file ..."), or NULL; lines are
				separated by '\n' when there are several.  What does not change (a missing file) is said once. */
	int message_status; /* EX_OK: the message is a notice; EX_SOFTWARE, EX_OSERR: an error, as V8's syserr */
	bool hides_failure; /* V8: status is EX_TEMPFAIL, but the ruleset's status is not (-t) */
};

/* The end of test mode with -d38: V8 tells which maps it closes. */
void map_set_trace_end(const struct map_set *);

struct map_set *map_set_create(void);
void map_set_destroy(struct map_set *);

/*
 * Declares a map: `class_name` "hash", `arguments` what follows it on the K line.  NULL when the
 * class is unknown (map_class_exists says so before).  *error is NULL, or what is wrong with the
 * arguments in sendmail's words without "file: line N:", one message a line when there are several
 * (in `arena`); the map is there nevertheless, as in V8, though it may never open (map_is_open).
 * A second declaration of a name replaces the first, but for options that it
 * does not give (V8).  Names of maps are told apart without case.
 */
struct map *map_declare(struct map_set *, const char *name, const char *class_name,
    const char *arguments, struct arena *arena, const char **error);
/* Option LDAPDefaultSpec: what all ldap maps declared from now on start with. *error as in map_declare. */
void map_set_ldap_default(
    struct map_set *, const char *arguments, struct arena *, const char **error);
/*
 * An alias file of option AliasFile: class implicit reads the text into memory when the database is
 * missing, and a database that is older than its text is told in the log.
 */
void map_mark_alias(struct map *);
bool map_class_exists(const char *class_name);
bool map_class_takes_aliases(
    const char *class_name); /* those of the others are no lists of names */
struct map *map_find(const struct map_set *, const char *name);
/* The names of all maps that are declared now, ended by NULL. */
const char *const *map_set_names(const struct map_set *, struct arena *);
const char *map_name(const struct map *);
const char *map_class_name(const struct map *);
bool map_is_optional(const struct map *); /* -o */
const char *map_file(const struct map *); /* path argument, NULL when it has none */

/* What joins the words of a key on its way to this map (-S, BlankSub); arguments are joined by BlankSub. */
char map_space_substitute(const struct map *);
void map_set_space_substitute(
    struct map_set *, char); /* BlankSub, for the maps declared from now on; '.' until set */

/*
 * How files are judged before they are read: NULL, or why not ("World writable directory",
 * "Group writable file"); conf gives its safe-file check here.  None set: every file will do.
 */
typedef const char *map_file_check(void *context, const char *path);
void map_set_file_check(struct map_set *, map_file_check *, void *context);

/*
 * Test mode's question: opens the map if it is not; false: it cannot be used at all (bad
 * arguments, -o and no file).  The result's message is set as by a look-up.
 */
bool map_is_open(struct map *, const struct map_hooks *, struct arena *, struct map_result *);

/*
 * Looks `key` up with arguments %1.. (`arguments[0]` is %1).  Keys are folded to lower case and
 * unquoted as the map's options say.  Never crashes or blocks longer than the map's own limit,
 * whatever a file or server answers.
 */
void map_lookup(struct map *, const char *key, const char *const arguments[], size_t argument_count,
    const struct map_hooks *, struct arena *, struct map_result *);

/* The same for test mode's /map: the key as it is, quotes and all, no -T, no -D. */
void map_lookup_as_is(
    struct map *, const char *key, const struct map_hooks *, struct arena *, struct map_result *);

/*
 * The canonical name of a host by the methods of service `hosts` (files: HostsFile, dns), as class
 * host and test mode's /canon ask for it; `with_mx`: a name that has only an MX counts as well.
 * EX_OK and *canonical without final dot; EX_NOHOST; EX_TEMPFAIL.  In a circle of CNAMEs it is
 * EX_NOHOST, *canonical says where it was noticed and *message tells it; else *message is NULL.
 * Where the DNS does not know a name with a final dot, *canonical is that without it.
 */
int map_canonical_name(const char *name, bool with_mx, const struct map_hooks *, struct arena *,
    const char **canonical, const char **message);

/*
 * The hosts that take mail for `name`, best first, with final dots, as class bestmx and test mode's
 * /mx see them.  Returns how many were put in names (at most `size`); -1 for now not (EX_TEMPFAIL), and 0 with
 * *status EX_UNAVAILABLE for a null MX (RFC 7505).  *status is what the question for MX gave, even
 * where the host's own name is the answer.
 */
int map_mail_exchangers(const char *name, const struct map_hooks *, struct arena *,
    const char *names[], size_t size, int *status);

/* Puts a value's %0..%9 %% templates in (used by host and dequote as well): %0 is the key. */
void map_format(struct arena *, const char *value, const char *key, const char *const arguments[],
    size_t argument_count, const char **result);

/*
 * For a process without root's rights: look-ups of hash, btree and text files it may not read go to
 * the look-up twin over this socket; -1 for none.
 */
void map_set_twin(int socket_fd);

#endif
