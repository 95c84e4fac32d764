#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <sysexits.h>

#include "reading_helper.h"

/* Line 6 is the first of `text`. */
static void
says(const char *text, const char *expected, int status)
{
	struct config *config = read_text(text);

	assert_string_equal(str_text(&messages), expected);
	assert_int_equal(config->error_status, status);
	assert_int_equal(config->saw_errors, status != 0);
	config_destroy(config);
}

static bool
in_class(const struct config *config, const char *class_name, const char *word)
{
	return class_has(config->classes, macro_id(config->names, class_name), word, strlen(word));
}

static void
lines_are_folded_and_counted(void **state)
{
	struct config *config;

	(void)state;
	says("", "", 0);
	says("# c\n\n   \n\t\n#x\n", "line 9: unknown configuration line \"\n\"\n", EX_SOFTWARE);
	says("Zfoo\n# x\n  y\nz",
	    "line 6: unknown configuration line \"Zfoo\"\nline 8: unknown configuration line "
	    "\"z\"\n",
	    EX_SOFTWARE);
	says("$X\n",
	    "line 6: unknown configuration line \"\001"
	    "X\"\n",
	    EX_SOFTWARE);
	config = read_text(
	    "DXone\r\n\ttwo  \r\nDYthree # comment\r\nDW\\#$#x#y\n\tz#\nDZ$$x \\\"$$\"\" \\a$X\n");
	assert_string_equal(str_text(&messages), "");
	assert_string_equal(macro_get(config->macros, 'X'), "one\n\ttwo");
	assert_string_equal(macro_get(config->macros, 'Y'), "three");
	assert_string_equal(macro_get(config->macros, 'W'), "#$#x\n\tz");
	assert_string_equal(config_macro(config, config->macros, "Z"), "$x \"$ aone\n\ttwo");
	config_destroy(config);
}

static void
names_are_checked_in_all_lines(void **state)
{
	(void)state;
	says("D\n", "line 6: Name required for macro/class\n", EX_SOFTWARE);
	says("D{}x\n", "line 6: Name required for macro/class\n", EX_SOFTWARE);
	says("D{foo\n",
	    "line 6: Unbalanced { on foo\nline 6: Unable to assign macro/class ID (mid = "
	    "0xffffffff)\n",
	    EX_SOFTWARE);
	says("DX${a b}$${c d}\n", "line 6: Invalid macro/class character  \n", EX_SOFTWARE);
	says("C\nF\n",
	    "line 6: Name required for macro/class\nline 7: Name required for macro/class\n",
	    EX_SOFTWARE);
}

static void
classes_take_macros_and_other_classes(void **state)
{
	struct config *config =
	    read_text("DXone\nC{A} $X a.$X\n\tb\nC{B}$={A} c\nDXtwo\nC{A}late\nTjoe jim\n");

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_true(in_class(config, "A", "one"));
	assert_true(in_class(config, "A", "A.ONE"));
	assert_true(in_class(config, "A", "b"));
	assert_true(in_class(config, "B", "a.one"));
	assert_true(in_class(config, "B", "c"));
	assert_false(in_class(config, "B", "late"));
	assert_true(in_class(config, "t", "root"));
	assert_true(in_class(config, "t", "jim"));
	assert_true(in_class(config, "persistentMacros", "{if_addr}"));
	config_destroy(config);
}

static void
class_files_take_o_with_and_without_a_blank(void **state)
{
	char *directory = getenv("WORK"), path[512];
	struct str text = {0};
	struct config *config;
	FILE *file;

	(void)state;
	says("F{X}\n", "line 6: fileclass: missing file name\n", EX_SOFTWARE);
	says("F{X}-o\n", "line 6: fileclass: missing file name\n", EX_SOFTWARE);
	says("F{X}/nonexistent/x\n",
	    "line 6: fileclass: cannot open '/nonexistent/x': No such file or directory\n",
	    EX_OSERR);
	says("F{X}/\n", "line 6: fileclass: cannot open '/': Regular files only\n", EX_OSERR);
	says("F{X}-o /nonexistent/x\nF{X}-o/nonexistent/x\n", "", 0);
	says("F{X}a@nosuch:/x\n", "line 6: fileclass: F{X}: class nosuch not available\n",
	    EX_SOFTWARE);
	snprintf(path, sizeof path, "%s/class", directory != NULL ? directory : "/tmp");
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("# comment\none two\n\n  three # x\nk:v w:y\n", file);
	fclose(file);
	/* the test's folder may be anywhere: directories are not what is tested here */
	str_printf(&text,
	    "O DontBlameSendmail=ClassFileInUnsafeDirPath\nF{A}-o%s\nF{B} %s %%[^:]\nF{C}%s "
	    "%%*[^:]:%%[a-z]\n"
	    "F{D}|/bin/uname\n",
	    path, path, path);
	config = read_text(text.data);
	assert_string_equal(str_text(&messages), "");
	assert_true(in_class(config, "A", "one"));
	assert_false(in_class(config, "A", "two"));
	assert_true(in_class(config, "A", "three"));
	assert_true(in_class(config, "B", "two"));
	assert_true(in_class(config, "B", "k"));
	assert_true(in_class(config, "C", "v"));
	assert_int_equal(class_count(config->classes, macro_id(config->names, "C")), 1);
	assert_int_equal(class_count(config->classes, macro_id(config->names, "D")), 1);
	config_destroy(config);
	str_free(&text);
	unlink(path);
}

static void
headers_are_read_with_conditions_and_checks(void **state)
{
	struct config *config = read_text("H?DF?Date: $a\nH?${x}?X-A: $x\nHSubject: $>Check\nH*: "
					  "$>+Any\nHReceived: by $j;\n\t$b\n");
	const struct header_rule *rule = config->headers;

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_string_equal(rule->name, "Date");
	assert_string_equal(rule->template, "$a");
	assert_true(
	    flag_set_has(&rule->mailer_flags, 'D') && flag_set_has(&rule->mailer_flags, 'F'));
	rule = rule->next;
	assert_string_equal(rule->macro, "x");
	rule = rule->next;
	assert_null(rule->template);
	assert_string_equal(rule->check_ruleset, "Check");
	assert_true(rule->strip_comments);
	rule = rule->next;
	assert_string_equal(rule->name, "*");
	assert_string_equal(rule->check_ruleset, "Any");
	assert_false(rule->strip_comments);
	assert_string_equal(rule->next->template, "by $j;\n\t$b");
	assert_null(rule->next->next);
	config_destroy(config);
	says("H\n", "line 6: header syntax error, line \"\"\n", EX_SOFTWARE);
	says("HSubject\n", "line 6: header syntax error, line \"Subject\"\n", EX_SOFTWARE);
	says("H?D\n", "line 6: header syntax error, line \"?D\"\n", EX_SOFTWARE);
	says("HX Y: z\n", "line 6: header syntax error, line \"X Y: z\"\n", EX_SOFTWARE);
}

static void
mailers_have_v8s_defaults_and_complaints(void **state)
{
	struct config *config =
	    read_text("Ma, Path=/a\\,b, F= l m, A=\"x y\" z\\,q $u, S=5/6, R=7, M=10k, L=-5\n"
		      "Mb, P=[IPC], A=TCP $h 587, E=\\r\\n, F=L, T=x\nMlocal, P=/new, A=x $u\n");
	const struct mailer *mailer;

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_string_equal(config->prog_mailer->path, "/bin/sh");
	assert_int_equal(config->prog_mailer->number, 0);
	assert_int_equal(config->file_mailer->number, 1);
	assert_int_equal(config->include_mailer->number, 2);
	assert_int_equal(config->local_mailer->number, 3);
	assert_string_equal(config->local_mailer->path, "/new");
	mailer = config_find_mailer(config, "A");
	assert_string_equal(mailer->path, "/a,b");
	assert_string_equal(mailer->arguments_text, "x y z,q $u");
	assert_int_equal(mailer->argument_count, 4);
	assert_int_equal(mailer->sender_envelope, 5);
	assert_int_equal(mailer->sender_header, 6);
	assert_int_equal(mailer->recipient_header, 7);
	assert_int_equal(mailer->maximum_size, 10);
	assert_int_equal(mailer->line_limit, 0);
	assert_int_equal(mailer->maximum_recipients, 100);
	assert_string_equal(mailer->eol, "\n");
	assert_true(mailer_has(mailer, 'l') && mailer_has(mailer, 'm') && !mailer_has(mailer, ' '));
	assert_false(mailer_is_smtp(mailer));
	mailer = config_find_mailer(config, "b");
	assert_true(mailer_is_smtp(mailer));
	assert_string_equal(mailer->eol, "\r\n");
	assert_int_equal(mailer->line_limit, 990);
	assert_string_equal(mailer->mta_type, "x");
	assert_string_equal(mailer->diagnostic_type, "smtp");
	config_destroy(config);
	says("M\nMa\nMa, A=x\nMa, P=/x, A=x, X=1\nMa, P=[IPC], A=TCP\nMa, P=[TCP], A=TCP $h\nMa, "
	     "P\nMa, P=/x, A=x, Q=no\n",
	    "line 6: name required for mailer\nline 7: Ma: A= argument required\nline 8: Ma: P= "
	    "argument required\n"
	    "line 9: Ma: unknown mailer equate X=\nline 10: Ma: too few parameters for [IPC] "
	    "mailer\n"
	    "line 11: Ma: P=[TCP] must be replaced by P=[IPC]\nline 12: mailer a: `=' expected\n"
	    "line 13: mailer a: unknown queue no\n",
	    EX_SOFTWARE);
}

static void
fields_end_at_comments_and_need_what_commas_promise(void **state)
{
	struct config *config = read_text("Ma, P=/x, F=lm, A=x $u \\# # P=/y\nQg, P=/q/g # c\n");

	(void)state;
	assert_string_equal(str_text(&messages), "");
	assert_string_equal(config_find_mailer(config, "a")->arguments_text, "x $u #");
	assert_string_equal(config->queue_groups->path, "/q/g");
	config_destroy(config);
	says("Ma, P=/x, A=x,\nMa, P=/x, F=a#, A=x\nMa, A=x, $P=/x\n",
	    "line 6: mailer a: `=' expected\nline 7: Ma: A= argument required\n"
	    "line 8: Ma: unknown mailer equate \001=\nline 8: Ma: P= argument required\n",
	    EX_SOFTWARE);
	says("F{X}@hash:/nonexistent/map\n",
	    "line 6: hash map \"X\": missing map file /nonexistent/map.db: No such file or "
	    "directory\n"
	    "line 6: fileclass: F{X}: map open failed\n",
	    EX_OSERR);
}

static void
other_lines(void **state)
{
	struct config *config;

	(void)state;
	setenv("PILLARBOX_TEST", "v", 1);
	config = read_text("Pjunk=-100\nPlist=-30\nEPILLARBOX_TEST\nEA=b "
			   "c\nEPILLARBOX_NOT_SET\nQg, P=/q/g, F=f, I=1h, r=3\n"
			   "Xf, S=unix:/x, F=R, T=S:1s;E:5m\n");
	assert_string_equal(str_text(&messages), "");
	assert_string_equal(config->priorities->name, "junk");
	assert_int_equal(config->priorities->next->value, -30);
	assert_int_equal(config->environment.count, 2);
	assert_string_equal(config->environment.items[0], "PILLARBOX_TEST=v");
	assert_int_equal(config->queue_groups->interval_seconds, 3600);
	assert_int_equal(config->queue_groups->recipients_maximum, 3);
	assert_string_equal(config->filters->socket, "unix:/x");
	assert_true(flag_set_has(&config->filters->flags, 'R'));
	config_destroy(config);
	says("Px\nV\nV10/Sun\nKx\nK\nKx nosuch a\n",
	    "line 6: unknown configuration line \"Px\"\nline 7: invalid argument to V line: \"\"\n"
	    "warning: line 8: invalid V line vendor code: \"Sun\"\nline 9: readcf: config K line, "
	    "map x: no "
	    "map class\n"
	    "line 10: readcf: config K line: no map name\nline 11: readcf: map x: class nosuch not "
	    "available\n",
	    EX_SOFTWARE);
	says("Q\nQa, X=1\nX\nXa\nXa, S=x, T=Q:1s\nQb, P=/y\n",
	    "line 6: name required for queue\nline 7: Qa: unknown queue equate X=\nline 8: name "
	    "required for mail filter\n"
	    "line 9: Xa: empty or missing socket information\nline 10: Xa: unknown filter timeout "
	    "Q\n"
	    "QueuePath /y not subpath of QueueDirectory /q/: No such file or directory\n",
	    EX_CONFIG);
	says("R$*\tx\nS999\nR$*\ty\n",
	    "line 6: missing valid ruleset for \"R\001*\tx\"\nline 7: bad ruleset 999 (100 max)\n"
	    "line 8: missing valid ruleset for \"R\001*\ty\"\n",
	    EX_SOFTWARE);
}

static void
what_a_file_must_have(void **state)
{
	struct config *config;

	(void)state;
	config = read_text_with("", "V10\nDja.b\n", NULL);
	assert_string_equal(str_text(&messages),
	    "No local mailer defined\nQueueDirectory (Q) option must be set\n");
	assert_int_equal(config->error_status, EX_CONFIG);
	config_destroy(config);
	config = config_read(&(struct config_request){.file = "/nonexistent/x.cf"});
	assert_int_equal(config->error_status, EX_OSFILE);
	config_destroy(config);
	config = config_read(&(struct config_request){.file = "/"});
	assert_int_equal(config->error_status, EX_OSFILE);
	config_destroy(config);
	/* below level 6 what is now flags was built in */
	config = read_text_with("",
	    "V5\nDja.b\nO QueueDirectory=/q\nMlocal, P=/x, F=l, A=x $u\nMprog, P=/x, A=x\n", NULL);
	assert_string_equal(str_text(&messages), "");
	assert_true(mailer_has(config->local_mailer, 'A') && mailer_has(config->local_mailer, '@'));
	assert_true(config->options.colon_ok_in_addr);
	config_destroy(config);
}

/* Whatever bytes a file holds, reading it ends and nothing is read or written out of place (run under ASan too). */
static void
hostile_files_do_no_harm(void **state)
{
	static const char *const pieces[] = {"D{", "}", "$", "${", "$?", "$|", "$.", "M", ",", "=",
	    "P=[IPC]", "A=", "\\", "\"", "O ", "Timeout.", "H?", "?", ":", "R", "\t", "\n", "\n ",
	    "S", "K", "hash ", "F{x}", "-o", "@", "|", "Q", "X", "C", "$=", "\001", "\377", "V",
	    "9999999999999999999", "/", "E", "P", "%[", "]"};
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct str text = {0};

		for (int i = 0; i < 40; i++) {
			seed = seed * 1664525u + 1013904223u;
			str_add_text(
			    &text, pieces[(seed >> 16) % (sizeof pieces / sizeof pieces[0])]);
		}
		/* no programs and no names of hosts, whatever comes out */
		for (char *at = text.data; *at != '\0'; at++) {
			if (*at == '|' && (at == text.data || at[-1] != '$'))
				*at = '!';
		}
		config_destroy(read_text(text.data));
		str_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_folded_and_counted),
	    cmocka_unit_test(names_are_checked_in_all_lines),
	    cmocka_unit_test(classes_take_macros_and_other_classes),
	    cmocka_unit_test(class_files_take_o_with_and_without_a_blank),
	    cmocka_unit_test(headers_are_read_with_conditions_and_checks),
	    cmocka_unit_test(mailers_have_v8s_defaults_and_complaints),
	    cmocka_unit_test(fields_end_at_comments_and_need_what_commas_promise),
	    cmocka_unit_test(other_lines),
	    cmocka_unit_test(what_a_file_must_have),
	    cmocka_unit_test(hostile_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
