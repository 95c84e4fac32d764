/*
 * arguments: sendmail's command line, parsed once for all modes and both programs (Operations
 * Guide 5.3 and appendix A).  Pure: nothing is printed, opened or changed here.
 */
#ifndef MAIN_ARGUMENTS_H
#define MAIN_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* What is to be done: the letter of -b, which is also ${opMode}, and what -q and our own options make of it. */
enum arguments_mode {
	MODE_DELIVER = 'm', /* submit a message from standard input */
	MODE_ARPANET = 'a',
	MODE_SMTP = 's', /* SMTP on standard input and output */
	MODE_DAEMON = 'd',
	MODE_FOREGROUND = 'D',
	MODE_TEST = 't',
	MODE_VERIFY = 'v',
	MODE_ALIASES = 'i',
	MODE_PRINT = 'p',
	MODE_COUNTS = 'P',
	MODE_HOSTS = 'h',
	MODE_PURGE = 'H',
	MODE_CHECK = 'C',
	MODE_OPTIONS = 'O', /* the names of all options */
	MODE_QUEUE_RUN = 'q',
	MODE_DELIVER_ID =
	    '\1',	  /* --deliver ID: deliver one committed message now, in the foreground */
	MODE_HELP = '\2', /* --help */
	MODE_VERSION = '\3', /* --version */
};

/* One -q[!]I|R|S|Qtext.  The same letters are or'ed, different ones and'ed. */
struct queue_selection {
	struct queue_selection *next;
	char field; /* I id, R recipient, S sender, Q quarantine reason */
	bool is_negated;
	const char *text;
};

struct queue_arguments {
	bool is_given;
	bool has_interval; /* -q30m: stay and run again and again */
	long interval_seconds;
	bool is_persistent; /* -qp */
	bool is_foreground; /* -qf */
	const char *group;  /* -qG */
	char kind;	    /* 0: normal messages; 'Q' quarantined (-qQ), 'L' lost (-qL) */
	struct queue_selection *selections;
	bool quarantine_given;	       /* -Q */
	const char *quarantine_reason; /* NULL: release */
};

/* Something to say about the command line, in V8's words, in order. */
struct argument_message {
	struct argument_message *next;
	const char *text;
	bool is_fatal; /* nothing else happens, exit 64 */
	bool
	    is_plain; /* from the option scanner itself: "sendmail: illegal option -- y", never with a reply code */
};

struct arguments {
	struct arena *arena;
	const char *program;	  /* argv[0] as given, "sendmail" when there was none */
	const char *program_name; /* its last part */
	char mode;		  /* enum arguments_mode */
	char cf_choice;		  /* -A: 'c' or 'm', 0 */
	const char *cf_file;	  /* -C */
	const char *body_type;	  /* -B: "7BIT", "8BITMIME" */
	const char *debug_file;	  /* -D */
	const char *debug;	  /* -d: what follows, several joined by ','; NULL when not given */
	const char *sender;	  /* -f, -r */
	const char *full_name;	  /* -F */
	bool is_gateway;	  /* -G */
	int hop_count;		  /* -h; -1 when not given */
	const char *label;	  /* -L */
	bool no_aliasing;	  /* -n */
	bool has_notify;	  /* -N */
	unsigned notify;	  /* RECIPIENT_NOTIFY_* bits; none: NEVER */
	const char *protocol;	  /* -p, first part */
	const char *protocol_host; /* -p, after the colon */
	bool has_ret, ret_headers; /* -R */
	const char *envid;	   /* -V, xtext */
	bool from_header;	   /* -t */
	bool is_verbose;	   /* -v */
	bool ignore_dots;	   /* -i, -oi (the configuration can say so too) */
	const char *traffic_file;  /* -X */
	const char *deliver_id;	   /* --deliver ID */
	bool is_check;		   /* --check: what the daemon would do, read and told; nothing is started */
	bool refusals_only;	   /* --refusals, with --deliver */
	struct queue_arguments queue;
	/* for struct config_request: -M, and -O, -o and the old flags that are options (-i, -m, -v, ...) in order */
	const char *const *macro_settings;
	const char *const *option_settings;
	const char *const *recipients; /* what is left; NULL-ended */
	size_t recipient_count;
	struct argument_message *messages;
	bool is_wrong;	 /* one of them is fatal */
	int exit_status; /* 0, or 64 after a message that is not fatal */
};

/* argv is NULL-ended; strings of it are kept by reference.  Never NULL. */
struct arguments *arguments_parse(int argc, char *const argv[]);
void arguments_destroy(struct arguments *);

/* Modes whose messages to the caller carry SMTP reply codes. */
bool arguments_speaks_smtp(const struct arguments *);

#endif
