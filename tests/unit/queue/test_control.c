#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "queue/queue.h"

/* As sendmail 8.17 wrote them: submission, SMTP with DSN and AUTH, rewritten after a run, a bounce, an alias with a controlling user. */
static const char *const real_files[] = {
    "V8\nT1795182370\nK0\nN0\nP60104\nMhost map: lookup (example.net): "
    "deferred\nFs\n$_root@localhost\n${daemon_flags}c u\nSroot\n"
    "Aroot@vm\nrRFC822; bob@example.com\nRPFD:bob@example.com\nrRFC822; "
    "alice@example.net\nRPFD:alice@example.net\n"
    "H?P?Return-Path: <\x81g>\nH??Received: (from root@localhost)\n\tby vm "
    "(8.17.1.9/8.17.1.9/Debian-2+deb12u2) id 6AKDkAN7000014;\n"
    "\tFri, 20 Nov 2026 13:46:10 GMT\nH?D?Date: Fri, 20 Nov 2026 13:46:10 GMT\nH?F?From: root "
    "<root>\nH?x?Full-Name: root\n"
    "H?M?Message-Id: <202611201346.6AKDkAN7000014@vm>\nH??Subject:x\nH??X-Two:  y\nH??X-Sp: "
    "z\nH??X-Tab:\tq\nH??X-Empty:\n"
    "H??X-EmptySp: \nH??X-Fold:\n  folded\n\tmore\nH??X-Trail: abc   \n.\n",
    "V8\nT1795182726\nK0\nN0\nP60037\nB7BIT\nMhost map: lookup (example.net): "
    "deferred\nFbdns\n$_root@localhost\n${daemon_flags}c u\n"
    "Sroot\nZabc\nAroot@vm\nrRFC822; bob@example.com\nRPNSD:bob@example.com\nrRFC822; "
    "alice@example.net\nRPNSD:alice@example.net\n"
    "H??From: foo\nH??To: bar\n.\n",
    "V8\nT1795182971\nK1795182971\nN1\nP91000\nI0/51/181\nB8BITMIME\nMDeferred: Connection refused "
    "by refuse.example.org.\nFwr8bdns\n"
    "$_root@localhost\n$rESMTP\n${daemon_flags}c u\nS<a@b.example>\nZenv\nAauth\n!R "
    "12345\nCalice:1001:1001:list\nQrfc822;foo\n"
    "rRFC822; u@refuse.example.org\nRPNSFD:u@refuse.example.org\nC\nrRFC822; "
    "v@refuse.example.org\nRPN:v@refuse.example.org\n"
    "rRFC822; w@refuse.example.org\nRPB:w@refuse.example.org\nrRFC822; "
    "y@refuse.example.org\nRP:y@refuse.example.org\n"
    "H?P?Return-Path: <g>\nH??Subject: x\nH?${foo}?Bar: x\nH?PQ?Ba: y\n.\n",
    "V8\nT1795182971\nK1795182972\nN1\nP181000\nI0/51/205\nqbecause\nMDeferred: Connection refused "
    "by refuse.example.org.\nFs\n"
    "$_root@localhost\nSfoo\nrRFC822; "
    "u@refuse.example.org\nRP:u@refuse.example.org\nH?P?Return-Path: <g>\nH??Subject: x\n.\n",
    "V8\nT1\nK0\nN0\nP30014\nFs\n$_root@localhost\nSroot\nAroot@mail.example.com\nC:alice\nrRFC822;"
    " alice@mail.example.com\nRPFD:alice\n"
    "H??Subject: s\n.\n",
    "V8\nT1\nK0\nN0\nP1\nFs\nS<>\nRPFD:u@x.example\nH?F?From: \xc3\x84rger \x81g\nH??Subject: "
    "a\xff\x81j b\xff\x84j "
    "c\xff\x84\xff\x81j d\xff\xffj \xff\x80 \xff\x9f \xa0\xfe\n.\n",
};

static enum control_result
read_text(const char *text, size_t length, struct envelope **envelope, struct control_error *error)
{
	enum control_result result;
	char *copy = malloc(length > 0 ? length : 1);

	/* a copy of just this size shows ASan every look beyond the end */
	memcpy(copy, text, length);
	*envelope = envelope_create();
	result = control_read(*envelope, copy, length, error);
	free(copy);
	return result;
}

static void
real_files_come_back_byte_for_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof real_files / sizeof *real_files; i++) {
		struct envelope *envelope;
		struct control_error error;
		struct str out = {0};

		/* device numbers are kept from the df, not from the file */
		assert_int_equal(
		    read_text(real_files[i], strlen(real_files[i]), &envelope, &error), CONTROL_OK);
		if (envelope->body_inode != 0)
			envelope->body_device = 51; /* major 0, minor 51 */
		assert_null(error.header_warning);
		control_write(envelope, &out);
		assert_string_equal(out.data, real_files[i]);
		str_free(&out);
		envelope_destroy(envelope);
	}
}

static void
values_arrive_where_they_belong(void **state)
{
	struct envelope *envelope;
	struct control_error error;
	const struct recipient *one;

	(void)state;
	assert_int_equal(
	    read_text(real_files[2], strlen(real_files[2]), &envelope, &error), CONTROL_OK);
	assert_int_equal(envelope->created, 1795182971);
	assert_int_equal(envelope->attempts, 1);
	assert_int_equal(envelope->priority, 91000);
	assert_int_equal(envelope->body_inode, 181);
	assert_int_equal(envelope->flags, ENVELOPE_WARNED | ENVELOPE_RESPONSE | ENVELOPE_8BIT |
					      ENVELOPE_DELETE_BCC | ENVELOPE_HAS_RET |
					      ENVELOPE_NO_BODY_RETURN | ENVELOPE_SPLIT);
	assert_string_equal(envelope_macro(envelope, "r"), "ESMTP");
	assert_string_equal(envelope_macro(envelope, "daemon_flags"), "c u");
	assert_string_equal(envelope->deliver_by_mode, "R");
	assert_int_equal(envelope->deliver_by, 12345);
	one = envelope->recipients;
	assert_string_equal(one->address, "u@refuse.example.org");
	assert_string_equal(one->control_user, "alice");
	assert_string_equal(one->control_alias, "list");
	assert_int_equal(one->control_uid, 1001);
	assert_string_equal(one->orcpt, "rfc822;foo");
	one = one->next;
	assert_null(one->control_user);
	assert_null(one->orcpt);
	assert_int_equal(one->flags, RECIPIENT_PRIMARY | RECIPIENT_HAS_NOTIFY);
	assert_true(header_find(&envelope->headers, "return-path")->is_default);
	assert_string_equal(header_find(&envelope->headers, "bar")->macro, "foo");
	assert_false(header_find(&envelope->headers, "subject")->is_default);
	envelope_destroy(envelope);
	assert_int_equal(
	    read_text(real_files[5], strlen(real_files[5]), &envelope, &error), CONTROL_OK);
	assert_string_equal(header_find(&envelope->headers, "From")->value, " \xc3\x84rger \x81g");
	assert_string_equal(header_find(&envelope->headers, "Subject")->value,
	    " a\x81j b\x84j c\x84\x81j d\xffj \x80 \x9f \xa0\xfe");
	envelope_destroy(envelope);
}

static void
old_and_odd_files_are_read(void **state)
{
	static const char old[] = "T5\nP1\nDdfAA12345\nMoverall\nSx@y\nMown\nRa@sink.example."
				  "org\nRb\nHSubject: x\nHBroken header\n.\n";
	static const char odd[] = "V8\nTfoo\nK-1\nN-5\nP99999999999999999999\nSx\nCalice\nRu@x."
				  "example\nCbob:list\nRXP:v@x.example\n"
				  "Ca:1:2\nRz\n${bad\n$\n.";
	struct envelope *envelope;
	struct control_error error;

	(void)state;
	assert_int_equal(read_text(old, sizeof old - 1, &envelope, &error), CONTROL_OK);
	assert_int_equal(envelope->version, 0);
	assert_string_equal(envelope->status, "overall");
	assert_string_equal(envelope->recipients->address, "a@sink.example.org");
	assert_string_equal(envelope->recipients->status, "own");
	assert_null(envelope->recipients->next->status);
	assert_int_equal(envelope->recipients->flags,
	    RECIPIENT_PRIMARY | RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY |
		RECIPIENT_DERIVED);
	assert_string_equal(error.header_warning, "Broken header");
	envelope_destroy(envelope);
	assert_int_equal(read_text(odd, sizeof odd - 1, &envelope, &error), CONTROL_OK);
	assert_int_equal(envelope->attempts, 0);
	assert_string_equal(envelope->recipients->address, "u@x.example");
	assert_string_equal(envelope->recipients->control_user, "");
	assert_string_equal(envelope->recipients->control_alias, "alice");
	assert_string_equal(envelope->recipients->next->address, "v@x.example");
	assert_string_equal(envelope->recipients->next->control_user, "bob");
	assert_true(envelope->recipients->next->next->has_control_ids);
	envelope_destroy(envelope);
}

static void
bad_files_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		enum control_result result;
		int line;
	} rows[] = {
#define ROW(text, result, line) {text, sizeof text - 1, result, line}
	    ROW("", CONTROL_EMPTY, 0),
	    ROW("V8\nT1\n", CONTROL_INCOMPLETE, 0),
	    ROW("V8\nT1\nSx\nRPFD:a", CONTROL_INCOMPLETE, 0),
	    ROW("V8\nT1\nSx\nH??Subject: x\n.x\n", CONTROL_BAD_LINE, 5),
	    ROW("V8\nT1\nSx\nY bad line\n.\n", CONTROL_BAD_LINE, 4),
	    ROW("V8\nH??A: b\n c\n d\n\n.\n", CONTROL_BAD_LINE, 5),
	    ROW("V8\nSx\0y\n.\n", CONTROL_BAD_LINE, 2),
	    ROW("V8\nSx\nRPFD:\n.\n", CONTROL_BAD_LINE, 3),
	    ROW("V9\nSx\n.\n", CONTROL_BAD_VERSION, 1),
	    ROW("V8\nSx\n.\nJunk\n", CONTROL_EXTRA_DATA, 3),
	    ROW("V8\nSx\n.\nJunk", CONTROL_EXTRA_DATA, 3),
	    ROW("\377\377\377\377", CONTROL_INCOMPLETE, 0),
	    ROW("\n", CONTROL_BAD_LINE, 1),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct envelope *envelope;
		struct control_error error;

		assert_int_equal(
		    read_text(rows[i].text, rows[i].length, &envelope, &error), rows[i].result);
		assert_int_equal(error.line, rows[i].line);
		assert_non_null(error.text);
		envelope_destroy(envelope);
	}
}

static void
no_value_breaks_out_of_its_line(void **state)
{
	static const char expected[] =
	    "V8\nT0\nK0\nN0\nP0\nMa RPFD:evil@x\nFs\n$rx .\nSs RPFD:evil@x\nMm .\nCu :1:2:a b\nQq "
	    ".\n"
	    "rr .\nRPFD:a@b .\nH??Sub ject:x\n\tRPFD:evil@x\n\t.\n\tend\n.\n";
	struct envelope *envelope = envelope_create(), *again;
	struct control_error error;
	struct recipient *one;
	struct str out = {0};

	(void)state;
	envelope->status = "a\nRPFD:evil@x";
	envelope->sender = "s\nRPFD:evil@x";
	envelope_set_macro(envelope, "r", "x\n.");
	one = envelope_add_recipient(envelope, "a@b\n.",
	    RECIPIENT_PRIMARY | RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY |
		RECIPIENT_DERIVED);
	one->status = "m\n.";
	one->orcpt = "q\n.";
	one->final = "r\n.";
	one->control_user = "u\n";
	one->control_alias = "a\nb";
	one->control_uid = 1;
	one->control_gid = 2;
	one->has_control_ids = true;
	envelope_add_recipient(envelope, "done@b", RECIPIENT_DONE);
	header_append(
	    &envelope->headers, envelope->arena, "Sub\nject", "x\nRPFD:evil@x\n.\n\tend\n");
	header_append(&envelope->headers, envelope->arena, "Gone", " x")->is_deleted = true;
	control_write(envelope, &out);
	assert_string_equal(out.data, expected);
	assert_int_equal(read_text(out.data, out.length, &again, &error), CONTROL_OK);
	assert_null(again->recipients->next);
	envelope_destroy(again);
	envelope_destroy(envelope);
	str_free(&out);
}

/* Every cut and many bit flips of real files: any answer will do, but one there must be (run it with ASan). */
static void
damaged_files_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof real_files / sizeof *real_files; i++) {
		size_t length = strlen(real_files[i]);

		for (size_t at = 0; at < length; at++) {
			struct envelope *envelope;
			struct control_error error;
			char *copy = malloc(length);
			struct str out = {0};

			memcpy(copy, real_files[i], length);
			assert_int_not_equal(read_text(copy, at, &envelope, &error),
			    at < length - 1 ? CONTROL_OK : CONTROL_INCOMPLETE);
			envelope_destroy(envelope);
			copy[at] = (char)(copy[at] ^ (1 << (at % 8)));
			if (read_text(copy, length, &envelope, &error) == CONTROL_OK) {
				struct envelope *again;

				control_write(envelope, &out);
				assert_int_equal(
				    read_text(out.data, out.length, &again, &error), CONTROL_OK);
				envelope_destroy(again);
			}
			envelope_destroy(envelope);
			str_free(&out);
			free(copy);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(real_files_come_back_byte_for_byte),
	    cmocka_unit_test(values_arrive_where_they_belong),
	    cmocka_unit_test(old_and_odd_files_are_read),
	    cmocka_unit_test(bad_files_are_told_apart),
	    cmocka_unit_test(no_value_breaks_out_of_its_line),
	    cmocka_unit_test(damaged_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
