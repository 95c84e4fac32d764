#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/safefile.h"

static char top[] = "/tmp/pillarbox-safe-XXXXXX";
static char directory[64], path[128], link_path[128];

static int
set_up(void **state)
{
	FILE *file;

	(void)state;
	strcpy(top + strlen(top) - 6, "XXXXXX");
	assert_non_null(mkdtemp(top));
	snprintf(directory, sizeof directory, "%s/d", top);
	snprintf(path, sizeof path, "%s/f", directory);
	snprintf(link_path, sizeof link_path, "%s/l", top);
	assert_int_equal(mkdir(directory, 0755), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	chmod(path, 0600);
	return symlink("d/f", link_path);
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(link_path);
	unlink(path);
	rmdir(directory);
	return rmdir(top);
}

/* The folders above are the machine's own, so directories are judged with the sticky bit trusted. */
static void
modes_of_files(void **state)
{
	struct options options = {.trusted_uid = 0};

	(void)state;
	assert_null(safefile_check(path, SAFEFILE_NO_WORLD_WRITABLE | SAFEFILE_OWNED, &options));
	chmod(path, 0620);
	assert_string_equal(
	    safefile_check(path, SAFEFILE_NO_GROUP_WRITABLE, &options), "Group writable file");
	assert_null(safefile_check(path, SAFEFILE_NO_WORLD_WRITABLE, &options));
	chmod(path, 0602);
	assert_string_equal(
	    safefile_check(path, SAFEFILE_NO_WORLD_WRITABLE, &options), "World writable file");
	chmod(path, 0644);
	assert_string_equal(
	    safefile_check(path, SAFEFILE_NO_GROUP_READABLE | SAFEFILE_NO_WORLD_READABLE, &options),
	    "Group readable file");
	assert_string_equal(
	    safefile_check(path, SAFEFILE_NO_WORLD_READABLE, &options), "World readable file");
	assert_string_equal(safefile_check(directory, 0, &options), "Regular files only");
	assert_string_equal(
	    safefile_check("/nonexistent/x", 0, &options), "No such file or directory");
}

static void
directories_and_links(void **state)
{
	struct options options = {.dont_blame = 1ULL << BLAME_TRUST_STICKY_BIT};

	(void)state;
	assert_null(safefile_check(link_path, 0, &options));
	assert_string_equal(
	    safefile_check(link_path, SAFEFILE_NO_LINK, &options), "Symbolic links not allowed");
	chmod(directory, 0777);
	/* the link is in a safe folder, what it points to is not */
	assert_string_equal(
	    safefile_check(link_path, SAFEFILE_DIRECTORIES, &options), "World writable directory");
	chmod(directory, 0775);
	assert_string_equal(safefile_check_directories(path, &options), "Group writable directory");
	options.dont_blame |= 1ULL << BLAME_GROUP_WRITABLE_DIR_PATH_SAFE;
	assert_null(safefile_check_directories(path, &options));
	chmod(directory, 0755);
	unlink(link_path);
	assert_int_equal(symlink("l", link_path), 0);
	assert_non_null(safefile_check(link_path, 0, &options)); /* a link to itself ends */
}

static void
kinds_are_waived_by_their_own_flags(void **state)
{
	struct options options = {0};

	(void)state;
	assert_true((safefile_rules(SAFEFILE_KEY, &options) & SAFEFILE_NO_GROUP_READABLE) != 0);
	options.dont_blame = 1ULL << BLAME_GROUP_READABLE_KEY_FILE;
	assert_true((safefile_rules(SAFEFILE_KEY, &options) & SAFEFILE_NO_GROUP_READABLE) == 0);
	assert_true((safefile_rules(SAFEFILE_KEY, &options) & SAFEFILE_NO_WORLD_READABLE) != 0);
	assert_true(
	    (safefile_rules(SAFEFILE_AUTH_INFO, &options) & SAFEFILE_NO_GROUP_READABLE) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(modes_of_files, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(directories_and_links, set_up, tear_down),
	    cmocka_unit_test(kinds_are_waived_by_their_own_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
