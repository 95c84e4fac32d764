#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "submit/finish.h"
#include "submit/head.h"

static const char cf[] =
    "V10\nDjmail.example.com\nO QueueDirectory=/tmp\n"
    "Pspecial-delivery=100\nPjunk=-100\n"
    "H?P?Return-Path: <$g>\n"
    "HReceived: $?sfrom $s $.($_)\n\tby $j$?r with $r$. id $i$?u\n\tfor $u; $|;\n\t$.$b\n"
    "H?D?Resent-Date: $a\nH?D?Date: $a\n"
    "H?F?Resent-From: $?x$x <$g>$|$g$.\nH?F?From: $?x$x <$g>$|$g$.\n"
    "H?x?Full-Name: $x\nH?M?Message-Id: <$t.$i@$j>\n"
    "Mlocal, P=/bin/true, F=lw, A=true\n";

static void
ignore(void *context, const char *message, enum config_message kind)
{
	(void)context;
	(void)message;
	(void)kind;
}

static struct config *
read_cf(void)
{
	char name[] = "/tmp/pillarbox-finish-XXXXXX";
	struct config_request request = {.file = name, .report = ignore, .is_safe_caller = true};
	struct config *config;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, cf, strlen(cf)), strlen(cf));
	close(fd);
	config = config_read(&request);
	unlink(name);
	assert_int_equal(config->error_status, 0);
	return config;
}

static struct envelope *
message(const char *header)
{
	struct envelope *envelope = envelope_create();
	struct head_reader reader;

	strcpy(envelope->id, "6AKAnw00000049");
	envelope->created = 1795171798;
	envelope->sender = "alice";
	envelope->message_size = 25;
	head_begin(&reader, envelope, 0);
	while (*header != '\0') {
		size_t length = strcspn(header, "\n");

		head_line(&reader, header, length);
		header += length + (header[length] == '\n');
	}
	head_end(&reader);
	return envelope;
}

/* Names of the fields in order, defaults with their flag: "P:Return-Path Received ...". */
static const char *
names(const struct envelope *envelope)
{
	static char text[1000];

	text[0] = '\0';
	for (const struct header *one = envelope->headers.first; one != NULL; one = one->next)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s",
		    text[0] == '\0' ? "" : " ", one->is_default ? "+" : "", one->name);
	return text;
}

static void
finish(struct envelope *envelope, const struct config *config, const char *address,
    const char *full_name)
{
	struct macro_env *macros = macro_env_create(config->macros);
	struct finish_sender sender = {.address = address, .full_name = full_name};

	config_set_macro(config, macros, "_", "alice@localhost");
	config_set_macro(config, macros, "daemon_flags", "c u");
	finish_set_recipient(envelope, config, macros);
	finish_header(envelope, config, macros, &sender);
	macro_env_destroy(macros);
}

static void
defaults_come_first(void **state)
{
	struct config *config = *state;
	struct envelope *envelope = message("Subject: s");

	envelope_add_recipient(envelope, "bob", RECIPIENT_PRIMARY);
	finish(envelope, config, "alice", "Alice A. Adams");
	assert_string_equal(
	    names(envelope), "+Return-Path +Received +Date +From +Full-Name +Message-Id Subject");
	assert_string_equal(header_find(&envelope->headers, "Return-Path")->value, " <\x81g>");
	assert_string_equal(
	    header_find(&envelope->headers, "From")->value, " \"Alice A. Adams\" <alice>");
	assert_string_equal(header_find(&envelope->headers, "Full-Name")->value, " Alice A. Adams");
	assert_non_null(
	    strstr(header_find(&envelope->headers, "Received")->value, "\n\tfor bob; "));
	assert_string_equal(
	    finish_message_id(envelope), "<202611201049.6AKAnw00000049@mail.example.com>");
	assert_string_equal(envelope_macro(envelope, "_"), "alice@localhost");
	assert_string_equal(envelope_macro(envelope, "daemon_flags"), "c u");
	assert_null(envelope_macro(envelope, "r"));
	assert_int_equal(envelope->hop_count, 1);
	envelope_destroy(envelope);
}

static void
given_fields_stay(void **state)
{
	struct config *config = *state;
	struct envelope *envelope =
	    message("From: root\nDate: x\nMessage-ID: <x@y>\nReceived: a\nReturn-Path: <z>");

	finish(envelope, config, "alice", NULL);
	assert_string_equal(
	    names(envelope), "+Return-Path +Received From Date Message-ID Received Return-Path");
	assert_string_equal(finish_message_id(envelope), "<x@y>");
	assert_int_equal(envelope->hop_count, 2);
	envelope_destroy(envelope);
	envelope = message("Resent-To: bob\nFrom: x");
	finish(envelope, config, "alice", NULL);
	assert_string_equal(names(envelope),
	    "+Return-Path +Received +Resent-Date +Date +Resent-From +Message-Id Resent-To From");
	envelope_destroy(envelope);
	envelope = message("Full-Name: Foo Bar");
	finish(envelope, config, "alice", "Alice");
	assert_string_equal(
	    names(envelope), "+Return-Path +Received +Date +From +Message-Id Full-Name");
	assert_string_equal(header_find(&envelope->headers, "From")->value, " Foo Bar <alice>");
	envelope_destroy(envelope);
}

static void
null_sender_has_no_from(void **state)
{
	struct config *config = *state;
	struct envelope *envelope = message("");

	finish(envelope, config, "", NULL);
	assert_string_equal(names(envelope), "+Return-Path +Received +Date +Message-Id");
	envelope_destroy(envelope);
}

/* A `$` or a mark of the message is data. */
static void
data_is_no_template(void **state)
{
	struct config *config = *state;
	struct envelope *envelope = message("Subject: $j ${x}");

	finish(envelope, config, "a$j@b", "x\x81g $j \377");
	assert_string_equal(
	    header_find(&envelope->headers, "From")->value, " x\xff\x81g $j \xff\xff <a$j@b>");
	assert_string_equal(header_find(&envelope->headers, "Subject")->value, " $j ${x}");
	envelope_destroy(envelope);
}

static void
priority_is_v8s(void **state)
{
	struct config *config = *state;
	struct envelope *envelope = message("Subject: s");

	finish(envelope, config, "alice", NULL);
	finish_envelope(envelope, config, 2);
	assert_int_equal(envelope->priority, 60025);
	assert_int_equal(envelope->flags, ENVELOPE_SPLIT);
	envelope_destroy(envelope);
	envelope = message("Precedence: special-delivery\nTo: a");
	envelope->message_size = 43;
	finish(envelope, config, "alice", NULL);
	finish_envelope(envelope, config, 1);
	assert_int_equal(envelope->priority, -149957);
	assert_int_equal(envelope->flags, ENVELOPE_SPLIT | ENVELOPE_DELETE_BCC);
	envelope_destroy(envelope);
	envelope = message("Precedence: junk");
	finish(envelope, config, "alice", NULL);
	finish_envelope(envelope, config, 1);
	assert_int_equal(envelope->message_class, -100);
	assert_true((envelope->flags & ENVELOPE_NO_BODY_RETURN) != 0);
	envelope_destroy(envelope);
}

static void
lists_are_folded(void **state)
{
	struct config *config = *state;
	struct envelope *envelope = message("To: "
					    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@sink.example.org,"
					    "bbbbbbbbbbbbbbbbbbbbbb@sink.example."
					    "org,ccc@sink.example.org,ddd@sink.example.org,eeeeee@"
					    "sink.example.org\nCc: a:b,c;, d\nBcc:eve\n"
					    "Subject: a,b");

	finish(envelope, config, "alice", NULL);
	finish_envelope(envelope, config, 1);
	assert_string_equal(header_find(&envelope->headers, "To")->value,
	    " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@sink.example.org,\n"
	    "        bbbbbbbbbbbbbbbbbbbbbb@sink.example.org, ccc@sink.example.org,\n"
	    "        ddd@sink.example.org, eeeeee@sink.example.org");
	assert_string_equal(header_find(&envelope->headers, "Cc")->value, " a:b, c;, d");
	assert_string_equal(header_find(&envelope->headers, "Bcc")->value, "eve");
	assert_string_equal(header_find(&envelope->headers, "Subject")->value, " a,b");
	envelope_destroy(envelope);
}

static void
no_recipient_action(void **state)
{
	static const struct {
		const char *action, *fields;
	} cases[] = {{"none", ""}, {"add-to", " To To"},
	    {"add-apparently-to", " Apparently-To Apparently-To"}, {"add-to-undisclosed", " To"},
	    {"add-bcc", " Bcc"}};
	struct config *config = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct envelope *envelope = message("Subject: s");

		config->options.no_recipient_action = cases[i].action;
		envelope_add_recipient(envelope, "alice", RECIPIENT_PRIMARY);
		envelope_add_recipient(envelope, "bob", RECIPIENT_PRIMARY);
		finish_envelope(envelope, config, 2);
		assert_string_equal(names(envelope) + strlen("Subject"), cases[i].fields);
		envelope_destroy(envelope);
	}
	config->options.no_recipient_action = NULL;
}

static int
set_up(void **state)
{
	setenv("TZ", "UTC", 1);
	*state = read_cf();
	return 0;
}

static int
tear_down(void **state)
{
	config_destroy(*state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_come_first),
	    cmocka_unit_test(given_fields_stay),
	    cmocka_unit_test(null_sender_has_no_from),
	    cmocka_unit_test(data_is_no_template),
	    cmocka_unit_test(priority_is_v8s),
	    cmocka_unit_test(lists_are_folded),
	    cmocka_unit_test(no_recipient_action),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
