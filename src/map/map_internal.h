/*
 * map_internal: what the classes of maps share.  A class is one row of the table in map.c; it sees
 * a struct map and a struct map_call, never the world above.
 */
#ifndef MAP_INTERNAL_H
#define MAP_INTERNAL_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sysexits.h>
#include <time.h>

#include "base/check.h"
#include "base/table.h"
#include "map/map.h"

/* V8's EX_NOTFOUND: the status of many classes when a key is not there. */
enum { MAP_NOT_FOUND = EX_NOHOST };

struct map_options {			       /* what the dashes of a K line said */
	bool is_optional;		       /* -o */
	bool matches_only;		       /* -m: the value is the key */
	bool keeps_case;		       /* -f */
	bool keeps_quotes;		       /* -q */
	bool only_with_nul;		       /* -N */
	bool only_plain;		       /* -O; neither: both kinds of keys are tried; V8: both: none */
	bool hides_failure;		       /* -t */
	bool is_put_off;		       /* -D: not asked in deferred mode */
	const char *append;		       /* -a */
	const char *temporary;		       /* -T */
	const char *key_column, *value_column; /* -k, -v */
	bool has_delimiter;
	char delimiter; /* -z */
	char space;	/* -S */
};

struct map {
	struct map_set *set;
	const char *name;
	const struct map_class *class;
	struct map_options options;
	const char *file; /* first word after the options */
	const char *rest; /* what follows it: arguments of programs */
	void *state;	  /* the class's own, in the set's arena */
	void *text;	  /* map_stab's, beside the class's own */
	bool is_alias;	  /* map_mark_alias */
	bool is_invalid;  /* its K line was wrong: never opens */
	bool is_open;
	bool said_failure; /* an open that fails says why once */
	struct map *next;  /* of the set */
};

struct map_set {
	struct arena *arena;
	struct table *maps;
	struct table *hosts; /* what class host found, when that is traced; NULL else */
	struct map *first;   /* every map ever declared, for closing */
	char space;
	struct map *ldap_default; /* option LDAPDefaultSpec; NULL: none */
	map_file_check *check_file;
	void *check_context;
};

struct map_call {	 /* one look-up on its way */
	const char *key; /* %0 */
	const char *const *arguments;
	size_t argument_count;
	const struct map_hooks *hooks; /* never NULL; its members may be */
	struct arena *arena;
	struct map_result *result;
	int depth;   /* maps within maps */
	bool is_raw; /* for a twin's asker: the value as the file has it */
};

struct map_errors { /* what map_declare collects: messages, one a line */
	struct arena *arena;
	const char *text; /* NULL: none */
};

struct map_class {
	const char *name;
	/* reads the arguments; false: the map can never be used */
	bool (*declare)(struct map *, const char *arguments, struct map_errors *);
	/* NULL: always open.  false: map_open_failed was called */
	bool (*open)(struct map *, struct map_call *);
	void (*lookup)(struct map *, struct map_call *); /* of an open map; leaves the result */
	void (*close)(struct map *);			 /* NULL: nothing to close */
	/* which kinds of keys an open map may have as far as is known; NULL: no database */
	enum map_keys { MAP_KEYS_PLAIN = 1, MAP_KEYS_WITH_NUL = 2 } (*key_kinds)(
	    const struct map *);
	const char *trace_name; /* of NAME_map_lookup with -d38.20; NULL: V8 shows nothing */
	bool has_no_file;	/* `file` is another argument */
	/* V8's map_rewrite, for -d39 */
	enum map_rewriting { MAP_REWRITES, MAP_REWRITES_PLAINLY, MAP_REWRITES_NOT } rewriting;
	void (*forget)(
	    struct map *); /* frees what declare() made outside the arena; NULL: nothing */
};

/* --- map_file.c: what the classes that read files share */
struct map_stamp { /* which file, and which state of it */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};
void map_stamp_take(struct map_stamp *, const struct stat *);
bool map_stamp_equal(const struct map_stamp *, const struct map_stamp *);
/* Takes the shared lock of a look-up, patiently but not for ever (30 s). false: somebody keeps it. */
bool map_lock_shared(int fd);
void map_unlock(int fd);

/* --- map_trace.c */
void map_trace_open(const struct map *, bool is_valid);
void map_trace_file(const struct map *);
void map_trace_lookup(const struct map *, const struct map_call *);
void map_trace_rewrite(
    const struct map *, const struct map_call *, const char *value, const char *result);

/* --- map_stab.c, for implicit alias maps without a database as well */
/* "[1.2.3.4]" or "[IPv6:...]" to an address for getnameinfo; false: neither. */
bool map_read_literal(const char *key, struct sockaddr_storage *, socklen_t *length);
bool map_stab_open(struct map *, struct map_call *);
void map_stab_lookup(struct map *, struct map_call *);
void map_stab_close(struct map *);

/* --- map_records.c: a database in memory.  NULL: it cannot be read whole, or has keys that are no texts */
struct map_records;
struct map_records *map_records_read(void *database); /* a DB, opened */
/* The value, which lives as long as the records; NULL: there is none. */
const char *map_records_get(const struct map_records *, const char *key, bool with_nul);
void map_records_free(struct map_records *); /* leaves nothing of them in memory; NULL is allowed */

/* --- map_twin.c */
bool map_twin_is_there(void);
void map_twin_ask(struct map *, struct map_call *); /* settles the call */

/* --- map_options.c */
void map_add_error(struct map_errors *, const char *format, ...) PRINTF_LIKE(2, 3);
/* A class's own options: called for each dash word before the general meaning is tried; true: taken. */
typedef bool map_own_option(struct map *, char letter, const char *value, struct map_errors *);
/* An option that every class understands; false: it is none. */
bool map_take_general(struct map *, char letter, const char *value);
/* Reads the dash words; returns what follows them.  Letters nobody knows are errors that V8 goes on after, or nothing. */
const char *map_read_options(struct map *, const char *arguments, map_own_option *,
    bool unknown_is_error, struct map_errors *);
/* Splits what follows the options into file and rest; false and an error when there is no file name. */
bool map_take_file(struct map *, const char *arguments, struct map_errors *);
/* The two together, for classes without options of their own. */
bool map_declare_file(struct map *, const char *arguments, struct map_errors *);
bool map_declare_plain(
    struct map *, const char *arguments, struct map_errors *); /* no file needed */
char map_read_delimiter(const char *value); /* -z: one character, or \t \n \r \\ */

/* --- map.c, for classes */
void map_give(
    struct map *, struct map_call *, const char *value); /* found: %0..%9 replaced, -a added */
void map_give_literal(
    struct map *, struct map_call *, const char *value); /* found: as it is, and -a */
void map_miss(struct map_call *, int status);
void map_say(struct map_call *, const char *format, ...) PRINTF_LIKE(2, 3); /* an error */
void map_notice(struct map_call *, const char *format, ...) PRINTF_LIKE(2, 3);
const char *map_fold_key(struct map *, struct map_call *); /* lower case unless -f */
/* The value as the file has it: no %0, no -a, no -m (they are the asker's business). */
void map_lookup_raw(struct map *, const char *key, struct arena *, struct map_result *);
/* A member of a sequence or switch: opens it when needed. */
void map_lookup_member(struct map *, struct map_call *);
/* NULL, or why the file must not be read. */
const char *map_unsafe_file(struct map *, const char *path);
/* What open() says and returns when it fails: a message (once; "" for none). */
bool map_open_failed(struct map *, struct map_call *, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same where V8's errno says why: EX_OSERR. */
bool map_open_denied(struct map *, struct map_call *, const char *format, ...) PRINTF_LIKE(3, 4);

/* The rows of the table. */
extern const struct map_class map_class_null, map_class_dequote, map_class_arith, map_class_macro,
    map_class_regex, map_class_text, map_class_hash, map_class_btree, map_class_implicit,
    map_class_dns, map_class_host, map_class_bestmx, map_class_sequence, map_class_switch,
    map_class_user, map_class_userdb, map_class_ldap, map_class_cdb, map_class_program,
    map_class_socket, map_class_syslog, map_class_stab, map_class_nis, map_class_nisplus;

#endif
