#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/str.h"
#include "mail/mime.h"

static void
take(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
}

static struct str
convert(const char *header, const char *body, size_t length, bool encode)
{
	struct str out = {0};
	FILE *file = tmpfile();
	struct mime_request request = {
	    .header = header,
	    .header_length = strlen(header),
	    .note = "by HOST id QID",
	    .charset = "unknown-8bit",
	    .encode = encode,
	    .write = take,
	    .write_context = &out,
	};

	assert_non_null(file);
	fwrite(body, 1, length, file);
	fflush(file);
	request.body_fd = fileno(file);
	assert_true(mime_convert(&request));
	fclose(file);
	return out;
}

static void
expect(const char *header, const char *body, const char *expected)
{
	struct str out = convert(header, body, strlen(body), true);

	assert_string_equal(str_text(&out), expected);
	str_free(&out);
}

/* The expected texts of these cases are what sendmail 8.17 sent. */
static void
few_high_bytes_become_quoted_printable(void **state)
{
	(void)state;
	expect("Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
	       "Content-Transfer-Encoding: 8bit\n",
	    "From me\na long line of text = with equal sign and so on and so forth it needs to go "
	    "beyond seventy "
	    "six columns\n.\ntrailing blank \n\344\366\374\nlast\ttab\t\n..x\n",
	    "Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n"
	    "Content-Transfer-Encoding: quoted-printable\n"
	    "X-MIME-Autoconverted: from 8bit to quoted-printable by HOST id QID\n\n"
	    "From me\na long line of text =3D with equal sign and so on and so forth it needs t=\n"
	    "o go beyond seventy six columns\n=2E\ntrailing "
	    "blank=20\n=E4=F6=FC\nlast\ttab=09\n..x\n");
}

static void
many_high_bytes_become_base64(void **state)
{
	(void)state;
	expect("Content-Type: text/plain; charset=utf-8\nMIME-Version: "
	       "1.0\nContent-Transfer-Encoding: 8bit\n",
	    "\344\366\374\344\366\374\344\366\374\344\366\374\n\344\366\374\344\366\374\344\366\374"
	    "\344\366\374\n"
	    "\344\366\374\344\366\374\344\366\374\344\366\374\n\344\366\374\344\366\374\344\366\374"
	    "\344\366\374\n",
	    "Content-Type: text/plain; charset=utf-8\nMIME-Version: "
	    "1.0\nContent-Transfer-Encoding: base64\n"
	    "X-MIME-Autoconverted: from 8bit to base64 by HOST id QID\n\n"
	    "5Pb85Pb85Pb85Pb8DQrk9vzk9vzk9vzk9vwNCuT2/OT2/OT2/OT2/A0K5Pb85Pb85Pb85Pb8\nDQo=\n");
}

static void
multiparts_are_converted_by_parts(void **state)
{
	(void)state;
	expect("MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	       "boundary=\"bb\"\nContent-Transfer-Encoding: 8bit\n",
	    "pre\n--bb\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
	    "8bit\n\n\344b\n--bb\n"
	    "Content-Type: application/octet-stream\nContent-Transfer-Encoding: "
	    "base64\n\nAAAA\n--bb--\npost\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"bb\"\n\npre\n--bb\n"
	    "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n"
	    "X-MIME-Autoconverted: from 8bit to base64 by HOST id QID\n\n5GI=\n--bb\n"
	    "Content-Type: application/octet-stream\nContent-Transfer-Encoding: "
	    "base64\n\nAAAA\n--bb--\npost\n");
}

static void
messages_inside_parts_and_signed_parts(void **state)
{
	(void)state;
	expect("MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	       "boundary=\"bb\"\nContent-Transfer-Encoding: 8bit\n",
	    "pre\n--bb\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: "
	    "in\nMIME-Version: "
	    "1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nhello "
	    "world hello world "
	    "\344 more text here to stay under an eighth\n--bb\n\n\344 no header at all "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n--bb\nContent-Type: multipart/signed; "
	    "boundary=\"cc\"\n\n--cc\n\nx\344\n--cc--\n--bb--\npost\344\n",
	    "MIME-Version: 1.0\nContent-Type: multipart/mixed; "
	    "boundary=\"bb\"\n\npre\n--bb\nContent-Type: "
	    "message/rfc822\n\nSubject: in\nMIME-Version: 1.0\nContent-Type: text/html; "
	    "charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable\n"
	    "X-MIME-Autoconverted: from 8bit to quoted-printable by HOST id QID\n\n"
	    "hello world hello world =E4 more text here to stay under an eighth\n--bb\n"
	    "Content-Transfer-Encoding: quoted-printable\n"
	    "X-MIME-Autoconverted: from 8bit to quoted-printable by HOST id QID\n\n"
	    "=E4 no header at all aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n--bb\n"
	    "Content-Type: multipart/signed; "
	    "boundary=\"cc\"\n\n--cc\n\nx\344\n--cc--\n--bb--\npostd\n");
}

static void
plain_messages_get_mime_fields(void **state)
{
	struct str out;

	(void)state;
	expect("Subject: s\n", "\344\366\374 = soft is a line with much more text than just that\n",
	    "Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
	    "Content-Transfer-Encoding: quoted-printable\n"
	    "X-MIME-Autoconverted: from 8bit to quoted-printable by HOST id QID\n\n"
	    "=E4=F6=FC =3D soft is a line with much more text than just that\n");
	out = convert("Subject: s\n", "\344\n", 2, false);
	assert_string_equal(str_text(&out),
	    "Subject: s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n"
	    "Content-Transfer-Encoding: 8bit\n\n\344\n");
	str_free(&out);
}

/* Whatever comes in: it ends, and all that comes out has 7 bits where the type lets us touch it. */
static void
hostile_structures_do_no_harm(void **state)
{
	static const char *const pieces[] = {"--b\n", "--b--\n", "--\n",
	    "Content-Type: multipart/x; boundary=b\n", "\n", "\344",
	    "Content-Type: message/rfc822\n\n", "--b  \r\n", "(((", "\"", "=\n", ".\n"};
	unsigned seed = 12345;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct str body = {0}, out;

		for (int i = 0; i < 40; i++) {
			seed = seed * 1103515245u + 12345u;
			str_add_text(
			    &body, pieces[(seed >> 16) % (sizeof pieces / sizeof *pieces)]);
		}
		out = convert("Content-Type: multipart/mixed; boundary=b\n", str_text(&body),
		    body.length, true);
		for (size_t i = 0; i < out.length; i++)
			assert_true((unsigned char)out.data[i] < 0x80);
		str_free(&out);
		str_free(&body);
	}
}

static void
an_endless_line_is_converted_too(void **state)
{
	struct str body = {0}, out;
	size_t longest = 0, line = 0;

	(void)state;
	for (int i = 0; i < 30000; i++)
		str_add_text(&body, i % 10 == 0 ? "\344" : "a");
	out = convert("Content-Type: text/plain\n", str_text(&body), body.length, true);
	for (size_t i = 0; i < out.length; i++) {
		line = out.data[i] == '\n' ? 0 : line + 1;
		longest = line > longest ? line : longest;
	}
	assert_true(longest <= 76);
	assert_int_equal(out.data[out.length - 1], '\n');
	str_free(&out);
	str_free(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(few_high_bytes_become_quoted_printable),
	    cmocka_unit_test(many_high_bytes_become_base64),
	    cmocka_unit_test(multiparts_are_converted_by_parts),
	    cmocka_unit_test(messages_inside_parts_and_signed_parts),
	    cmocka_unit_test(plain_messages_get_mime_fields),
	    cmocka_unit_test(hostile_structures_do_no_harm),
	    cmocka_unit_test(an_endless_line_is_converted_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
