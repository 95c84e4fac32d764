#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/address.h"

static const char *
round_trip(const char *text, bool compressed)
{
	static char buffer[ADDRESS_TEXT_SIZE];
	struct net_address address;

	if (!address_parse(text, &address))
		return "no number";
	return address_text((struct sockaddr *)&address.storage, compressed, buffer);
}

static void
numbers_are_read_and_written_as_sendmail_does(void **state)
{
	(void)state;
	assert_string_equal(round_trip("192.0.2.1", false), "192.0.2.1");
	assert_string_equal(round_trip("[192.0.2.1]", false), "192.0.2.1");
	assert_string_equal(round_trip("[IPv6:2001:db8::1]", false), "IPv6:2001:db8:0:0:0:0:0:1");
	assert_string_equal(round_trip("ipv6:2001:db8::1", true), "IPv6:2001:db8::1");
	assert_string_equal(round_trip("::1", false), "IPv6:0:0:0:0:0:0:0:1");
	assert_string_equal(round_trip("::ffff:192.0.2.9", false), "192.0.2.9");
	assert_string_equal(round_trip("mail.example.com", false), "no number");
	assert_string_equal(round_trip("192.0.2.256", false), "no number");
	assert_string_equal(round_trip("[192.0.2.1", false), "no number");
	assert_string_equal(round_trip("", false), "no number");
	assert_string_equal(
	    round_trip("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff",
		false),
	    "no number");
}

static void
ports_are_set_and_named(void **state)
{
	struct net_address address;

	(void)state;
	assert_true(address_parse("192.0.2.1", &address));
	address_set_port(&address, 587);
	assert_int_equal(address_port((struct sockaddr *)&address.storage), 587);
	assert_true(address_parse("::1", &address));
	address_set_port(&address, 65535);
	assert_int_equal(address_port((struct sockaddr *)&address.storage), 65535);
	assert_int_equal(address_port_named("2465"), 2465);
	assert_int_equal(address_port_named("70000"), 0);
	assert_int_equal(address_port_named("no-such-service"), 0);
}

static void
names_are_found_in_a_hosts_file(void **state)
{
	char name[] = "/tmp/test_hosts.XXXXXX", text[ADDRESS_TEXT_SIZE];
	struct arena *arena = arena_create();
	struct net_address *list;
	FILE *file = fdopen(mkstemp(name), "w");
	size_t count;

	(void)state;
	fprintf(file,
	    "# 192.0.2.9 commented.example\n192.0.2.1\tOne.Example alias # other.example\n\n"
	    "2001:db8::1 one.example\nnonsense one.example\n192.0.2.2\n192.0.2.3 last.example");
	fclose(file);
	assert_int_equal(
	    address_find_in_hosts(name, "one.example.", arena, &list, &count), ADDRESS_FOUND);
	assert_int_equal(count, 2);
	assert_string_equal(
	    address_text((struct sockaddr *)&list[1].storage, true, text), "IPv6:2001:db8::1");
	assert_int_equal(address_find_in_hosts(name, "ALIAS", arena, &list, &count), ADDRESS_FOUND);
	assert_int_equal(
	    address_find_in_hosts(name, "last.example", arena, &list, &count), ADDRESS_FOUND);
	assert_int_equal(
	    address_find_in_hosts(name, "other.example", arena, &list, &count), ADDRESS_NO_NAME);
	assert_int_equal(address_find_in_hosts(name, "commented.example", arena, &list, &count),
	    ADDRESS_NO_NAME);
	assert_int_equal(address_find_in_hosts(name, "", arena, &list, &count), ADDRESS_NO_NAME);
	assert_int_equal(
	    address_find_in_hosts("/nonexistent", "x", arena, &list, &count), ADDRESS_NO_NAME);
	unlink(name);
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_read_and_written_as_sendmail_does),
	    cmocka_unit_test(ports_are_set_and_named),
	    cmocka_unit_test(names_are_found_in_a_hosts_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
