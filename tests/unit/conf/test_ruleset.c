#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/config.h"
#include "conf/rule_code.h"
#include "mail/token.h"

/* As much of a configuration as rules need. */
static struct config *
make_config(void)
{
	struct arena *arena = arena_create();
	struct config *config = ARENA_NEW(arena, struct config);

	config->arena = arena;
	config->level = 10;
	config->names = macro_names_create();
	config->macros = macro_env_create(NULL);
	config->rulesets = ARENA_ARRAY(arena, struct ruleset, RULESET_MAXIMUM);
	config->ruleset_names = table_create(TABLE_CASE);
	config->next_named_ruleset = RULESET_MAXIMUM - 1;
	for (const char *at = ".:%@!^/[]+"; *at != '\0'; at++)
		config->is_operator[(unsigned char)*at] = true;
	macro_set(config->macros, 'X', "x.y");
	return config;
}

static void
destroy_config(struct config *config)
{
	macro_names_destroy(config->names);
	macro_env_destroy(config->macros);
	table_destroy(config->ruleset_names);
	arena_destroy(config->arena);
}

static void
lines_compile_or_complain_in_v8s_words(void **state)
{
	static const struct {
		const char *line, *left, *right, *errors;
	} cases[] = {
	    {"$* < > $*\t\t$@ < @ >\t\tcomment", "$* < > $*", "$@ < @ >", ""},
	    {"$+ at $=w\t$1@$2", "$+ at $=w", "$1 @ $2", ""},
	    {"$- $={Tls} $~x $&{foo} $@\t$#local $@ $1 $: $2 $| x", "$- $={Tls} $~x $&{foo} $@",
		"$# local $@ $1 $: $2 $| x", ""},
	    {"a$Xb\t$X $$X", "ax . yb", "x . y $X", ""},
	    {"a (b) c\td (e) f", "a ( b ) c", "d ( e ) f", ""},
	    {"\" $*\tx", "\" $*", "x", ""},
	    {"$b", NULL, NULL, "invalid rewrite line \"R\001b\" (tab expected)"},
	    {"\tb", "", "b", "R line: null LHS"},
	    {"$*\t \tx", "$*", "", "R line: null RHS"},
	    {"$*\t$9", "$*", "$9", "replacement $9 out of bounds"},
	    {"$-\t$0", "$-", "$0", "replacement $0 out of bounds"},
	    {"$*\t$*", "$*", "$*", "Inappropriate use of $* on RHS"},
	    {"$*\t$~x", "$*", "$~x", "Inappropriate use of $~ on RHS"},
	    {"$*\t$(x", "$*", "$( x", "missing map closing token"},
	    {"$:\tb", "$:", "b", "Inappropriate use of $: on LHS"},
	    {"$1\tb", "$1", "b", "Inappropriate use of $1-$9 on LHS"},
	    {"$(a $)\tb", "$( a $)", "b",
		"Inappropriate use of $( on LHS\nInappropriate use of $) on LHS"},
	    {"$#\tb", "$#", "b", ""},
	    {"$*$*$*$*$*$*$*$*$*$*\t$9", "", "$9", "R line: too many wildcards"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *config = make_config();
		const char *error;
		const struct rule *rule;
		struct str left = {0}, right = {0};
		bool is_good = ruleset_add_rule(config, 7, cases[i].line, 1, &error);

		assert_string_equal(error != NULL ? error : "", cases[i].errors);
		assert_int_equal(is_good, cases[i].errors[0] == '\0');
		rule = config->rulesets[7].first;
		assert_int_equal(rule == NULL, cases[i].left == NULL);
		if (rule != NULL) {
			token_print(rule->left.items, rule->left.count, &left);
			token_print(rule->right.items, rule->right.count, &right);
			assert_string_equal(str_text(&left), cases[i].left);
			assert_string_equal(str_text(&right), cases[i].right);
		}
		str_free(&left);
		str_free(&right);
		destroy_config(config);
	}
}

static void
sets_have_names_and_numbers(void **state)
{
	static const struct {
		const char *text;
		int number;
		const char *error;
	} cases[] = {
	    {"foo", 199, NULL},
	    {"bar=7", 7, NULL},
	    {"bar", 7, NULL},
	    {"7", 7, NULL},
	    {"qq = 9", 9, NULL},
	    {"ab comment", 198, NULL},
	    {"foo=7", 199, "foo=7: ruleset changed value (old 199, new 7)"},
	    {"", RULESET_NONE, "invalid ruleset name: \"\""},
	    {"_x", RULESET_NONE, "invalid ruleset name: \"_x\""},
	    {"100", RULESET_NONE, "bad ruleset 100 (100 max)"},
	    {"x=", RULESET_NONE, "bad ruleset definition \"x=\" (number required after `=')"},
	    {"x=101", RULESET_NONE, "bad ruleset number 101 in \"x=101\" (100 max)"},
	    {"y", 197, NULL},
	    {"Y", 196, NULL},
	};
	struct config *config = make_config();
	const char *error, *warning;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(
		    ruleset_declare(config, cases[i].text, &error, &warning), cases[i].number);
		if (cases[i].error == NULL)
			assert_null(error);
		else
			assert_string_equal(error, cases[i].error);
		assert_null(warning);
	}
	assert_true(ruleset_add_rule(config, 7, "a\tb", 1, &error));
	assert_int_equal(ruleset_declare(config, "bar", &error, &warning), 7);
	assert_string_equal(warning, "WARNING: Ruleset bar has multiple definitions");
	assert_int_equal(ruleset_find(config, "bar"), 7);
	assert_int_equal(ruleset_find(config, "BAR"), RULESET_NONE);
	assert_int_equal(ruleset_find(config, "99"), 99);
	assert_int_equal(ruleset_find(config, "150"), RULESET_NONE);
	assert_true(ruleset_is_there(config, "bar"));
	assert_false(ruleset_is_there(config, "foo"));
	destroy_config(config);
}

static void
a_list_of_sets_is_read_one_by_one(void **state)
{
	struct config *config = make_config();
	const char *end, *error;

	(void)state;
	assert_int_equal(ruleset_parse(config, "3,0", &end, config->arena, &error), 3);
	assert_string_equal(end, ",0");
	assert_int_equal(ruleset_parse(config, ",0", &end, config->arena, &error), RULESET_NONE);
	assert_string_equal(error, "invalid ruleset name: \",0\"");
	assert_int_equal(
	    ruleset_parse(config, "nosuch", &end, config->arena, &error), RULESET_NONE);
	assert_null(error);
	assert_int_equal(ruleset_parse(config, "99999", &end, config->arena, &error), RULESET_NONE);
	assert_string_equal(error, "bad ruleset 99999 (100 max)");
	destroy_config(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_compile_or_complain_in_v8s_words),
	    cmocka_unit_test(sets_have_names_and_numbers),
	    cmocka_unit_test(a_list_of_sets_is_read_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
