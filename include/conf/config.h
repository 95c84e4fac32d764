/*
 * config: one sendmail.cf, read whole, then immutable (test mode adds to its macros and classes).
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/table.h"
#include "conf/macro.h"
#include "conf/mailer.h"
#include "conf/option.h"
#include "conf/ruleset.h"
#include "mail/header.h"
#include "map/map.h"

/* The sendmail whose behaviour this is: $v, and what -d0.1 and warnings about the level show. */
#define CONFIG_V8_VERSION "8.17.1.9"

struct text_list {
	const char **items;
	size_t count;
};

/* One H line: `H?flags?Name: template` or `HName: $>ruleset`. */
struct header_rule {
	struct header_rule *next;
	const char *name;
	const char *template; /* NULL when the line only checks */
	struct flag_set mailer_flags;
	const char *macro;	   /* H?${x}? */
	const char *check_ruleset; /* $>name, NULL when none */
	bool strip_comments;	   /* $> without + : comments are taken off first */
};

struct priority_class {
	struct priority_class *next;
	const char *name;
	int value;
};

struct queue_group_conf { /* Q lines */
	struct queue_group_conf *next;
	const char *name, *path;
	struct flag_set flags;
	int nice, jobs, runners, recipients_maximum;
	bool has_runners; /* R= was given */
	long interval_seconds;
};

struct filter_conf { /* X lines */
	struct filter_conf *next;
	const char *name, *socket; /* "local:/path", "unix:/path", "/path", "inet:port@host", "inet6:..." */
	struct flag_set flags; /* F= */
	/* T=; connect_seconds 0: as long as the system tries */
	long connect_seconds, send_seconds, read_seconds, end_seconds;
};

enum { SERVICE_METHODS = 8 };
struct service_methods { /* a line of ServiceSwitchFile; asked through conf/service_switch.h */
	struct service_methods *next;
	const char *name, *methods[SERVICE_METHODS]; /* NULL after the last */
};

struct config {
	struct arena *arena;
	const char *file; /* name it was read from */
	int level;	  /* V line */
	const char *vendor;
	struct macro_names *names;
	struct macro_env *macros;
	struct class_set *classes;
	struct map_set *maps;
	struct mailer *mailers[MAILER_MAXIMUM];
	size_t mailer_count;
	struct mailer *local_mailer, *prog_mailer, *file_mailer,
	    *include_mailer;	     /* NULL when the cf has none */
	struct ruleset *rulesets;    /* RULESET_MAXIMUM of them, by number */
	struct table *ruleset_names; /* name -> struct ruleset */
	int next_named_ruleset;
	struct header_rule *headers; /* order of the file */
	struct priority_class *priorities;
	struct queue_group_conf *queue_groups;
	struct filter_conf *filters;
	struct text_list environment; /* "NAME=value" of E lines */
	struct service_methods *services;
	struct options options; /* conf/option.h: every O line, typed */
	/* the tokeniser's table, from OperatorChars; conf/reader sets it before the first R line */
	bool is_operator[256];
	int error_status; /* 0, or the exit status that the errors of the file amount to (70, 71, 72, 78) */
	bool saw_errors;
	bool saw_usage_errors; /* CONFIG_USAGE messages */
	bool has_wrong_setting; /* one of them was about the command line */
	bool is_exposed;       /* the file may be written by its group or by everybody */
	/* a setting of the command line came from a caller who is not safe and is not one of those that
	   anybody may use: special rights must be given up */
	bool used_unsafe_option;
	bool
	    is_fatal; /* an error that ends the program at once in every mode, -bt too (64: unknown delivery mode) */
	struct config_reading *
	    reading; /* src/conf/reading.h: what is known only while the file is read; NULL afterwards */
};

/*
 * Where messages about the file go, one each: "FILE: line N: TEXT" or a text of its own, without reply
 * code and final line break; what is quoted of the cf may have line breaks in it, which the log shows
 * as \n.
 */
enum config_message {
	CONFIG_ERROR,	/* an error status follows; V8 logs it */
	CONFIG_USAGE,	/* V8's usrerr(): no error for the file, but -bv ends with 64 */
	CONFIG_WARNING, /* V8's message() */
	CONFIG_PLAIN,	/* the same, without a reply code in the modes that speak SMTP */
};
typedef void config_report(void *context, const char *message, enum config_message kind);

struct config_request {
	const char *file;
	/* what stands in the file, when it is at hand: nothing is opened then, `file` is for messages */
	const char *text;
	size_t text_length;
	config_report *report;
	void *report_context;
	/* -M and -D settings made before the file is read; D lines win over them */
	const char *const *macro_settings; /* "Xvalue" or "{name}value", NULL-ended; or NULL */
	const char *const *
	    option_settings; /* -O and -o in order: "Name=value" long, "Xvalue" with a leading '-' for letters; NULL-ended */
	char
	    operation_mode; /* ${opMode}, the letter of -b, which rules may be written with; 0: not set */
	bool is_verbose;     /* -v */
	bool is_test_mode;   /* -bt: errors do not end anything */
	bool is_safe_caller; /* root, TrustedUser: unsafe options allowed */
};

/*
 * Reads the file.  Never NULL: a file that cannot be read gives a configuration with
 * error_status EX_OSFILE (72).  Built-in macros and classes ($v, $j, $w, $=w, $b, ...) are set.
 */
struct config *config_read(const struct config_request *);
void config_destroy(struct config *);

/*
 * The path of a filter's local socket; NULL: it listens elsewhere, and *family (AF_INET, AF_INET6), *port and
 * *host say where (in the arena, the host without brackets).
 */
const char *config_filter_path(const struct filter_conf *, struct arena *, int *family,
    const char **port, const char **host);
/*
 * One name of a list of filters (InputMailFilters) after the other; *at is NULL at the end, and *name in the arena.
 * The filter, or NULL when no X line has that name.
 */
const struct filter_conf *config_next_filter(const struct config *, const char **at,
    const char **name, struct arena *);

struct mailer *config_find_mailer(
    const struct config *, const char *name); /* case counts not; NULL: none */
const char *config_expand(
    const struct config *, const struct macro_env *, const char *template, struct arena *);
/*
 * The value of a macro by name ("j", "client_addr") in an environment, expanded; NULL when it has none.
 * Valid until the macro, or one it is made of, changes.
 */
const char *config_macro(const struct config *, const struct macro_env *, const char *name);
void config_set_macro(
    const struct config *, struct macro_env *, const char *name, const char *value);

#endif
