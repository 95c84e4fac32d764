#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"
#include "mail/mime.h"

static void
take(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
}

/* The expected texts of these cases are what sendmail 8.17 made of them. */
static void
expect(const char *encoding, const char *body, const char *expected, size_t length)
{
	struct str out = {0}, header = {0};
	FILE *file = tmpfile();
	struct mime_request request = {
	    .note = "by HOST id QID", .write = take, .write_context = &out};
	const char *text;

	str_printf(&header,
	    "Content-Transfer-Encoding: %s\nX-A: 1\nContent-Type: text/plain; charset=x\n",
	    encoding);
	assert_true(mime_is_encoded_text(header.data, header.length));
	assert_non_null(file);
	fputs(body, file);
	fflush(file);
	request.header = header.data;
	request.header_length = header.length;
	request.body_fd = fileno(file);
	assert_true(mime_decode(&request));
	text = strstr(str_text(&out), "\n\n");
	assert_non_null(text);
	assert_non_null(strstr(str_text(&out),
	    "X-A: 1\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: 8bit\n"
	    "X-MIME-Autoconverted: from "));
	text += 2;
	assert_int_equal(out.length - (size_t)(text - out.data), length);
	assert_memory_equal(text, expected, length);
	fclose(file);
	str_free(&out);
	str_free(&header);
}

#define TEXT(literal) literal, sizeof literal - 1

static void
quoted_printable_becomes_text(void **state)
{
	static const char name[] = "quoted-printable";

	(void)state;
	expect(name, "h=E4llo=20x=\nmore =3D\n=2E\nend=\n", TEXT("h\344llo xmore =\n.\nend\n"));
	expect(name, "a\n\n", TEXT("a\n\n\n"));
	expect(name, "", TEXT("\n"));
	expect(name, "a", TEXT("a\n"));
	expect(name, "a=41=42=0Ab\n", TEXT("aAB\nb\n\n"));
	expect(name, "a=00b=00\n", TEXT("a\0b\0\n\n"));
	expect(name, "ab=\ncd=   \nef =20 \ngh\nij=\n", TEXT("abcdef   \ngh\nij\n"));
	/* what is no code */
	expect(name, "a=ZZb\nc\n", TEXT("ac\n\n"));
	expect(name, "a= x\nb\n", TEXT("ab\n\n"));
	expect(name, "a=4\nb\n", TEXT("ab\n\n"));
	expect(name, "a==41\nb\n", TEXT("ab\n\n"));
	expect(name, "a=4Zb=41\nc\n", TEXT("aKA\nc\n\n"));
	expect(name, "a=4=41b", TEXT("aD1b\n"));
	expect(name, "a=ZZ", TEXT("a\n"));
}

static void
base64_becomes_text(void **state)
{
	static const char name[] = "Base64";

	(void)state;
	expect(name, "aOR0bG8NCndvcmxkDQpGcm9tIG1lDQpsYXN0\n",
	    TEXT("h\344tlo\nworld\nFrom me\nlast\n\n"));
	expect(name, "YWJjCg==\n", TEXT("abc\n\n"));
	expect(name, "", TEXT("\n"));
	expect(name, "YW\nJj\n ZGVm", TEXT("abcdef\n\n"));
	expect(name, "YWJjDQ==\n", TEXT("abc\r\n\n"));
	expect(name, "DQ0KDQ0NCg==\n", TEXT("\r\n\r\r\n\n"));
	expect(name, "YQ==YWJj\n", TEXT("aabc\n\n"));
	/* what is none of it */
	expect(name, "YW=Jj\n", TEXT("a\n\n"));
	expect(name, "YW!Jj\n", TEXT("ao\311\n\n"));
	expect(name, "YWJj*YWJj\n", TEXT("abc\375\205\211\n\n"));
	expect(name, "Y\n", TEXT("\n"));
	expect(name, "====\n", TEXT("\n"));
}

static void
other_messages_are_no_encoded_text(void **state)
{
	static const char *const headers[] = {
	    "Content-Transfer-Encoding: base64\n",
	    "Content-Type: text/html\nContent-Transfer-Encoding: base64\n",
	    "Content-Type: multipart/mixed; boundary=x\nContent-Transfer-Encoding: base64\n",
	    "Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\n",
	    "Content-Type: text/plain\n",
	    "Content-Type: text\nContent-Transfer-Encoding: base64\n",
	    "",
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		assert_false(mime_is_encoded_text(headers[i], strlen(headers[i])));
}

static void
expect_limit(const char *name, const char *value, size_t maximum, size_t parameter,
    const char *expected, const char *expected_note)
{
	struct arena *arena = arena_create();
	const char *note = "",
		   *limited = mime_limit_value(name, value, maximum, parameter, arena, &note);

	assert_string_equal(limited, expected);
	if (expected_note == NULL) {
		assert_null(note);
		assert_ptr_equal(limited, value);
	} else {
		assert_non_null(note);
		assert_string_equal(note, expected_note);
	}
	arena_destroy(arena);
}

static void
fields_are_cut_where_they_are_too_long(void **state)
{
	(void)state;
	expect_limit("Subject", " a long subject", 5, 2, " a long subject", NULL);
	expect_limit(
	    "Content-Type", " text/plain; charset=x", 128, 40, " text/plain; charset=x", NULL);
	expect_limit("Content-Type",
	    " text/plain; name=\"0123456789012345678901234567890\"; charset=x", 60, 20,
	    " text/plain; name=\"0123456789012\"; charset=x",
	    "Truncated MIME Content-Type header due to field size (length = 39) (possible attack)");
	expect_limit("content-type", " text/plain; name=\"0123456789\"", 25, 0,
	    " text/plain; name=\"012345\"",
	    "Truncated long MIME content-type header (length = 30) (possible attack)");
	expect_limit("Content-Type", " text/plain; name=\"nnnnn\"", 40, 5, " text/; name=",
	    "Truncated MIME Content-Type header due to field size (length = 13) (possible attack)");
	expect_limit("Content-Id", " (open", 60, 20, " (ope)",
	    "Fixed MIME Content-Id header (possible attack)");
	expect_limit("Content-Disposition", " a; filename=\"x;y(z\"; b=(c;d)", 60, 20,
	    " a; filename=\"x;y(z\"; b=(c;d)", NULL);
	expect_limit("Content-Description", " a \"quote", 60, 20, " a \"quote", NULL);
	expect_limit("Content-Description", " 0123456789", 6, 2, " 01234",
	    "Truncated long MIME Content-Description header (length = 11) (possible attack)");
	expect_limit("MIME-Version", " 1.0 (a comment \\) that is long)", 20, 2,
	    " 1.0 (a comment \\) t)",
	    "Truncated long MIME MIME-Version header (length = 32) (possible attack)");
	expect_limit("Content-Type", " ;;\";", 0, 3, " ;;\"\"",
	    "Fixed MIME Content-Type header (possible attack)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quoted_printable_becomes_text),
	    cmocka_unit_test(base64_becomes_text),
	    cmocka_unit_test(other_messages_are_no_encoded_text),
	    cmocka_unit_test(fields_are_cut_where_they_are_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
