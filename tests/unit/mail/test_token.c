#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "mail/token.h"

static struct str faults;

static void
note_fault(void *context, const char *message)
{
	(void)context;
	str_add_text(&faults, message);
	str_add_char(&faults, ';');
}

static bool operators[256];

/* Scans and prints; a line of faults comes first. */
static const char *
scan(struct arena *arena, const char *text, int delimiter, bool keeps_comments, const char **end)
{
	struct token_request request = {.is_operator = operators,
	    .delimiter = delimiter,
	    .keeps_comments = keeps_comments,
	    .fault = note_fault};
	struct tokens tokens;
	struct str out = {0};
	const char *result;

	str_clear(&faults);
	for (const char *at = ".:%@!^/[]+"; *at != '\0'; at++)
		operators[(unsigned char)*at] = true;
	if (!token_scan(text, &request, arena, &tokens, end)) {
		str_free(&out);
		return NULL;
	}
	token_print(tokens.items, tokens.count, &out);
	result = arena_strdup(arena, str_text(&out));
	str_free(&out);
	return result;
}

static void
cuts_as_real_sendmail_does(void **state)
{
	static const struct {
		const char *text, *tokens, *faults;
	} cases[] = {
	    {"alice@host.example", "alice @ host . example", ""},
	    {"  a  b@c d", "a b @ c d", ""},
	    {"a\"b c\"d@e", "a \"b c\" d @ e", ""},
	    {"\"a\\\"b\"@c", "\"a\\\"b\" @ c", ""},
	    {"a\\@b", "a\\@b", ""},
	    {"a\\!b!c", "a ! b ! c", ""},
	    {"a\\", "a", ""},
	    {"(x) a (y (z)) @ b", "a @ b", ""},
	    {"a<b@c", "a < b @ c >", "Unbalanced '<';"},
	    {"a>b@c", "ab @ c", "Unbalanced '>';"},
	    {"a)b", "ab", "Unbalanced ')';"},
	    {"a (b", "a", "Unbalanced '(';"},
	    {"\"a b", "\"a b\"", "Unbalanced '\"';"},
	    {"\"a\\", "\"a\\\"\"", "Unbalanced '\"';Unbalanced '\"';"},
	    {"group:;", "group : ;", ""},
	    {"<@a,@b:c@d>", "< @ a , @ b : c @ d >", ""},
	    {"a\tb\vc", "a b c", ""},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *tokens = scan(arena, cases[i].text, '\0', false, NULL);

		assert_non_null(tokens);
		assert_string_equal(tokens, cases[i].tokens);
		assert_string_equal(str_text(&faults), cases[i].faults);
	}
	assert_string_equal(scan(arena, "a (b) c", '\0', true, NULL), "a ( b ) c");
	assert_null(scan(arena, "", '\0', false, NULL));
	assert_null(scan(arena, " \t", '\0', false, NULL));
	assert_null(scan(arena, "\\", '\0', false, NULL));
	assert_string_equal(scan(arena, "\xe4@b", '\0', false, NULL), "\xe4 @ b");
	arena_destroy(arena);
}

static void
a_list_ends_at_its_commas(void **state)
{
	struct arena *arena = arena_create();
	const char *end;

	(void)state;
	assert_string_equal(scan(arena, "a@b, c", ',', true, &end), "a @ b");
	assert_string_equal(end, ", c");
	assert_string_equal(scan(arena, "\"a,b\"@c,d", ',', true, &end), "\"a,b\" @ c");
	assert_string_equal(end, ",d");
	assert_string_equal(scan(arena, "<@a,@b:c@d>,e", ',', true, &end), "< @ a , @ b : c @ d >");
	assert_string_equal(end, ",e");
	assert_string_equal(scan(arena, "a<b,c>d", ',', true, &end), "a < b >");
	assert_string_equal(str_text(&faults), "Unbalanced '<';");
	assert_string_equal(end, ",c>d");
	arena_destroy(arena);
}

static void
limits_are_faults(void **state)
{
	struct arena *arena = arena_create();
	char text[3000];

	(void)state;
	memset(text, 'a', sizeof text);
	text[255] = '\0';
	assert_non_null(scan(arena, text, '\0', false, NULL));
	text[255] = 'a';
	text[256] = '\0';
	assert_null(scan(arena, text, '\0', false, NULL));
	assert_string_equal(str_text(&faults), "prescan: token too long;");
	memset(text, '.', sizeof text);
	text[1500] = '\0';
	assert_null(scan(arena, text, '\0', false, NULL));
	memset(text, '<', sizeof text);
	text[2999] = '\0';
	assert_null(scan(arena, text, '\0', false, NULL));
	arena_destroy(arena);
}

static void
joins_with_the_blank_substitute(void **state)
{
	struct arena *arena = arena_create();
	struct token_request request = {.is_operator = operators};
	struct tokens tokens;

	(void)state;
	assert_true(token_scan("a b \"c d\" e @ f g", &request, arena, &tokens, NULL));
	assert_string_equal(
	    token_join_text(tokens.items, tokens.count, '.', arena), "a.b\"c d\"e@f.g");
	arena_destroy(arena);
}

static void
frames_addresses(void **state)
{
	static const struct {
		const char *text, *framed; /* | for the address */
	} cases[] = {
	    {"alice@a", "|"},
	    {"Alice Adams <alice@a>", "Alice Adams <|>"},
	    {"Alice J. Adams <alice@a> (home) x", "\"Alice J. Adams\" <|> (home) x"},
	    {"Alice (the) Adams <alice@(x)a (y)>", "Alice (the) Adams <| (x) (y)>"},
	    {"(Alice) alice@a (Adams)", "(Alice) | (Adams)"},
	    {"Alice's <a@b>", "\"Alice's\" <|>"},
	    {"\"a\\\"b\" <c@d>", "\"a\\\"b\" <|>"},
	    {"a\\\"b <c@d>", "\"a\\\\\"b\" <|>"},
	    {"<<a@b>>", "\"<\"<|>"},
	    {"x <y <a@b>> z", "\"x <y\" <|> z"},
	    {"group: a, b;", "group: |;"},
	    {"x:y:<a@b>", "x:\"y:\"<|>"},
	    {"a::b", "|"},
	    {"a::b <c@d>", "\"a::b\" <|>"},
	    {"user@host:25", "\"user@host\":|"},
	    {":include:/x", ":|"},
	    {"(only)", "(only)"},
	    {"(a", "(a)"},
	    {"a)", "|"},
	    {"<>", "<>"},
	    {"a<b>c<d>@e", "\"a<b>c\"<|>@e"},
	    {"user;a@b", "|;"},
	    {";", ";|"},
	    {"<alice", "<|>"},
	    {"\"a\" <b>\"c\"", "<|>"},
	    {"b<>c\"q\"", "<|>"},
	};
	struct arena *arena = arena_create();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct token_frame frame;
		char *framed;

		token_frame(&frame, cases[i].text, "@,;:\\()[].'", true, arena);
		framed = arena_printf(
		    arena, "%s%s%s", frame.before, frame.has_address ? "|" : "", frame.after);
		assert_string_equal(framed, cases[i].framed);
	}
	arena_destroy(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cuts_as_real_sendmail_does),
	    cmocka_unit_test(a_list_ends_at_its_commas),
	    cmocka_unit_test(limits_are_faults),
	    cmocka_unit_test(joins_with_the_blank_substitute),
	    cmocka_unit_test(frames_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
