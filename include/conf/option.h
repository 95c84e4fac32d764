/*
 * option: every O line as a typed field, described by one table row each (name, old letter, type,
 * default, who may set it, documentation): src/conf/option_table.c.  Times are in seconds.
 */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"

struct config;

/* Timeout.queuereturn and .queuewarn by the class of a message. */
struct class_timeouts {
	long normal, urgent, non_urgent, dsn;
};

struct timeouts {
	long connect, initial_connect, all_connect, initial, helo, mail, rcpt, data_init,
	    data_block, data_final, rset, quit, misc, command, ident, file_open, control, lhlo,
	    auth, starttls, host_status, queue_return_default;
	struct class_timeouts queue_return, queue_warn; /* queue_warn 0: none */
	long resolver_retrans, resolver_retry, resolver_retrans_first, resolver_retry_first;
};

enum privacy_flag {
	PRIVACY_NEED_MAIL_HELO = 1 << 0,
	PRIVACY_NEED_EXPN_HELO = 1 << 1,
	PRIVACY_NEED_VRFY_HELO = 1 << 2,
	PRIVACY_NO_EXPN = 1 << 3,
	PRIVACY_NO_VRFY = 1 << 4,
	PRIVACY_NO_ETRN = 1 << 5,
	PRIVACY_NO_VERB = 1 << 6,
	PRIVACY_AUTH_WARNINGS = 1 << 7,
	PRIVACY_RESTRICT_MAILQ = 1 << 8,
	PRIVACY_RESTRICT_QRUN = 1 << 9,
	PRIVACY_RESTRICT_EXPAND = 1 << 10,
	PRIVACY_NO_RECEIPTS = 1 << 11,
	PRIVACY_NO_BODY_RETURN = 1 << 12,
	PRIVACY_NO_ACTUAL_RECIPIENT = 1 << 13,
	PRIVACY_GOAWAY = 1 << 14,
};

/* DontBlameSendmail: each allows one thing that is unsafe.  Bits of options.dont_blame. */
enum dont_blame {
	BLAME_ASSUME_SAFE_CHOWN,
	BLAME_CERT_OWNER,
	BLAME_CLASS_FILE_IN_UNSAFE_DIR_PATH,
	BLAME_DONT_WARN_FORWARD_FILE_IN_UNSAFE_DIR_PATH,
	BLAME_ERROR_HEADER_IN_UNSAFE_DIR_PATH,
	BLAME_FILE_DELIVERY_TO_HARD_LINK,
	BLAME_FILE_DELIVERY_TO_SYM_LINK,
	BLAME_FORWARD_FILE_IN_GROUP_WRITABLE_DIR_PATH,
	BLAME_FORWARD_FILE_IN_UNSAFE_DIR_PATH,
	BLAME_FORWARD_FILE_IN_UNSAFE_DIR_PATH_SAFE,
	BLAME_GROUP_READABLE_KEY_FILE,
	BLAME_GROUP_READABLE_SASL_DB_FILE,
	BLAME_GROUP_READABLE_DEFAULT_AUTH_INFO_FILE,
	BLAME_GROUP_WRITABLE_ALIAS_FILE,
	BLAME_GROUP_WRITABLE_DIR_PATH_SAFE,
	BLAME_GROUP_WRITABLE_FORWARD_FILE,
	BLAME_GROUP_WRITABLE_FORWARD_FILE_SAFE,
	BLAME_GROUP_WRITABLE_INCLUDE_FILE,
	BLAME_GROUP_WRITABLE_INCLUDE_FILE_SAFE,
	BLAME_GROUP_WRITABLE_SASL_DB_FILE,
	BLAME_HELP_FILE_IN_UNSAFE_DIR_PATH,
	BLAME_INCLUDE_FILE_IN_GROUP_WRITABLE_DIR_PATH,
	BLAME_INCLUDE_FILE_IN_UNSAFE_DIR_PATH,
	BLAME_INCLUDE_FILE_IN_UNSAFE_DIR_PATH_SAFE,
	BLAME_INSUFFICIENT_ENTROPY,
	BLAME_LINKED_ALIAS_FILE_IN_WRITABLE_DIR,
	BLAME_LINKED_CLASS_FILE_IN_WRITABLE_DIR,
	BLAME_LINKED_FORWARD_FILE_IN_WRITABLE_DIR,
	BLAME_LINKED_INCLUDE_FILE_IN_WRITABLE_DIR,
	BLAME_LINKED_MAP_IN_WRITABLE_DIR,
	BLAME_LINKED_SERVICE_SWITCH_FILE_IN_WRITABLE_DIR,
	BLAME_MAP_IN_UNSAFE_DIR_PATH,
	BLAME_NON_ROOT_SAFE_ADDR,
	BLAME_RUN_PROGRAM_IN_UNSAFE_DIR_PATH,
	BLAME_RUN_WRITABLE_PROGRAM,
	BLAME_TRUST_STICKY_BIT,
	BLAME_WORLD_WRITABLE_ALIAS_FILE,
	BLAME_WORLD_WRITABLE_FORWARD_FILE,
	BLAME_WORLD_WRITABLE_INCLUDE_FILE,
	BLAME_WRITE_MAP_TO_HARD_LINK,
	BLAME_WRITE_MAP_TO_SYM_LINK,
	BLAME_WRITE_STATS_TO_HARD_LINK,
	BLAME_WRITE_STATS_TO_SYM_LINK,
	BLAME_COUNT,
};

enum super_safe {
	SUPER_SAFE_FALSE,
	SUPER_SAFE_INTERACTIVE,
	SUPER_SAFE_TRUE,
	SUPER_SAFE_POSTMILTER
};

struct daemon_port { /* one DaemonPortOptions or ClientPortOptions line; NULL: not given */
	struct daemon_port *next;
	const char *name, *port, *address, *family, *input_mail_filters;
	/* listen_backlog 0: as long as the system allows, where sendmail has 10 */
	int listen_backlog, send_buffer, receive_buffer, children_maximum, refuse_load, delay_load,
	    queue_load;
	char delivery_mode;    /* 0: the global one */
	const char *modifiers; /* letters, "" when none */
};

/* The moments at which mail filters are told macros, by the numbers of the filter protocol. */
enum filter_stage {
	FILTER_CONNECT,
	FILTER_HELO,
	FILTER_MAIL,
	FILTER_RCPT,
	FILTER_DATA,
	FILTER_EOM, /* end of the message */
	FILTER_EOH, /* end of the header */
	FILTER_STAGES
};

struct option_text_list { /* options that may be given several times, or are comma lists */
	const char **items;
	size_t count;
};

struct options {
	/* names follow the long option names of the Operations Guide 5.6 */
	struct option_text_list alias_files; /* AliasFile */
	long alias_wait_seconds;
	bool allow_bogus_helo;
	int auth_max_bits;
	const char *auth_mechanisms;
	const char *auth_options; /* letters */
	const char *auth_realm;
	int bad_rcpt_throttle;
	char blank_sub;
	const char *ca_cert_file, *ca_cert_path, *cert_fingerprint_algorithm;
	bool check_aliases;
	int checkpoint_interval;
	const char *cipher_list, *cipher_suites;
	long class_factor;
	const char *client_cert_file, *client_key_file, *client_ssl_options, *server_cert_file,
	    *server_key_file, *server_ssl_options;
	struct daemon_port *client_ports, *daemon_ports;
	bool colon_ok_in_addr;
	int connection_cache_size;
	long connection_cache_timeout_seconds;
	const char *connect_only_to;
	int connection_rate_throttle;
	long connection_rate_window_seconds;
	const char *control_socket_name, *crl_file, *crl_path, *dh_parameters;
	long data_file_buffer_size;
	const char *dead_letter_drop, *default_auth_info, *default_char_set, *default_user;
	uid_t default_uid;
	gid_t default_gid;
	int delay_load;
	long deliver_by_minimum_seconds;
	char delivery_mode; /* b i q d */
	long dial_delay_seconds;
	const char *direct_submission_modifiers;
	unsigned long long dont_blame; /* DontBlameSendmail: 1ULL << enum dont_blame */
	bool dont_expand_cnames, dont_init_groups;
	char dont_probe_interfaces; /* 'f' 't' 'l' */
	bool dont_prune_routes;
	const char *double_bounce_address;
	char eight_bit_mode; /* m p s */
	const char *error_header;
	char error_mode; /* p q m w e */
	const char *fallback_mx_host, *fallback_smart_host;
	int fast_split;
	bool fork_each_job;
	const char *forward_path, *helo_name, *help_file;
	bool hold_expensive;
	const char *hosts_file, *host_status_directory;
	bool ignore_dots;
	const char *input_mail_filters;
	int log_level;
	const char *mailbox_database;
	bool match_gecos;
	int max_alias_recursion, max_daemon_children;
	long max_headers_length;
	int max_hop_count;
	long max_message_size;
	int max_mime_header_length, max_mime_header_field_length;
	int max_noop_commands, max_queue_children;
	long max_queue_age_seconds;
	int max_queue_run_size, max_recipients_per_message, max_runners_per_queue;
	bool me_too;
	int milter_log_level; /* -1: LogLevel */
	const char *milter_macros[FILTER_STAGES]; /* names as written, apart by commas; NULL: none are told */
	long min_free_blocks, min_queue_age_seconds;
	const char *must_quote_chars;
	int nice_queue_run;
	const char
	    *no_recipient_action; /* none add-to add-apparently-to add-to-undisclosed add-bcc */
	bool old_style_headers;
	const char *operator_chars, *pid_file, *postmaster_copy;
	unsigned privacy; /* enum privacy_flag */
	const char *process_title_prefix, *queue_directory;
	long queue_factor;
	mode_t queue_file_mode; /* 0: by how the program runs */
	int queue_load;
	char queue_sort_order; /* p h f t m r s n */
	long recipient_factor;
	int refuse_load;
	long reject_log_interval_seconds;
	bool requires_dir_fsync;
	const char *resolver_options;
	long retry_factor;
	bool rrt_implies_dsn;
	const char *run_as_user; /* as written; the ids: */
	uid_t run_as_uid;
	gid_t run_as_gid;
	bool has_run_as_user;
	const char *safe_file_environment;
	bool save_from_line, send_mime_errors;
	const char *service_switch_file;
	bool seven_bit_input;
	long shared_memory_key;
	const char *shared_memory_key_file;
	bool single_line_from_header, single_thread_delivery;
	const char *smtp_greeting_message;
	bool soft_bounce;
	const char *ssl_engine, *ssl_engine_path, *status_file;
	enum super_safe super_safe;
	mode_t temp_file_mode;
	struct timeouts timeouts;
	const char *time_zone; /* NULL: the system's; "" : the caller's TZ */
	const char *tls_srv_options;
	bool tls_fallback_to_clear;
	bool dane;
	const char *trusted_user;
	uid_t trusted_uid;
	bool try_null_mx_list;
	const char *unix_from_line;
	bool unsafe_group_writes, use_compressed_ipv6, use_errors_to, use_msp;
	const char *user_database_spec;
	bool verbose;
	long xscript_buffer_size;
	int bad_rcpt_shutdown, bad_rcpt_shutdown_good;
	const char *rand_file;
	bool reject_nul, set_cert_altnames, strict_transport_security;
};

/* Who sets an option decides whether it may. */
enum option_source {
	OPTION_FROM_FILE,
	OPTION_FROM_COMMAND_LINE_SAFE,
	OPTION_FROM_COMMAND_LINE_UNSAFE
};

/*
 * Sets one by its long name (`Name=value`, `Name.sub=value`, abbreviations) or, when letter is not
 * 0, by its old letter.  Messages go to report in V8's words; false when one was an error.
 */
bool option_set(
    struct config *, int letter, const char *name, const char *value, enum option_source);

/* Sets all defaults, which depend on the level of the V line in few places (applied at the end). */
void option_set_defaults(struct config *);

/* A time as sendmail writes it: "1h30m", "5d", bare numbers in `unit` (s m h d w).  -1 when unreadable; *bad_unit
 * is the letter V8 complains of, or 0. */
long option_parse_time(const char *text, char unit, char *bad_unit);
/* The same, but always a time, as V8 makes of it; calls back with each bad unit. */
long option_parse_time_lax(
    const char *text, char unit, void (*bad)(void *context, char letter), void *context);

/* DontBlameSendmail: is this one allowed? */
bool option_blames(const struct options *, enum dont_blame);

/* The rows of the table, for tests and documents: false at the end. */
struct option_description {
	const char *name; /* NULL for what has an old letter alone */
	char letter;	  /* 0: none */
	const char *default_value, *documentation;
	bool is_safe; /* users may set it on the command line without losing rights */
};
bool option_describe(size_t row, struct option_description *);

#endif
