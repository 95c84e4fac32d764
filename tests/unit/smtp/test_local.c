#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "smtp/local.h"

static void
request_survives_writing_and_reading(void **state)
{
	struct local_request in = {.envelope_length = 1234,
				 .delivery_mode = 'q',
				 .hop_count = 7,
				 .is_gateway = true},
			     out;
	struct str line = {0};

	(void)state;
	local_write_request(&line, &in);
	assert_string_equal(line.data, "XENV 1 1234 mode=q hops=7 gateway\r\n");
	str_truncate(&line, line.length - 2);
	assert_true(local_parse_request(line.data + 5, &out));
	assert_int_equal(out.envelope_length, 1234);
	assert_int_equal(out.delivery_mode, 'q');
	assert_int_equal(out.hop_count, 7);
	assert_true(out.is_gateway);
	str_free(&line);
}

static void
nonsense_is_refused(void **state)
{
	static const char *const bad[] = {"", "1", "2 10", "1 0", "1 -5", "1 99999999999999999999",
	    "1 10 mode=", "1 10 mode=xx", "1 10 hops=-1", "1 17000000", "x 10"};
	struct local_request request;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(local_parse_request(bad[i], &request));
	assert_true(local_parse_request("1 10 later=3", &request));
	assert_true(local_parse_request("1 10 ", &request));
}

static void
chunks(void **state)
{
	size_t length;
	bool last;

	(void)state;
	assert_true(local_parse_chunk("0 LAST", &length, &last));
	assert_int_equal(length, 0);
	assert_true(last);
	assert_true(local_parse_chunk("4096", &length, &last));
	assert_int_equal(length, 4096);
	assert_false(last);
	assert_false(local_parse_chunk("", &length, &last));
	assert_false(local_parse_chunk("-1", &length, &last));
	assert_false(local_parse_chunk("5 LAST x", &length, &last));
	assert_false(local_parse_chunk("5 FIRST", &length, &last));
	assert_false(local_parse_chunk("99999999999", &length, &last));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_survives_writing_and_reading),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
