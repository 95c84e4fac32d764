#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/table.h"

static void
keeps_what_was_set(void **state)
{
	struct table *table = table_create(TABLE_CASE);
	char key[16];
	static int values[1000];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		table_set(table, key, &values[i]);
	}
	assert_int_equal(table_count(table), 1000);
	for (int i = 0; i < 1000; i += 2) {
		snprintf(key, sizeof key, "key%d", i);
		assert_true(table_remove(table, key));
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof key, "key%d", i);
		assert_ptr_equal(table_get(table, key), i % 2 == 0 ? NULL : &values[i]);
	}
	table_set(table, "key0", &values[7]);
	assert_ptr_equal(table_get(table, "key0"), &values[7]);
	assert_null(table_get(table, "KEY1"));
	table_destroy(table);
}

static void
nocase_finds_any_case_and_walks_in_order(void **state)
{
	struct table *table = table_create(TABLE_NOCASE);
	int one = 1, two = 2;
	size_t position = 0;
	const char *key;
	void *value;

	(void)state;
	table_set(table, "Beta", &one);
	table_set(table, "alpha", &two);
	assert_ptr_equal(table_get(table, "BETA"), &one);
	assert_ptr_equal(table_get_bytes(table, "ALPHAx", 5), &two);
	assert_true(table_next(table, &position, &key, &value));
	assert_string_equal(key, "Beta");
	assert_true(table_next(table, &position, &key, &value));
	assert_string_equal(key, "alpha");
	assert_false(table_next(table, &position, &key, &value));
	table_destroy(table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keeps_what_was_set),
	    cmocka_unit_test(nocase_finds_any_case_and_walks_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
