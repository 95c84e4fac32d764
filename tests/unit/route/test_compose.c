#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "route/compose.h"

static struct config *config;
static char cf_name[] = "/tmp/pillarbox.cf.XXXXXX";

/* Addresses without a domain get one, for the mailer `out` alone. */
static const char cf_text[] = "V10\n"
			      "Djmail.example.com\n"
			      "O QueueDirectory=/tmp\n"
			      "O OldStyleHeaders=True\n"
			      "O OperatorChars=.:%@!^/[]+\n"
			      "Mlocal, P=/bin/cat, F=lsDFMP, A=cat $u\n"
			      "Mprog, P=/bin/sh, F=l, A=sh -c $u\n"
			      "Mout, P=[IPC], F=mDFM, S=full, R=full, L=990, A=TCP $h\n"
			      "Mnarrow, P=[IPC], F=m, S=full, R=full, L=42, A=TCP $h\n"
			      "Scanonify=3\nR$*<$+>$*\t\t$@ $2\n"
    "Sfull\n"
			      "R$+@$+\t\t$@ $1@$2\n"
			      "R$+\t\t$@ $1@$j\n"
			      "Sparse=0\nR$*\t$#local $: $1\n";

static struct envelope *
make_envelope(void)
{
	struct envelope *envelope = envelope_create();

	envelope->sender = "alice";
	return envelope;
}

static struct header *
add(struct envelope *envelope, const char *name, const char *value, const char *flags)
{
	struct header *header = header_append(&envelope->headers, envelope->arena, name, value);

	header->is_default = flags != NULL;
	for (; flags != NULL && *flags != '\0'; flags++)
		flag_set_add(&header->mailer_flags, *flags);
	return header;
}

static const char *
compose(struct envelope *envelope, const char *mailer, struct composed *composed)
{
	struct rule_context rule = {
	    .config = config, .macros = macro_env_create(config->macros), .arena = envelope->arena};

	compose_message(&rule, envelope, config_find_mailer(config, mailer), composed);
	macro_env_destroy(rule.macros);
	return composed->header;
}

static void
fields_follow_the_mailers_flags(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	add(envelope, "Return-Path", " <\x81g>", "P");
	add(envelope, "Date", " today", "D");
	add(envelope, "Full-Name", " Alice", "x");
	add(envelope, "Return-Path", " <forged>", NULL);
	add(envelope, "Subject", " a  b\n\tfolded", NULL);
	add(envelope, "X-Tight", "no blank", NULL);
	add(envelope, "X-Gone", " x", NULL)->is_deleted = true;
	assert_string_equal(compose(envelope, "local", &composed),
	    "Return-Path: <alice>\nDate: today\nSubject: a  b\n\tfolded\nX-Tight:no blank\n");
	assert_string_equal(compose(envelope, "out", &composed),
	    "Date: today\nSubject: a  b\n\tfolded\nX-Tight:no blank\n");
	assert_string_equal(composed.sender, "alice@mail.example.com");
	assert_int_equal(composed.header_length, strlen(composed.header));
	envelope_destroy(envelope);
}

static void
blind_copies_stay_blind(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	add(envelope, "Bcc", " secret@h.example", NULL);
	add(envelope, "Resent-Bcc", " more@h.example", NULL);
	assert_string_equal(compose(envelope, "out", &composed), "Bcc:\nResent-Bcc:\n");
	envelope->flags |= ENVELOPE_DELETE_BCC;
	assert_string_equal(compose(envelope, "out", &composed), "");
	envelope_destroy(envelope);
}

static void
addresses_are_rewritten_and_folded(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	add(envelope, "To", " Bob <bob>, carol@h.example (C),\n\tdave", NULL);
	add(envelope, "From", " alice", NULL);
	assert_string_equal(compose(envelope, "out", &composed),
	    "To: Bob <bob@mail.example.com>, carol@h.example (C), dave@mail.example.com\n"
	    "From: alice@mail.example.com\n");
	assert_string_equal(compose(envelope, "narrow", &composed),
	    "To: Bob <bob@mail.example.com>,\n        carol@h.example (C),\n        "
	    "dave@mail.example.com\n"
	    "From: alice@mail.example.com\n");
	envelope_destroy(envelope);
}

static void
old_style_lists_have_blanks_between(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	add(envelope, "To", " bob carol", NULL);
	assert_string_equal(compose(envelope, "out", &composed),
	    "To: bob@mail.example.com, carol@mail.example.com\n");
	add(envelope, "Cc", " dave, eve", NULL); /* one comma anywhere, and none is old style */
	assert_non_null(
	    strstr(compose(envelope, "out", &composed), "Cc: dave@mail.example.com, eve@"));
	assert_null(strstr(composed.header, "To: bob@mail.example.com, carol@"));
	envelope_destroy(envelope);
}

static void
reports_go_out_with_the_null_sender(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	envelope->sender = "MAILER-DAEMON";
	envelope->flags |= ENVELOPE_RESPONSE;
	compose(envelope, "out", &composed);
	assert_string_equal(composed.sender, "");
	compose(envelope, "local", &composed);
	assert_string_equal(composed.sender, "MAILER-DAEMON");
	envelope_destroy(envelope);
}

static void
bytes_of_the_message_are_no_macros(void **state)
{
	struct envelope *envelope = make_envelope();
	struct composed composed;

	(void)state;
	add(envelope, "Subject", " \x81g stays", NULL);
	add(envelope, "X-Odd", " end\x81", "");
	assert_string_equal(
	    compose(envelope, "out", &composed), "Subject: \x81g stays\nX-Odd: end\x81\n");
	envelope_destroy(envelope);
}

static void
report(void *context, const char *message, enum config_message kind)
{
	(void)context;
	if (kind == CONFIG_ERROR)
		printf("%s\n", message);
}

static int
set_up(void **state)
{
	struct config_request request = {.file = cf_name, .report = report, .is_safe_caller = true};
	int fd = mkstemp(cf_name);

	(void)state;
	if (fd < 0 || write(fd, cf_text, sizeof cf_text - 1) != (ssize_t)sizeof cf_text - 1)
		return -1;
	close(fd);
	config = config_read(&request);
	unlink(cf_name);
	return config->error_status;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_follow_the_mailers_flags),
	    cmocka_unit_test(blind_copies_stay_blind),
	    cmocka_unit_test(addresses_are_rewritten_and_folded),
	    cmocka_unit_test(old_style_lists_have_blanks_between),
	    cmocka_unit_test(reports_go_out_with_the_null_sender),
	    cmocka_unit_test(bytes_of_the_message_are_no_macros),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
