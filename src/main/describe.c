#include "main/describe.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/str.h"
#include "base/trace.h"
#include "main/main.h"
#include "os/os.h"

/* What this build can do, in sendmail's names where it has them. */
static const char *const features[] = {"CDB", "DNSMAP", "IPV6_FULL", "LDAPMAP",
    "LDAP_NETWORK_TIMEOUT", "LDAP_REFERRALS", "LOG", "MAP_REGEX", "MATCHGECOS", "MAXDAEMONS=64",
    "MILTER", "MIME7TO8", "MIME8TO7", "NAMED_BIND", "NETINET", "NETINET6", "NETUNIX", "NEWDB",
    "PIPELINING", "SASLv2", "SCANF", "SOCKETMAP", "STARTTLS", "USERDB"};

#define DEFAULT_PID_FILE STATEDIR "/run/sendmail/mta/sendmail.pid"

enum { LINE_WIDTH = 76 };

static void
print_wrapped(const char *head, const char *const words[], size_t count, const char *last)
{
	size_t column = strlen(head);

	fputs(head, trace_output());
	for (size_t i = 0; i <= count; i++) {
		const char *word = i < count ? words[i] : last;

		if (column + 1 + strlen(word) > LINE_WIDTH) {
			fputs("\n\t\t", trace_output());
			column = 16;
		} else {
			putc(' ', trace_output());
			column++;
		}
		fputs(word, trace_output());
		column += strlen(word);
	}
	putc('\n', trace_output());
}

const char *
main_version(void)
{
	return CONFIG_V8_VERSION;
}

void
describe_build(void)
{
	char lock[32];

	fprintf(trace_output(), "Version %s\n", main_version());
	snprintf(lock, sizeof lock, "LOCK=%s", os_lock_name());
	print_wrapped(" Compiled with:", features, sizeof features / sizeof features[0], lock);
	fflush(trace_output());
}

void
describe_defaults(void)
{
	fprintf(trace_output(), "     Conf file:\t%s (default for MSP)\n", SYSCONFDIR "/submit.cf");
	fprintf(
	    trace_output(), "     Conf file:\t%s (default for MTA)\n", SYSCONFDIR "/sendmail.cf");
	fprintf(trace_output(), "      Pid file:\t%s (default)\n", DEFAULT_PID_FILE);
	fflush(trace_output());
}

static const char *
shown(const struct config *config, const char *name)
{
	const char *value = config_macro(config, config->macros, name);

	return value == NULL || value[0] == '\0' ? "<null>" : value;
}

/* The names that were found, not those of the file: the short one, then the addresses in brackets. */
static void
print_own_names(const struct config *config)
{
	const char *full = shown(config, "k"), *phrase;
	size_t position = 0, label = strcspn(full, ".");

	if (full[label] == '.')
		fprintf(trace_output(), "\ta.k.a.: %.*s\n", (int)label, full);
	while (class_next(config->classes, 'w', &position, &phrase)) {
		if (phrase[0] == '[')
			fprintf(trace_output(), "\ta.k.a.: %s\n", phrase);
	}
}

void
describe_names(const struct config *config)
{
	fprintf(trace_output(), "Canonical name: %s\n UUCP nodename: %s\n", shown(config, "j"),
	    shown(config, "k"));
	print_own_names(config);
	fflush(trace_output());
}

void
describe_selected(const struct config *config)
{
	fprintf(trace_output(), "     Conf file:\t%s (selected)\n", config->file);
	fprintf(trace_output(), "      Pid file:\t%s (selected)\n",
	    config->options.pid_file == NULL ? DEFAULT_PID_FILE : config->options.pid_file);
	fflush(trace_output());
}

void
describe_identity(const struct config *config)
{
	fprintf(trace_output(),
	    "\n============ SYSTEM IDENTITY (after readcf) ============\n"
	    "      (short domain name) $w = %s\n"
	    "  (canonical domain name) $j = %s\n"
	    "         (subdomain name) $m = %s\n"
	    "              (node name) $k = %s\n"
	    "========================================================\n\n",
	    shown(config, "w"), shown(config, "j"), shown(config, "m"), shown(config, "k"));
	fflush(trace_output());
}

int
describe_version(void)
{
	printf(
	    "Pillarbox %s, a mail transfer agent that reads sendmail.cf (works as sendmail %s)\n",
	    VERSION, main_version());
	return EX_OK;
}

int
describe_help(void)
{
	fputs(
	    "usage: sendmail [option ...] [recipient ...]\n"
	    "\n"
	    "Submits the message on standard input, or does what -b and -q say:\n"
	    "  -bd  daemon            -bp  list the queue (mailq)     -bt  test addresses and "
	    "rules\n"
	    "  -bs  SMTP on stdin     -bi  rebuild aliases            -bv  verify recipients\n"
	    "  -bC  check the configuration file\n"
	    "  -q[TIME]  run the queue, once or every TIME;  -q -v  run it now and show the "
	    "dialogue\n"
	    "\n"
	    "Submission:\n"
	    "  -t  recipients from To:, Cc:, Bcc:     -i       a lone dot does not end the "
	    "message\n"
	    "  -f ADDRESS  sender                     -F NAME  full name of the sender\n"
	    "  -N LIST  delivery reports              -R full|hdrs, -V ID  for those reports\n"
	    "  -odX  delivery: i now, b in the background, q queue only, d queue without look-ups\n"
	    "  -v  show what happens\n"
	    "\n"
	    "Configuration:\n"
	    "  -C FILE  -Ac (submit.cf)  -Am (sendmail.cf)  -O Name=value  -oXvalue  -MXvalue  "
	    "-d0.1\n",
	    stdout);
	return EX_OK;
}
