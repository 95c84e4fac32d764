#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "base/date.h"

/* Expected values: sendmail 8.17 with TimeZoneSpec. */
static void
writes_the_offset_as_v8(void **state)
{
	static const struct {
		const char *zone, *date;
	} rows[] = {
	    {"UTC0", "Fri, 20 Nov 2026 14:34:55 GMT"},
	    {"WET0", "Fri, 20 Nov 2026 14:34:55 GMT"},
	    {"CET-1", "Fri, 20 Nov 2026 15:34:55 +0100"},
	    {"XYZ-3", "Fri, 20 Nov 2026 17:34:55 +0300"},
	    {"NST3:30", "Fri, 20 Nov 2026 11:04:55 -0330"},
	    {"LINT-14", "Sat, 21 Nov 2026 04:34:55 +1400"},
	    {"AoE12", "Fri, 20 Nov 2026 02:34:55 -1200"},
	};
	char buffer[DATE_RFC822_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		setenv("TZ", rows[i].zone, 1);
		tzset();
		assert_string_equal(date_rfc822(1795185295, buffer), rows[i].date);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(writes_the_offset_as_v8)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
