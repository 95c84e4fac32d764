#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/os.h"

static const char *
order(const char *text, const char *service)
{
	static char words[128];
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/tmp/test_switch.%ld", (long)getpid());
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	if (!os_read_service_order(path, service, words, sizeof words))
		assert_string_equal(words, "");
	unlink(path);
	return words;
}

static void
linux_form(void **state)
{
	(void)state;
	assert_string_equal(order("passwd: files\nhosts: files dns\n", "hosts"), "files dns");
	assert_string_equal(
	    order("hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns myhostname # c\n", "hosts"),
	    "files dns");
	assert_string_equal(
	    order("  hosts : mymachines resolve [!UNAVAIL=return] files dns", "hosts"),
	    "dns files");
	assert_string_equal(order("#hosts: files\n", "hosts"), "");
	assert_string_equal(order("hosts: wins\naliases: files nis\n", "hosts"), "");
	assert_string_equal(order("hosts: wins\naliases: files nis\n", "aliases"), "files nis");
	assert_string_equal(order("hostsx: files\n", "hosts"), "");
	assert_string_equal(order("hosts: [", "hosts"), "");
	assert_string_equal(order("hosts: [x", "hosts"), "");
}

static void
aix_form(void **state)
{
	(void)state;
	assert_string_equal(order("hosts = local , bind\n", "hosts"), "files dns");
	assert_string_equal(order("hosts=local=auth,bind4\n", "hosts"), "files dns");
	assert_string_equal(order("hosts = bind6, nis+, local4\n", "hosts"), "dns nisplus files");
	assert_string_equal(order("alias = files , nis\n", "alias"), "files nis");
}

static void
no_file_says_nothing(void **state)
{
	char words[8] = "x";

	(void)state;
	assert_false(os_read_service_order("/nonexistent/x", "hosts", words, sizeof words));
	assert_string_equal(words, "");
	/* too small for all: never more than there is room for */
	os_add_service_word("files", 5, words, sizeof words);
	os_add_service_word("dns", 3, words, sizeof words);
	assert_true(strlen(words) < sizeof words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(linux_form),
	    cmocka_unit_test(aix_form),
	    cmocka_unit_test(no_file_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
