/*
 * option_row: the shape of the option table (option_table.c), read by option.c.
 */
#ifndef CONF_OPTION_ROW_H
#define CONF_OPTION_ROW_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"

enum option_type {
	OPTION_BOOL,
	OPTION_INT,
	OPTION_LONG,
	OPTION_TEXT,	/* NULL when empty */
	OPTION_TIME,	/* long, seconds; `unit` of a bare number */
	OPTION_MODE,	/* mode_t, octal */
	OPTION_SPECIAL, /* by its own function */
};

struct option_row {
	const char *name; /* NULL: a letter alone */
	char letter;	  /* 0: none */
	enum option_type type;
	char unit;
	bool is_safe;
	bool is_idle;
	size_t offset; /* in struct options */
	/* `sub` is what stands behind a dot of the name, NULL when nothing does */
	void (*set)(struct config *, const struct option_row *, const char *sub, const char *value);
	const char *default_value; /* NULL: stays zero */
	const char *documentation;
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

bool option_is_true(const char *value); /* V8: nothing, or t, T, y, Y in front */
bool option_is_idle(const char *name, const char *value);	/* "MeToo", "Timeout.ident": read, and this value without effect */
bool option_is_idle_timeout(const char *name);
/* The full name of an option that a line sets, `text` being what follows the O; NULL: none, or no name but a letter. */
const char *option_name_of(struct arena *, const char *text);
void option_set_line(struct config *, const char *text, enum option_source);
void option_set_timeout_defaults(struct config *);
void option_finish(
    struct config *); /* what depends on other lines: level, macros e l o, loads, users */

/* option_set.c: what does not fit a type. */
typedef void option_setter(
    struct config *, const struct option_row *, const char *sub, const char *value);
option_setter option_set_eight_bit_mode, option_set_alias_file, option_set_blank_sub,
    option_set_delivery_mode, option_set_error_mode, option_set_resolver_options,
    option_set_daemon_port, option_set_client_port, option_set_privacy, option_set_timeout,
    option_set_queue_timeout, option_set_super_safe, option_set_default_user,
    option_set_default_group, option_set_sort_order, option_set_no_recipient_action,
    option_set_run_as_user, option_set_dont_blame, option_set_probe_interfaces,
    option_set_trusted_user, option_set_mime_header_length, option_set_ssl_options,
    option_set_tls_srv_options, option_set_operator_chars, option_set_milter, option_set_macro,
    option_set_time_zone, option_set_load, option_set_min_free_blocks, option_set_connect_only_to,
    option_set_headers_length, option_set_ldap_default, option_set_auth_options,
    option_set_smtp_utf8;

#endif
