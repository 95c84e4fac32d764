#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "mail/header.h"

static void
splits_fields_as_v8(void **state)
{
	static const struct {
		const char *field, *name, *value; /* name NULL: no field */
	} rows[] = {
	    {"Subject: hello", "Subject", " hello"},
	    {"Subject:x", "Subject", "x"},
	    {"X-Two:  y", "X-Two", "  y"},
	    {"X-Sp \t: z", "X-Sp", " z"},
	    {"X-Tab:\tq", "X-Tab", "\tq"},
	    {"X-Empty:", "X-Empty", ""},
	    {"X-EmptySp: ", "X-EmptySp", " "},
	    {"X-Fold:\n  folded\n\tmore", "X-Fold", "\n  folded\n\tmore"},
	    {"X-8: gr\xc3\xbc\xc3\x9f", "X-8", " gr\xc3\xbc\xc3\x9f"},
	    {"X Foo: 5", NULL, NULL},
	    {": 5", NULL, NULL},
	    {"no colon", NULL, NULL},
	    {"", NULL, NULL},
	    {"gr\xc3\xbc\xc3\x9f: x", NULL, NULL},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *name = NULL, *value = NULL;
		bool is_field =
		    header_parse(arena, rows[i].field, strlen(rows[i].field), &name, &value);

		assert_int_equal(is_field, rows[i].name != NULL);
		if (!is_field)
			continue;
		assert_string_equal(name, rows[i].name);
		assert_string_equal(value, rows[i].value);
	}
	arena_destroy(arena);
}

static void
lists_keep_their_order(void **state)
{
	struct arena *arena = arena_create();
	struct header_list list = {0};
	struct header *header;

	(void)state;
	header_append(&list, arena, "To", "b");
	header_prepend(&list, arena, "Received", "first");
	header_append(&list, arena, "TO", "c")->is_deleted = true;
	header_append(&list, arena, "to", "d");
	assert_string_equal(list.first->name, "Received");
	header = header_find(&list, "tO");
	assert_string_equal(header->value, "b");
	header = header_find_next(header, "To");
	assert_string_equal(header->value, "d");
	assert_null(header_find_next(header, "To"));
	assert_null(header_find(&list, "Cc"));
	list = (struct header_list){0};
	header_prepend(&list, arena, "A", "1");
	header_append(&list, arena, "B", "2");
	assert_string_equal(list.first->next->name, "B");
	arena_destroy(arena);
}

static void
the_spacing_of_a_field_is_kept(void **state)
{
	struct arena *arena = arena_create();
	struct header_list list = {0};

	(void)state;
	assert_string_equal(header_append_field(&list, arena, "A:b", 3)->value, "b");
	assert_string_equal(header_append_field(&list, arena, "A: b", 4)->value, " b");
	assert_null(header_append_field(&list, arena, "A b: ", 5));
	assert_string_equal(list.first->next->value, " b");
	arena_destroy(arena);
}

static void
flags_above_127_are_flags(void **state)
{
	struct flag_set one = {0}, other = {0};

	(void)state;
	assert_true(flag_set_is_empty(&one));
	flag_set_add(&one, 'P');
	flag_set_add(&one, (char)0xfe);
	assert_true(flag_set_has(&one, 0xfe));
	assert_true(flag_set_has(&one, (char)0xfe));
	assert_false(flag_set_has(&one, 'p'));
	assert_false(flag_set_intersects(&one, &other));
	flag_set_add(&other, 'P');
	assert_true(flag_set_intersects(&one, &other));
	assert_false(flag_set_is_empty(&other));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(splits_fields_as_v8),
	    cmocka_unit_test(lists_keep_their_order),
	    cmocka_unit_test(the_spacing_of_a_field_is_kept),
	    cmocka_unit_test(flags_above_127_are_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
