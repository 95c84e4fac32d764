#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <string.h>

#include "queue/list.h"

static struct queue_listed_recipient remote = {.address = "u3@temp.example.org"},
				     local = {.next = &remote, .address = "bob"};
static const struct queue_listed message = {
    .id = "6AKAnw01000001", .sender = "c@y.example", .quarantine = NULL, .recipients = &local};

/* As sendmail 8.17 selected: a negated filter of recipients is true when it is of one of them. */
static void
filters_select_what_sendmail_does(void **state)
{
	static const struct {
		struct queue_filter filters[3];
		int count;
		bool matches;
	} rows[] = {
	    {{{NULL, 'S', false, "c@"}}, 1, true},
	    {{{NULL, 'S', true, "c@"}}, 1, false},
	    {{{NULL, 'S', false, "C@Y"}}, 1, true},
	    {{{NULL, 'R', false, "bob"}}, 1, true},
	    {{{NULL, 'R', true, "bob"}}, 1, true},
	    {{{NULL, 'R', true, "o"}}, 1, false},
	    {{{NULL, 'I', false, "AKAnw"}}, 1, true},
	    {{{NULL, 'I', false, "akanw"}}, 1, false},
	    {{{NULL, 'S', false, "a@"}, {NULL, 'S', false, "c@"}}, 2, true},
	    {{{NULL, 'S', true, "a@"}, {NULL, 'S', true, "c@"}}, 2, true},
	    {{{NULL, 'R', false, "u3"}, {NULL, 'S', true, "c@"}}, 2, false},
	    {{{NULL, 'Q', false, "why"}}, 1, false},
	    {{{NULL, 'Q', true, "why"}}, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct queue_filter filters[3];

		memcpy(filters, rows[i].filters, sizeof filters);
		for (int at = 0; at + 1 < rows[i].count; at++)
			filters[at].next = &filters[at + 1];
		assert_int_equal(queue_list_matches(filters, &message), rows[i].matches);
	}
}

/* `QueueSortOrder=host`: by the first recipient that has a host, compared from its end. */
static void
hosts_stand_together(void **state)
{
	static const char *const addresses[][2] = {{"x@b.a.example", NULL}, {"a@b.example", NULL},
	    {"bob", "z@a.example"}, {"carol", NULL}, {"y@a.example", NULL}, {"x@EX", NULL}};
	static const char *const expected[] = {
	    "carol", "bob", "y@a.example", "x@b.a.example", "a@b.example", "x@EX"};
	struct queue_listed items[6];
	struct queue_listed_recipient recipients[6][2];
	struct queue_list list = {.items = items, .count = 6};

	(void)state;
	memset(items, 0, sizeof items);
	for (size_t i = 0; i < 6; i++) {
		recipients[i][0] = (struct queue_listed_recipient){.address = addresses[i][0]};
		recipients[i][1] = (struct queue_listed_recipient){.address = addresses[i][1]};
		if (addresses[i][1] != NULL)
			recipients[i][0].next = &recipients[i][1];
		items[i].recipients = &recipients[i][0];
		items[i].position = i;
	}
	queue_list_sort(&list, 'h');
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(items[i].recipients->address, expected[i]);
}

static void
what_is_equal_keeps_its_place(void **state)
{
	struct queue_listed items[] = {
	    {.id = "a", .priority = 2, .position = 3},
	    {.id = "b", .priority = 1, .position = 2},
	    {.id = "c", .priority = 2, .position = 1},
	};
	struct queue_list list = {.items = items, .count = 3};

	(void)state;
	queue_list_sort(&list, 'p');
	assert_string_equal(items[0].id, "b");
	assert_string_equal(items[1].id, "c"); /* the directory's order */
	assert_string_equal(items[2].id, "a");
	items[1].position = 7;
	queue_list_keep_order(&list);
	queue_list_sort(&list, 'p');
	assert_string_equal(items[1].id, "c"); /* the order that it had */
	assert_string_equal(items[2].id, "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_select_what_sendmail_does),
	    cmocka_unit_test(hosts_stand_together),
	    cmocka_unit_test(what_is_equal_keeps_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
