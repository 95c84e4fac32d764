/*
 * reading: what conf's files share while one sendmail.cf is read.
 */
#ifndef CONF_READING_H
#define CONF_READING_H

#include "base/check.h"
#include "base/str.h"
#include "conf/config.h"

struct config_reading {
	const struct config_request *request;
	const char
	    *file; /* NULL: not in a file (command line, end of the file): no "FILE: line N:" */
	int line_number;
	int ruleset;   /* that R lines are added to; RULESET_NONE before the first S line */
	bool saw_rule; /* an R line: OperatorChars come too late */
	struct header_rule **last_header; /* where the next one goes */
	struct priority_class **last_priority;
	struct queue_group_conf **last_group;
	struct filter_conf **last_filter;
	size_t environment_capacity;
	bool is_command_line;	    /* options being set come from there */
	bool timeout_is_sticky[48]; /* by row of option_time.c */
	bool *sticky; /* by option row: set on the command line, which O lines do not change */
	struct str scratch; /* expanded line */
};

/* message.c: what is told about the configuration, to config_request.report in V8's words. */

/* An error with "FILE: line N:" in front.  status is an EX_ code. */
void config_error(struct config *, int status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Several messages apart by \n. */
void config_error_lines(struct config *, int status, const char *text);
/* The same, but no error status follows. */
void config_warn(struct config *, const char *format, ...) PRINTF_LIKE(2, 3);
/* V8's usrerr(): no error of the file, but -bv ends with 64. */
void config_usage(struct config *, const char *format, ...) PRINTF_LIKE(2, 3);
/* Told without file, line and, in SMTP modes, reply code. */
void config_print(struct config *, const char *format, ...) PRINTF_LIKE(2, 3);
/* A message that V8 prints without file and line; status 0: no more than a message. */
void config_note(struct config *, int status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Text of the cf as V8 quotes it in a message: its internal byte stands where the file has `$`. */
const char *config_show(struct config *, const char *text);

/* `$x` and conditionals replaced as D lines stand at this moment; valid until the next call. */
const char *config_expand_now(struct config *, const char *text);

/*
 * The operators of rules as V8's bytes, which C and S lines keep: a class that names `$*` has a word
 * that no address has.
 */
const char *config_mark_operators(struct config *, const char *text);

/* A time in `unit`; complains of bad units as V8 does, one message for each. */
long config_parse_time(struct config *, const char *text, char unit);

/* V8's message(): some things are told only to who asked to see what happens (-v, -bt, -bi, -bC). */
bool config_shows_messages(const struct config *);

/* Numbers as V8 reads them: digits at the start count, anything else is 0. */
long config_number(const char *text);

/*
 * The text at *at up to `delimiter` (not a quoted one, nor one behind a backslash) or its end, in the
 * arena: quotes gone, backslashes resolved.  *at is then at the delimiter.
 */
char *config_unquote(struct config *, const char **at, char delimiter);

/*
 * One `Name=value` of an M, Q or X line, from *at on: the letter, and the value with quotes and
 * backslashes resolved, in the arena.  EQUATE_BAD when the `=` is missing.
 */
enum equate { EQUATE_END, EQUATE_FOUND, EQUATE_BAD };
enum equate config_next_equate(struct config *, const char **at, int *letter, const char **value);
/* The name before the first equate; "" when there is none. */
const char *config_equate_name(struct config *, const char **at);

/* The tokeniser's table from OperatorChars, or the macro o, or what is built in. */
void config_set_operators(struct config *);

/* The words of a text, apart by blanks, into a class. */
void config_add_words(struct config *, int class_id, const char *text);

/* The lines of each kind; `text` is what follows the letter. */
void config_read_rule(struct config *, const char *text);	 /* R */
void config_read_ruleset(struct config *, const char *text);	 /* S */
void config_read_map(struct config *, const char *text);	 /* K */
void config_read_priority(struct config *, const char *text);	 /* P */
void config_read_trusted(struct config *, const char *text);	 /* T */
void config_read_environment(struct config *, const char *text); /* E */
void config_read_version(struct config *, const char *text);	 /* V */
void config_read_macro(struct config *, const char *text);	 /* D */
void config_read_class(struct config *, const char *text);	 /* C */
void config_read_class_file(struct config *, const char *text);	 /* F */
void config_read_header(struct config *, const char *text);	 /* H */
void config_read_mailer(struct config *, const char *text);	 /* M */
void config_read_option(struct config *, const char *text);	 /* O */
void config_read_queue_group(struct config *, const char *text); /* Q */
void config_read_filter(struct config *, const char *text);	 /* X */
void config_check_mailers(struct config *);			 /* at the end of the file */
void config_add_builtin_mailers(struct config *);

/* host.c: $w $j $m $k $=w and other built-in names, before the file is read and after it. */
void config_set_host_names(
    struct config *, bool may_ask); /* may_ask: the DNS, where nothing else knows */
void config_set_host_classes(struct config *);

void config_check_filters(
    struct config *); /* lists of filters name those that are there; at the end of the file */
void config_read_service_switch(struct config *); /* at the end of the file */

#endif
