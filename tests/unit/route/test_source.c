#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/config.h"
#include "deliver/spawn.h"
#include "route/source.h"

static struct config *config;
static char folder[] = "/tmp/pillarbox.source.XXXXXX";
static struct arena *arena;

static const char *
path_of(const char *name)
{
	return arena_printf(arena, "%s/%s", folder, name);
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path_of(name), mode);
}

static int
set_up(void **state)
{
	struct config_request request = {.is_safe_caller = true};

	(void)state;
	arena = arena_create();
	if (mkdtemp(folder) == NULL)
		return -1;
	chmod(folder, 0755);
	write_file("list", "ann\n", 0644);
	write_file("cf",
	    "V10\nO QueueDirectory=/tmp\nO DefaultUser=1:1\nO BlankSub=.\n"
	    "O OperatorChars=.:%@!^/[]+\n"
	    "Mlocal, P=/bin/true, F=lsDFMA:/|@, A=true $u\nSparse=0\nR$*\t$#local $: $1\n",
	    0644);
	request.file = path_of("cf");
	config = config_read(&request);
	return config->error_status != 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"list", "cf"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(path_of(names[i]));
	rmdir(folder);
	config_destroy(config);
	arena_destroy(arena);
	return 0;
}

static void
a_text_names_only_what_is_an_item_of_its_own(void **state)
{
	static const char text[] = "# \"|secret\"\nann, \"|/bin/a b\"\n/tmp/box, (c) dora\n";

	(void)state;
	assert_true(source_names(text, "ann", arena));
	assert_true(source_names(text, "\"|/bin/a b\"", arena));
	assert_true(source_names(text, "/tmp/box", arena));
	assert_false(source_names(text, "|/bin/a b", arena));
	assert_false(source_names(text, "\"|/bin/a\"", arena));
	assert_false(source_names(text, "an", arena));
	assert_false(source_names(text, "\"|secret\"", arena));
	assert_false(source_names(text, "ann, \"|/bin/a b\"", arena));
	assert_false(source_names(text, "", arena));
	assert_false(source_names("", "", arena));
}

static void
targets_are_without_quotes(void **state)
{
	(void)state;
	assert_string_equal(source_target(config, "\"|/bin/a b\"", arena), "|/bin/a b");
	assert_string_equal(source_target(config, "|\"/bin/a b\"", arena), "|/bin/a b");
	assert_string_equal(source_target(config, "|/bin/echo hi", arena), "|/bin/echo.hi");
	assert_string_equal(source_target(config, "/tmp/a b", arena), "/tmp/a.b");
	assert_string_equal(
	    source_target(config, "\"|echo \\\"a\\\" > /tmp/q\"", arena), "|echo \"a\" > /tmp/q");
	assert_null(source_target(config, "ann", arena));
	assert_null(source_target(config, "\" |/bin/true\"", arena));
	assert_null(source_target(config, "", arena));
}

static void
sources_come_back_from_text(void **state)
{
	struct source source = {SOURCE_FORWARD, "ann", "box"}, read;

	(void)state;
	assert_true(source_parse(source_print(&source, arena), &read, arena));
	assert_int_equal(read.kind, SOURCE_FORWARD);
	assert_string_equal(read.name, "ann");
	assert_string_equal(read.detail, "box");
	assert_false(source_parse("", &read, arena));
	assert_false(source_parse("a\n", &read, arena));
	assert_false(source_parse("aname", &read, arena));
	assert_false(source_parse("zname\n", &read, arena));
	assert_false(source_parse("aname\nx\ny", &read, arena));
}

static void
answers_come_back_and_broken_ones_do_not(void **state)
{
	struct source_text text = {.text = arena_strdup(arena, "ann\n"),
	    .path = "/home/ann/.forward",
	    .owner = {.login = "ann", .name = "ann", .uid = 7, .gid = 8, .is_unsafe = true}};
	struct source_text read;
	struct str bytes = {0};

	(void)state;
	source_put_answer(&bytes, &text);
	assert_true(source_take_answer(&bytes, arena, &read));
	assert_string_equal(read.text, "ann\n");
	assert_string_equal(read.path, "/home/ann/.forward");
	assert_int_equal(read.owner.uid, 7);
	assert_int_equal(read.owner.gid, 8);
	assert_true(read.owner.is_unsafe);
	assert_null(read.reason);
	while (bytes.length > 0) {
		bytes.length--;
		assert_false(source_take_answer(&bytes, arena, &read));
	}
	str_free(&bytes);
}

static void
a_request_comes_back_and_a_cut_one_does_not(void **state)
{
	static const char *const users[] = {"\"|/bin/a b\""};
	struct source chain[] = {{SOURCE_ALIAS, "list", ""}, {SOURCE_INCLUDE, "/etc/list", ""}};
	struct saved_macro macro = {.name = "client_addr", .value = "192.0.2.1"};
	struct spawn_request request = {.mailer = "prog",
	    .id = "6AKAnwQO000049",
	    .host = "",
	    .sender = "x@y.example",
	    .from = "x@y.example",
	    .control_user = "",
	    .users = users,
	    .user_count = 1,
	    .chain = chain,
	    .chain_count = 2,
	    .macros = &macro};
	struct spawn_request read;
	struct str bytes = {0};

	(void)state;
	spawn_encode(&bytes, &request);
	assert_true(spawn_decode(&bytes, &read, arena));
	assert_string_equal(read.mailer, "prog");
	assert_int_equal(read.user_count, 1);
	assert_string_equal(read.users[0], users[0]);
	assert_int_equal(read.chain_count, 2);
	assert_string_equal(read.chain[1].name, "/etc/list");
	assert_string_equal(read.macros->name, "client_addr");
	assert_string_equal(read.macros->value, "192.0.2.1");
	assert_null(read.granted); /* no byte can say so */
	bytes.length--;
	assert_false(spawn_decode(&bytes, &read, arena));
	str_clear(&bytes);
	assert_false(spawn_decode(&bytes, &read, arena));
	str_free(&bytes);
}

static void
a_chain_begins_with_what_anybody_may_send_to(void **state)
{
	struct source list = {SOURCE_INCLUDE, path_of("list"), ""};
	struct source twice[] = {{SOURCE_FORWARD, "nobody-of-this-name", ""}, list};
	struct source_text text;

	(void)state;
	assert_false(source_read(config, &list, 1, arena, &text));
	assert_string_equal(text.reason, "Not an alias or .forward");
	assert_false(source_read(config, twice, 2, arena, &text));
	assert_false(source_read(config, NULL, 0, arena, &text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_text_names_only_what_is_an_item_of_its_own),
	    cmocka_unit_test(targets_are_without_quotes),
	    cmocka_unit_test(sources_come_back_from_text),
	    cmocka_unit_test(answers_come_back_and_broken_ones_do_not),
	    cmocka_unit_test(a_request_comes_back_and_a_cut_one_does_not),
	    cmocka_unit_test(a_chain_begins_with_what_anybody_may_send_to),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
