#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <sysexits.h>

#include "base/text.h"
#include "reading_helper.h"

static void
says(const char *text, const char *expected, int status)
{
	struct config *config = read_text(text);

	assert_string_equal(str_text(&messages), expected);
	assert_int_equal(config->error_status, status);
	config_destroy(config);
}

static void
times_are_sums_of_units(void **state)
{
	char bad = 'x';

	(void)state;
	assert_int_equal(option_parse_time("30m", 's', &bad), 1800);
	assert_int_equal(bad, 0);
	assert_int_equal(option_parse_time("1h30m", 's', &bad), 5400);
	assert_int_equal(option_parse_time("5", 'd', &bad), 5 * 86400);
	assert_int_equal(option_parse_time("1w2", 'h', &bad), 604800 + 7200);
	assert_int_equal(option_parse_time("5y", 'm', &bad), -1);
	assert_int_equal(bad, 'y');
	assert_int_equal(option_parse_time("", 'm', &bad), -1);
	assert_true(option_parse_time("99999999999999999999999w", 'm', &bad) > 0);
	assert_int_equal(option_parse_time_lax("5y", 'm', NULL, NULL), 300);
}

static void
names_letters_and_abbreviations(void **state)
{
	struct config *config;

	(void)state;
	config = read_text("Oh5\nO loglevel = 14 \nO DeliveryMode=interactive\nOs\nO SmtpG=x\n");
	assert_string_equal(str_text(&messages),
	    "warning: line 10: Option SmtpG used as abbreviation for SmtpGreetingMessage\n");
	assert_int_equal(config->options.max_hop_count, 5);
	assert_int_equal(config->options.log_level, 14);
	assert_int_equal(config->options.delivery_mode, 'i');
	assert_int_equal(config->options.super_safe, SUPER_SAFE_TRUE);
	assert_string_equal(config->options.smtp_greeting_message, "x");
	config_destroy(config);
	says("O\nO \nO NoSuch=1\nO Max=5\nO MaxHopCount 5\nO_5\nO =1\nO  LogLevel=1\nOD\n",
	    "line 6: readcf: unknown option name 0x0\nline 7: readcf: unknown option name 0x0\n"
	    "line 8: readcf: unknown option name NoSuch\n"
	    "line 9: readcf: ambiguous option name Max (matches MaxHopCount and MaxMessageSize)\n"
	    "line 10: readcf: unknown option name MaxHopCount 5\nline 11: readcf: unknown option "
	    "name 0x5f\n"
	    "line 12: readcf: null option name\nline 13: readcf: unknown option name  LogLevel\n"
	    "line 14: readcf: unknown option name 0x44\n",
	    EX_SOFTWARE);
}

static void
timeouts(void **state)
{
	struct config *config = read_text("O Timeout.initial=1h\nO Timeout=queuewarn=2,mail=3\nO "
					  "Timeout.queuereturn.urgent=1\nOT6d/3h\n");
	const struct timeouts *timeouts = &config->options.timeouts;

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_int_equal(timeouts->initial, 3600);
	assert_int_equal(timeouts->mail, 180);
	assert_int_equal(timeouts->rcpt, 3600);
	assert_int_equal(timeouts->queue_warn.normal, 3 * 3600);
	assert_int_equal(timeouts->queue_return.urgent, 6 * 86400);
	assert_int_equal(timeouts->initial_connect, 300);
	config_destroy(config);
	config = read_text("Or2h\nO Timeout.connect=30s\n");
	assert_int_equal(config->options.timeouts.helo, 7200);
	assert_int_equal(config->options.timeouts.data_final, 7200);
	assert_int_equal(config->options.timeouts.quit, 120);
	assert_int_equal(config->options.timeouts.initial_connect, 30);
	config_destroy(config);
	says("O Timeout.foo=1h\nO Timeout.initial=xy\nO Timeout=queue=1d\n",
	    "line 6: settimeout: invalid timeout foo\nwarning: line 7: Invalid time unit `x'\n"
	    "warning: line 7: Invalid time unit `y'\nline 8: settimeout: invalid timeout queue\n",
	    EX_SOFTWARE);
}

static void
doubtful_values_are_told(void **state)
{
	struct config *config =
	    read_text("O MaxMimeHeaderLength=10\nO MaxHeadersLength=5\nO AuthOptions=A,zp y\nO "
		      "TLSSrvOptions=Vx v\nO SuperSafe=interactive\nO SingleThreadDelivery\nO "
		      "DeliverByMin=-5\nO SmtpUTF8=false\n");

	(void)state;
	assert_string_equal(str_text(&messages),
	    "warning: Warning: MaxMimeHeaderLength: header length limit set lower than 128\n"
	    "warning: Warning: MaxMimeHeaderLength: field length limit set lower than 40\n"
	    "warning: Warning: MaxHeadersLength: headers length limit set lower than 16384\n"
	    "warning: Warning: Option: AuthOptions unknown parameter 'z'\n"
	    "warning: Warning: Option: TLSSrvOptions unknown parameter 'v'\n"
	    "warning: Warning: Option: SmtpUTF8 requires USE_EAI support\n"
	    "warning: Warning: HostStatusDirectory required for SingleThreadDelivery\n"
	    "warning: WARNING: SuperSafe=interactive should only be used with\n"
	    "         DeliveryMode=interactive\n");
	assert_int_equal(config->options.deliver_by_minimum_seconds, -5);
	assert_false(config->saw_usage_errors);
	config_destroy(config);
	config = read_text("O MinQueueAge=5x\n");
	assert_true(config->saw_usage_errors);
	assert_int_equal(config->error_status, 0);
	config_destroy(config);
	says("O SmtpUTF8=true\nO DontBlameSendmail=CertOwner\nO ResolverOptions=+use_inet6\n",
	    "line 6: readcf: option: SmtpUTF8 set but no USE_EAI support\n"
	    "line 7: readcf: DontBlameSendmail option: CertOwner unrecognized\n"
	    "line 8: readcf: I option value use_inet6 unrecognized\n",
	    EX_SOFTWARE);
	says("O AliasFile=userdb:/x\nO AliasFile=hash:\nO AliasFile=hash: -Q /x\nO "
	     "AliasFile=ldap:\n",
	    "line 6: setalias: map class userdb can't handle aliases\n"
	    "line 7: No file name for hash map Alias0\n"
	    "line 8: Illegal option Q map Alias0\n",
	    EX_SOFTWARE);
	says("O MailboxDatabase=foo\n",
	    "warning: Can't initialize mailbox database \"foo\": Service unavailable\n",
	    EX_UNAVAILABLE);
}

static void
lists_ports_and_users(void **state)
{
	struct config *config =
	    read_text("O PrivacyOptions=authwarnings noexpn, novrfy\nO PrivacyOptions=noetrn\n"
		      "O DaemonPortOptions=Name=MTA, Addr=127.0.0.1, Port=25, M=Ea\nO "
		      "DaemonPortOptions=Port=587, Listen=7\n"
		      "O AliasFile=/a, hash:/b\nOA/c\nO DefaultUser=12:34\nO RunAsUser=root\nO "
		      "DontBlameSendmail=GroupWritableAliasFile,TrustStickyBit\n"
		      "O MaxMimeHeaderLength=1000\nO TempFileMode=0640\n");
	const struct options *options = &config->options;

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_int_equal(options->privacy,
	    PRIVACY_AUTH_WARNINGS | PRIVACY_NO_EXPN | PRIVACY_NO_VRFY | PRIVACY_NO_ETRN);
	assert_string_equal(options->daemon_ports->name, "MTA");
	assert_string_equal(options->daemon_ports->modifiers, "Ea");
	assert_string_equal(options->daemon_ports->next->port, "587");
	assert_int_equal(options->daemon_ports->listen_backlog, 0); /* as the system allows */
	assert_int_equal(options->daemon_ports->next->listen_backlog, 7);
	assert_null(options->daemon_ports->next->next);
	assert_int_equal(options->alias_files.count, 3);
	assert_string_equal(options->alias_files.items[1], "hash:/b");
	assert_int_equal(options->default_gid, 34);
	assert_true(options->has_run_as_user);
	assert_int_equal(options->run_as_uid, 0);
	assert_true(option_blames(options, BLAME_GROUP_WRITABLE_ALIAS_FILE));
	assert_true(option_blames(options, BLAME_TRUST_STICKY_BIT));
	assert_false(option_blames(options, BLAME_CERT_OWNER));
	assert_int_equal(options->max_mime_header_field_length, 500);
	assert_int_equal(options->temp_file_mode, 0640);
	config_destroy(config);
	says(
	    "O PrivacyOptions=noexpn foo bar\nO DaemonPortOptions=Port=no-such-port\nO "
	    "DaemonPortOptions=Family=foo\n"
	    "O DontBlameSendmail=foo\nO QueueSortOrder=zz\nO RunAsUser=no-such-user\nO "
	    "NoRecipientAction=foo\n"
	    "O ResolverOptions=+FOO\nO AliasFile=nosuch:/x\nO ServerSSLOptions=foo\nO Milter.x=1\n",
	    "line 6: readcf: Op line: foo unrecognized\nline 6: readcf: Op line: bar unrecognized\n"
	    "line 7: service \"no-such-port\" unknown\nline 8: Unknown address family foo in "
	    "Family=option\n"
	    "line 9: readcf: DontBlameSendmail option: foo unrecognized\nline 10: Invalid queue "
	    "sort order \"zz\"\n"
	    "line 11: readcf: option RunAsUser: unknown user no-such-user\nline 12: Invalid "
	    "NoRecipientAction: foo\n"
	    "line 13: readcf: I option value FOO unrecognized\nline 14: setalias: unknown alias "
	    "class nosuch\n"
	    "line 15: readcf: ServerSSLOptions option value foo unrecognized\n"
	    "line 16: milter_set_option: invalid Milter option x\n",
	    EX_SOFTWARE);
	says("O DaemonPortOptions=Family=inet6, Addr=127.0.0.1\n",
	    "line 6: host \"127.0.0.1\" unknown\n", EX_SOFTWARE);
}

static void
some_errors_end_at_once(void **state)
{
	struct config *config = read_text("O DeliveryMode=z\nZfoo\n");

	(void)state;
	assert_string_equal(str_text(&messages), "line 6: Unknown delivery mode z\n");
	assert_true(config->is_fatal);
	assert_int_equal(config->error_status, EX_USAGE);
	config_destroy(config);
	says("O EightBitMode=x\n", "line 6: Unknown 8-bit mode x\n", EX_USAGE);
}

static void
the_command_line_wins(void **state)
{
	static const char *const settings[] = {"LogLevel=3", "-h7", "PrivacyOptions=noexpn",
	    "Timeout.mail=1m", "Timeout.queuereturn=1d", "SmtpGreetingMessage=$j x", NULL};
	static const char *const bad[] = {"NoSuch=1", NULL};
	struct config *config = read_text_with(CF_START,
	    "O LogLevel=9\nOh25\nO PrivacyOptions=novrfy\nO MaxMessageSize=5\nO Timeout.mail=2m\nO "
	    "Timeout.rcpt=2m\nO Timeout.queuereturn.urgent=3d\n",
	    settings);

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_int_equal(config->options.log_level, 3);
	assert_int_equal(config->options.max_hop_count, 7);
	assert_int_equal(config->options.privacy, PRIVACY_NO_EXPN | PRIVACY_NO_VRFY);
	assert_int_equal(config->options.max_message_size, 5);
	assert_true(config->used_unsafe_option); /* h is for root alone */
	assert_int_equal(config->options.timeouts.mail, 60);
	assert_int_equal(config->options.timeouts.rcpt, 120);
	assert_int_equal(config->options.timeouts.queue_return.urgent, 86400);
	assert_string_equal(config->options.smtp_greeting_message, "$$j x");
	config_destroy(config);
	config = read_text_with(CF_START, "", bad);
	assert_string_equal(str_text(&messages), "readcf: unknown option name NoSuch\n");
	config_destroy(config);
}

static void
defaults_are_v8s(void **state)
{
	struct config *config = read_text("");
	const struct options *options = &config->options;

	(void)state;
	assert_int_equal(options->log_level, 9);
	assert_int_equal(options->max_hop_count, 25);
	assert_int_equal(options->delivery_mode, 'b');
	assert_int_equal(options->timeouts.queue_return.normal, 5 * 86400);
	assert_int_equal(options->timeouts.queue_warn.normal, 0);
	assert_int_equal(options->connection_cache_timeout_seconds, 300);
	assert_int_equal(options->super_safe, SUPER_SAFE_TRUE);
	assert_int_equal(options->temp_file_mode, 0600);
	assert_string_equal(options->double_bounce_address, "postmaster");
	assert_string_equal(options->unix_from_line, "From $g  $d");
	assert_true(options->send_mime_errors && options->me_too && !options->hold_expensive);
	assert_true(options->queue_load >= 8 && options->refuse_load >= 12);
	assert_true(
	    config->is_operator[(unsigned char)'@'] && !config->is_operator[(unsigned char)'%']);
	config_destroy(config);
	config = read_text("O OperatorChars=.:%@!\nS5\n");
	assert_true(config->is_operator[(unsigned char)'%']);
	config_destroy(config);
}

static void
every_row_is_documented_and_unique(void **state)
{
	struct option_description row, other;

	(void)state;
	for (size_t i = 0; option_describe(i, &row); i++) {
		assert_non_null(row.documentation);
		assert_true(strlen(row.documentation) > 10);
		assert_int_equal(row.documentation[strlen(row.documentation) - 1], '.');
		assert_true(row.name != NULL || row.letter != 0);
		for (size_t k = 0; k < i; k++) {
			assert_true(option_describe(k, &other));
			assert_false(row.letter != 0 && row.letter == other.letter);
			assert_false(row.name != NULL && other.name != NULL &&
				     text_equal_nocase(row.name, other.name));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_are_sums_of_units),
	    cmocka_unit_test(names_letters_and_abbreviations),
	    cmocka_unit_test(timeouts),
	    cmocka_unit_test(doubtful_values_are_told),
	    cmocka_unit_test(lists_ports_and_users),
	    cmocka_unit_test(some_errors_end_at_once),
	    cmocka_unit_test(the_command_line_wins),
	    cmocka_unit_test(defaults_are_v8s),
	    cmocka_unit_test(every_row_is_documented_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
