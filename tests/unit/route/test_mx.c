#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/text.h"
#include "route/mx.h"

static struct arena *arena;
static struct config config;

static void
add_mx(struct dns_answer *answer, unsigned preference, const char *name)
{
	struct dns_record *record = ARENA_NEW(arena, struct dns_record);

	record->type = DNS_MX;
	record->preference = preference;
	record->name = name;
	record->next = answer->records;
	answer->records = record;
	answer->count++;
	answer->status = DNS_FOUND;
}

/* The zone of these tests. */
static void
query(const char *name, enum dns_type type, struct arena *unused, struct dns_answer *answer)
{
	(void)unused;
	assert_int_equal(type, DNS_MX);
	*answer = (struct dns_answer){.status = DNS_NO_DATA, .canonical = name};
	if (text_starts(name, "three.example")) {
		add_mx(answer, 30, "c.example");
		add_mx(answer, 10, "a.example");
		add_mx(answer, 20, "b.example");
	} else if (text_starts(name, "equal.example")) {
		add_mx(answer, 10, "x.example");
		add_mx(answer, 10, "y.example");
		add_mx(answer, 5, "best.example");
	} else if (text_starts(name, "self.example")) {
		add_mx(answer, 10, "a.example");
		add_mx(answer, 20, "MAIL.example.com");
		add_mx(answer, 20, "equal-to-self.example");
		add_mx(answer, 30, "c.example");
	} else if (text_starts(name, "onlyself.example")) {
		add_mx(answer, 20, "mail.example.com");
	} else if (text_starts(name, "null.example")) {
		add_mx(answer, 0, "");
	} else if (text_starts(name, "servfail.example")) {
		answer->status = DNS_TRY_AGAIN;
	} else if (text_starts(name, "none.invalid")) {
		answer->status = DNS_NO_NAME;
	}
}

static const char *
hosts_of(const char *host, enum mx_status expected)
{
	struct mx_list list;
	static char text[512];

	mx_find(&config, host, false, query, arena, &list);
	assert_int_equal(list.status, expected);
	text[0] = '\0';
	for (size_t i = 0; i < list.count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
		    list.hosts[i].name);
	return text;
}

static void
hosts_come_by_preference(void **state)
{
	(void)state;
	assert_string_equal(
	    hosts_of("three.example", MX_FOUND), "a.example. b.example. c.example.");
	assert_string_equal(
	    hosts_of("three.example.", MX_FOUND), "a.example. b.example. c.example.");
	assert_string_equal(hosts_of("plain.example", MX_FOUND), "plain.example.");
}

static void
equal_hosts_come_in_any_order(void **state)
{
	bool seen[2] = {false, false};

	(void)state;
	for (int i = 0; i < 200; i++) {
		const char *hosts = hosts_of("equal.example", MX_FOUND);

		if (strcmp(hosts, "best.example. x.example. y.example.") == 0)
			seen[0] = true;
		else if (strcmp(hosts, "best.example. y.example. x.example.") == 0)
			seen[1] = true;
		else
			fail_msg("%s", hosts);
	}
	assert_true(seen[0] && seen[1]);
}

static void
this_host_cuts_the_list(void **state)
{
	(void)state;
	assert_string_equal(hosts_of("self.example", MX_FOUND), "a.example.");
	assert_string_equal(hosts_of("onlyself.example", MX_SELF), "");
	config.options.try_null_mx_list = true;
	assert_string_equal(hosts_of("onlyself.example", MX_FOUND), "onlyself.example.");
	config.options.try_null_mx_list = false;
}

static void
a_list_goes_on_without_what_it_had(void **state)
{
	struct arena *other = arena_create();
	struct mx_list list, copy;

	(void)state;
	config.options.fallback_mx_host = "B.example";
	mx_find(&config, "three.example", false, query, arena, &list);
	config.options.fallback_mx_host = NULL;
	assert_int_equal(list.count, 4);
	assert_int_equal(mx_next(&list, 0), 0);
	assert_int_equal(mx_next(&list, 2), 2);
	assert_int_equal(mx_next(&list, 3), 4);
	mx_copy(&list, other, &copy);
	arena_reset(arena);
	assert_int_equal(copy.count, 4);
	assert_string_equal(copy.hosts[2].name, "c.example.");
	assert_string_equal(copy.hosts[2].look_up, "c.example.");
	assert_true(copy.hosts[2].is_mx && !copy.hosts[3].is_mx);
	arena_destroy(other);
}

static void
the_smart_host_of_last_resort_is_marked(void **state)
{
	struct mx_list list;

	(void)state;
	config.options.fallback_smart_host = "last.example";
	mx_find(&config, "plain.example", false, query, arena, &list);
	config.options.fallback_smart_host = NULL;
	assert_int_equal(list.count, 2);
	assert_false(list.hosts[0].is_last_resort);
	assert_true(list.hosts[1].is_last_resort);
	assert_string_equal(list.hosts[1].name, "last.example");
}

static void
lists_and_brackets(void **state)
{
	(void)state;
	assert_string_equal(hosts_of("[three.example]", MX_FOUND), "three.example.");
	assert_string_equal(hosts_of("[192.0.2.1]", MX_FOUND), "[192.0.2.1]");
	assert_string_equal(hosts_of("[IPv6:2001:db8::1]:plain.example", MX_FOUND),
	    "[IPv6:2001:db8::1] plain.example.");
	assert_string_equal(
	    hosts_of("[b]:[a]:three.example", MX_FOUND), "b. a. a.example. b.example. c.example.");
	assert_string_equal(hosts_of("servfail.example:[a]", MX_FOUND), "a.");
	assert_string_equal(hosts_of("", MX_NO_NAME), "");
	assert_string_equal(hosts_of("[", MX_FOUND), "[.");
	assert_string_equal(hosts_of("::,,:", MX_NO_NAME), "");
	assert_string_equal(hosts_of("[]", MX_FOUND), ".");
}

static void
failures_are_told_apart(void **state)
{
	(void)state;
	assert_string_equal(hosts_of("null.example", MX_NULL), "");
	assert_string_equal(hosts_of("servfail.example", MX_TRY_AGAIN), "");
	assert_string_equal(hosts_of("none.invalid", MX_NO_NAME), "");
}

static void
the_fallback_host_comes_last(void **state)
{
	(void)state;
	config.options.fallback_mx_host = "[fallback.example]";
	assert_string_equal(
	    hosts_of("plain.example", MX_FOUND), "plain.example. fallback.example.");
	assert_string_equal(hosts_of("servfail.example", MX_FOUND), "fallback.example.");
	/* V8: for a name that does not exist as well */
	assert_string_equal(hosts_of("none.invalid", MX_FOUND), "fallback.example.");
	config.options.fallback_mx_host = "none.invalid";
	assert_string_equal(hosts_of("none.invalid", MX_NO_NAME), "");
	config.options.fallback_mx_host = "[fallback.example]";
	config.options.fallback_smart_host = "plain.example";
	assert_string_equal(hosts_of("none.invalid", MX_FOUND), "fallback.example. plain.example");
	config.options.fallback_mx_host = config.options.fallback_smart_host = NULL;
}

/* A name server that is down, or not to be asked, does not keep a smart host of the hosts file away. */
static void
the_service_switch_decides_who_is_asked(void **state)
{
	struct service_methods files_dns = {.name = "hosts", .methods = {"files", "dns"}},
			       dns_files = {.name = "hosts", .methods = {"dns", "files"}},
			       files = {.name = "hosts", .methods = {"files"}};
	char path[] = "/tmp/test_mx.hosts.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	(void)state;
	fputs("192.0.2.7 servfail.example gate\n192.0.2.8 three.example\n", file);
	fclose(file);
	config.options.hosts_file = path;
	config.services = &files_dns;
	assert_string_equal(hosts_of("servfail.example", MX_FOUND), "servfail.example.");
	assert_string_equal(hosts_of("gate", MX_FOUND), "gate.");
	/* its MX records count nevertheless */
	assert_string_equal(
	    hosts_of("three.example", MX_FOUND), "a.example. b.example. c.example.");
	config.services = &dns_files;
	assert_string_equal(hosts_of("servfail.example", MX_TRY_AGAIN), "");
	config.services = &files;
	assert_string_equal(hosts_of("three.example", MX_FOUND), "three.example.");
	assert_string_equal(hosts_of("other.example", MX_FOUND), "other.example.");
	config.services = NULL;
	config.options.hosts_file = NULL;
	unlink(path);
}

static int
set_up(void **state)
{
	(void)state;
	arena = arena_create();
	config = (struct config){.names = macro_names_create(), .classes = class_set_create()};
	class_add(config.classes, macro_id(config.names, "w"), "mail.example.com");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	class_set_destroy(config.classes);
	macro_names_destroy(config.names);
	arena_destroy(arena);
	return 0;
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(hosts_come_by_preference),
	    CASE(equal_hosts_come_in_any_order),
	    CASE(this_host_cuts_the_list),
	    CASE(lists_and_brackets),
	    CASE(failures_are_told_apart),
	    CASE(the_fallback_host_comes_last),
	    CASE(the_service_switch_decides_who_is_asked),
	    CASE(a_list_goes_on_without_what_it_had),
	    CASE(the_smart_host_of_last_resort_is_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
