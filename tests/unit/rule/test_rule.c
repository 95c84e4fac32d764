#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "rule/engine.h"
#include "rule/rule.h"

static struct str messages;

static void
note(void *context, const char *message, int exit_status)
{
	(void)context;
	(void)exit_status;
	str_add_text(&messages, message);
	str_add_char(&messages, ';');
}

static void
ignore_report(void *context, const char *message, enum config_message kind)
{
	(void)context;
	(void)message;
	(void)kind;
}

/* A configuration of these lines. */
static struct config *
read_lines(const char *lines)
{
	char name[] = "/tmp/test_rule.XXXXXX";
	struct config_request request = {
	    .file = name, .report = ignore_report, .is_test_mode = true, .is_safe_caller = true};
	int fd = mkstemp(name);
	FILE *file = fdopen(fd, "w");
	struct config *config;

	assert_non_null(file);
	fprintf(file,
	    "V10/Berkeley\n"
	    "O OperatorChars=.:%%@!^/[]+\n"
	    "O BlankSub=.\n"
	    "Mlocal, P=/bin/true, F=lA, A=true $u\n"
	    "Mprog, P=/bin/true, F=l, A=true $u\n"
	    "%s",
	    lines);
	fclose(file);
	config = config_read(&request);
	unlink(name);
	return config;
}

static struct rule_context
make_context(struct config *config)
{
	str_clear(&messages);
	return (struct rule_context){
	    .config = config, .macros = config->macros, .arena = arena_create(), .report = note};
}

/* Runs one set; the tokens of the result apart by blanks. */
static const char *
run(struct rule_context *context, const char *set, const char *text, int *status)
{
	struct tokens tokens;
	struct str out = {0};
	const char *result;

	assert_true(rule_scan(context, text, '\0', true, &tokens, NULL));
	*status = rule_run(context, ruleset_find(context->config, set), &tokens);
	token_print(tokens.items, tokens.count, &out);
	result = arena_strdup(context->arena, str_text(&out));
	str_free(&out);
	return result;
}

struct run_case {
	const char *set, *text, *result;
};

static void
run_cases(const char *lines, const struct run_case cases[], size_t count)
{
	struct config *config = read_lines(lines);
	struct rule_context context = make_context(config);
	int status;

	for (size_t i = 0; i < count; i++) {
		assert_string_equal(
		    run(&context, cases[i].set, cases[i].text, &status), cases[i].result);
		assert_int_equal(status, EX_OK);
	}
	assert_string_equal(str_text(&messages), "");
	arena_destroy(context.arena);
	config_destroy(config);
}

/* All results below are real sendmail 8.17's. */
static void
matches_shortest_from_the_left(void **state)
{
	static const struct run_case cases[] = {
	    {"Overlap", "a x b x c", "a < b > c"},
	    {"Class", "a.b", "1= 2= a . b 3="},
	    {"Class", "k.a.b.c", "1= k . 2= a . b 3= . c"},
	    {"Class", "q.x.y", "1= q . 2= x 3= . y"},
	    {"Last", "k x.y", "c k x . y"},
	    {"Last", "x y", "x y"},
	    {"NotIn", "x", "x"},
	    {"NotIn", "x q", "d x / q /"},
	    {"Case", "abcd", "abcd"},
	    {"Case", "ABC.d", "abc . d"},
	    {"Zero", "a", "zero a"},
	};

	(void)state;
	run_cases("C{C}x x.y a.b z\n"
		  "SOverlap\nR$+ x $+ x $*\t$1 < $2 > $3\n"
		  "SClass\nR$* $={C} $*\t$@ 1= $1 2= $2 3= $3\n"
		  "SLast\nR$+ $={C}\t$@ c $1 $2\n"
		  "SNotIn\nR$* $~{C} $*\t$@ d $1 / $2 / $3\n"
		  "SCase\nRabc $*\t$@ abc $1\n"
		  "SZero\nR$@ $*\t$: zero $1\n",
	    cases, sizeof cases / sizeof cases[0]);
}

static void
deferred_macros_match_their_tokens(void **state)
{
	static const struct run_case cases[] = {
	    {"M", "a b", "undef a b"},
	    {"T", "q.x.y b", "two q b"},
	    {"O", "x ONE two", "one x / two"},
	    {"E", "x.q", "em x"},
	    {"R", "a", "a [ x . y ]"},
	};

	(void)state;
	run_cases("D{two}x.y\nD{one}One\nD{em}\n"
		  "SM\nR$- $&{undef} $-\t$@ undef $1 $2\n"
		  "ST\nR$- . $&{two} $-\t$@ two $1 $2\n"
		  "SO\nR$+ $&{one} $*\t$@ one $1 / $2\n"
		  "SE\nR$* . $&{em} q\t$@ em $1\n"
		  "SR\nR$-\t$@ $1 [ $&{two} ] $&{nosuch}\n",
	    cases, sizeof cases / sizeof cases[0]);
}

static void
calls_take_all_that_follows(void **state)
{
	static const struct run_case cases[] = {
	    {"Call", "a.b", "a < b >"},
	    {"Quoted", "a", "x b a"},
	    {"Empty", "k", "x $> b k"},
	    {"Inner", "k", "x b k"},
	    {"Two", "k", "x y b k z"},
	    {"Ends", "q", "$# error $@ q $: b"},
	    {"Map", "1", "3 def"},
	};

	(void)state;
	run_cases("Kar arith\n"
		  "Snone\n"
		  "Sb\nR$*\t$@ b $1\n"
		  "SRev\nR$+ ^ $+\t$@ $2 < $1 >\n"
		  "SCall\nR$+ . $+\t$@ $>Rev $2 ^ $1\n"
		  "SQuoted\nR$*\t$@ x $>\"b\" $1\n"
		  "SEmpty\nR$*\t$@ x $>none $>b $1\n"
		  "SInner\nR$*\t$@ x $>b $>none $1\n"
		  "STwo\nR$*\t$@ x $>none y $>b $1 $>none z\n"
		  "Serr\nR$*\t$#error $@ $1 $: b\n"
		  "SEnds\nR$*\t$: $>err $1\nR$*\t$@ after $1\n"
		  "SMap\nR$*\t$: $(ar + $@ $1 $@ 2 $) $(ar $1 $: def $)\n",
	    cases, sizeof cases / sizeof cases[0]);
}

static void
limits_are_reported(void **state)
{
	struct config *config = read_lines("SLoop\nR$*\tx $1\n"
					   "SDeep\nR$*\t$: $>Deep $1\n"
					   "SNone\nR$*\t$: $>nosuch $1\n"
					   "SMap\nR$*\t$: $(nomap $1 $)\n"
					   "SGrow\nR$*\t$1 $1\n");
	struct rule_context context = make_context(config);
	int status;

	(void)state;
	run(&context, "Loop", "q", &status);
	assert_string_equal(str_text(&messages), "Infinite loop in ruleset Loop, rule 1;");
	str_clear(&messages);
	assert_string_equal(run(&context, "Deep", "q", &status), "q");
	assert_int_equal(status, EX_CONFIG);
	assert_string_equal(
	    str_text(&messages), "rewrite: excessive recursion (max 50), ruleset Deep;");
	assert_int_equal(context.depth, 0);
	str_clear(&messages);
	assert_string_equal(run(&context, "None", "q", &status), "$> nosuch q");
	assert_int_equal(status, EX_CONFIG);
	str_clear(&messages);
	assert_string_equal(run(&context, "Map", "q", &status), "q");
	assert_int_equal(status, EX_OK);
	assert_string_equal(str_text(&messages), "rewrite: map nomap not found;");
	str_clear(&messages);
	run(&context, "Grow", "q", &status);
	assert_int_equal(status, EX_DATAERR);
	assert_string_equal(str_text(&messages), "rewrite: expansion too long;");
	arena_destroy(context.arena);
	config_destroy(config);
}

static void
hooks_answer(void **state)
{
	struct config *config = read_lines("Sprobe\n"
					   "Rok\t$#OK\n"
					   "Rno\t$#error $@ 5.7.1 $: \"550 go away\"\n"
					   "Rlater\t$#error $@ 4.7.1 $: later\n"
					   "Ruser\t$#error $@ nouser $: nobody\n"
					   "Rcode\t$#error $: \"553 5.1.8 no domain\"\n"
					   "Rdrop\t$#discard $: x\n"
					   "Rhold\t$#error $@ quarantine $: suspicious\n"
					   "Rfeature\t$# AV\n"
					   "R$+ $| $+\t$#error $: $2 of $1\n");
	struct rule_context context = make_context(config);
	struct rule_result result;

	(void)state;
	rule_check(&context, "nosuch", "x", NULL, &result);
	assert_int_equal(result.answer, RULE_ACCEPT);
	rule_check(&context, "probe", "x", NULL, &result);
	assert_int_equal(result.answer, RULE_ACCEPT);
	rule_check(&context, "probe", "ok", NULL, &result);
	assert_int_equal(result.answer, RULE_OTHER);
	rule_check(&context, "probe", "no", NULL, &result);
	assert_int_equal(result.answer, RULE_REJECT);
	assert_int_equal(result.verdict.code, 550);
	assert_string_equal(result.verdict.dsn, "5.7.1");
	assert_string_equal(result.verdict.text, "go away");
	rule_check(&context, "probe", "later", NULL, &result);
	assert_true(verdict_is_temporary(&result.verdict));
	assert_int_equal(result.verdict.exit_status, EX_TEMPFAIL);
	rule_check(&context, "probe", "user", NULL, &result);
	assert_int_equal(result.verdict.exit_status, EX_NOUSER);
	assert_int_equal(result.verdict.code, 553);
	rule_check(&context, "probe", "code", NULL, &result);
	assert_int_equal(result.verdict.code, 553);
	assert_string_equal(result.verdict.dsn, "5.1.8");
	assert_string_equal(result.verdict.text, "no domain");
	rule_check(&context, "probe", "drop", NULL, &result);
	assert_int_equal(result.answer, RULE_DISCARD);
	rule_check(&context, "probe", "hold", NULL, &result);
	assert_int_equal(result.answer, RULE_QUARANTINE);
	assert_string_equal(result.verdict.text, "suspicious");
	rule_check(&context, "probe", "feature", NULL, &result);
	assert_int_equal(result.answer, RULE_OTHER);
	assert_string_equal(result.text, "AV");
	rule_check(&context, "probe", "a", "b", &result);
	assert_int_equal(result.answer, RULE_REJECT);
	assert_string_equal(result.verdict.text, "b of a");
	/* `$|` in the data is no operator */
	rule_check(&context, "probe", "a $| b", NULL, &result);
	assert_int_equal(result.answer, RULE_ACCEPT);
	arena_destroy(context.arena);
	config_destroy(config);
}

/* A text of `count` pieces, each from the list, as a random number says. */
static void
make_text(struct str *text, const char *const pieces[], size_t kinds, size_t count, unsigned *state)
{
	str_clear(text);
	for (size_t i = 0; i < count; i++) {
		*state = *state * 1103515245u + 12345u;
		str_printf(text, "%s ", pieces[(*state >> 16) % kinds]);
	}
}

static void
both_matchers_agree(void **state)
{
	static const char *const words[] = {"a", "b", "c", ".", "@"};
	static const char *const patterns[] = {
	    "a", ".", "$*", "$+", "$-", "$=X", "$~X", "$@", "$&m", "$&n"};
	enum { RULES = 400, ADDRESSES = 60 };
	unsigned seed = 7;
	struct str lines = {0}, text = {0};
	struct config *config;
	struct rule_context context;

	(void)state;
	str_add_text(&lines, "CXa b.c a.a\nDma.b\nStry\n");
	for (int i = 0; i < RULES; i++) {
		make_text(&text, patterns, sizeof patterns / sizeof patterns[0], 1 + (size_t)i % 5,
		    &seed);
		str_printf(&lines, "R%s\t$@ x\n", str_text(&text));
	}
	config = read_lines(str_text(&lines));
	context = make_context(config);
	for (int i = 0; i < ADDRESSES; i++) {
		struct workspace workspace = {.context = &context};
		struct tokens tokens;

		make_text(&text, words, sizeof words / sizeof words[0], 1 + (size_t)i % 7, &seed);
		assert_true(rule_scan(&context, str_text(&text), '\0', true, &tokens, NULL));
		workspace.items = tokens.items;
		workspace.count = workspace.capacity = tokens.count;
		engine_index(&workspace);
		for (const struct rule *rule = config->rulesets[ruleset_find(config, "try")].first;
		     rule != NULL; rule = rule->next) {
			struct bindings fast, traced;
			bool matches = engine_match(&workspace, rule, &fast);

			assert_int_equal(matches, engine_match_traced(&workspace, rule, &traced));
			if (!matches)
				continue;
			assert_int_equal(fast.count, traced.count);
			for (size_t b = 0; b < fast.count; b++) {
				assert_int_equal(fast.items[b].first, traced.items[b].first);
				assert_int_equal(fast.items[b].end, traced.items[b].end);
			}
		}
	}
	str_free(&lines);
	str_free(&text);
	arena_destroy(context.arena);
	config_destroy(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(matches_shortest_from_the_left),
	    cmocka_unit_test(deferred_macros_match_their_tokens),
	    cmocka_unit_test(calls_take_all_that_follows),
	    cmocka_unit_test(limits_are_reported),
	    cmocka_unit_test(hooks_answer),
	    cmocka_unit_test(both_matchers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
