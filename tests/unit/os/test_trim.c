#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "os/os.h"

/* kB of files that are mapped in; -1 where the system does not tell. */
static long
resident_files(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	long size = -1;

	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "RssFile: %ld", &size) == 1)
			break;
	}
	if (file != NULL)
		fclose(file);
	return size;
}

static void
all_goes_on(void **state)
{
	enum { COUNT = 2000, SIZE = 500 };
	static char *kept[COUNT], wanted[SIZE];

	(void)state;
	memset(wanted, 'x', sizeof wanted);
	for (int i = 0; i < COUNT; i++) {
		kept[i] = malloc(SIZE);
		assert_non_null(kept[i]);
		memcpy(kept[i], wanted, SIZE);
	}
	for (int i = 0; i < COUNT; i += 2) {
		free(kept[i]);
		kept[i] = NULL;
	}
	os_trim_memory();
	for (int i = 1; i < COUNT; i += 2) {
		assert_memory_equal(kept[i], wanted, SIZE);
		free(kept[i]);
	}
	os_trim_memory();
	assert_int_equal(strtol("42", NULL, 10), 42);
}

static void
pages_of_files_are_given_back(void **state)
{
	long before = resident_files();

	(void)state;
	if (before < 0)
		skip();
	os_trim_memory();
	assert_true(resident_files() <= before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_goes_on),
	    cmocka_unit_test(pages_of_files_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
