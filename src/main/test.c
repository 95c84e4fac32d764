/*
 * test: address test mode, -bt.
 */
#include "main/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"
#include "base/trace.h"
#include "main/test_show.h"
#include "map/map.h"
#include "route/resolve.h"
#include "rule/rule.h"

struct tester {
	struct rule_context rules;
	struct config *config;
	unsigned what; /* enum resolve_what, of /tryflags */
	int exit_status;
	bool is_over; /* /quit */
};

/* V8: the first status that is not for now stays. */
static void
set_status(struct tester *tester, int status)
{
	if (tester->exit_status == EX_OK || tester->exit_status == EX_TEMPFAIL)
		tester->exit_status = status;
}

static void
report(void *data, const char *message, int exit_status)
{
	struct tester *tester = data;

	if (exit_status > EX_OK)
		set_status(tester, exit_status);
	printf("%s\n", message);
}

static void
complain(struct tester *tester, const char *message)
{
	report(tester, message, EX_SOFTWARE);
}

/* The id of the macro or class whose name is at *text, which is put behind it. */
static int
read_id(struct tester *tester, const char **text)
{
	const char *error = NULL;
	int id = macro_name_parse(tester->config->names, *text, text, tester->rules.arena, &error);

	if (error != NULL)
		complain(tester, error);
	return id;
}

static int
read_ruleset(struct tester *tester, const char *text, const char **end)
{
	const char *error;
	int number = ruleset_parse(tester->config, text, end, tester->rules.arena, &error);

	if (error != NULL)
		complain(tester, error);
	if (number == RULESET_NONE)
		printf("Undefined ruleset %s\n", text);
	return number;
}

/* .D and .C */
static void
define(struct tester *tester, char *line)
{
	const char *rest = line + 2;
	struct str expanded = {0};
	char *word;
	int id;

	if (line[1] == '\0') {
		printf("Usage: .[DC]macro value(s)\n");
		return;
	}
	if (line[1] != 'D' && line[1] != 'C') {
		printf("Unknown \".\" command %s\n", line);
		return;
	}
	if (line[1] == 'C' && line[2] == '\0')
		return;
	id = read_id(tester, &rest);
	if (id == MACRO_NONE)
		return;
	if (line[1] == 'D') {
		macro_set_template(tester->config->macros, id, rest);
		return;
	}
	macro_expand(tester->config->names, tester->rules.macros, rest, &expanded);
	word = expanded.length > 0 ? strtok(expanded.data, " \t\r\n") : NULL;
	for (; word != NULL; word = strtok(NULL, " \t\r\n")) {
		if (trace_on(37, 8))
			printf("setclass(%s, %s)\n", macro_name(tester->config->names, id), word);
		class_add(tester->config->classes, id, word);
	}
	str_free(&expanded);
}

/* $x and $=x */
static void
show_value(struct tester *tester, const char *line)
{
	const char *name = line + 1, *value, *const * phrases;
	size_t count;
	int id;

	if (line[1] == '=')
		name++;
	id = read_id(tester, &name);
	if (id == MACRO_NONE)
		return;
	if (line[1] == '=') {
		phrases = class_list(tester->config->classes, id, tester->rules.arena, &count);
		for (size_t i = 0; i < count; i++)
			printf("%s\n", phrases[i]);
		return;
	}
	value = macro_get(tester->rules.macros, id);
	if (value != NULL) {
		test_show_value(tester->config, value);
		putchar('\n');
	} else if (id < 128 && strchr("*+-=~#@:>?|.[]()&123456789", id) != NULL) {
		printf("$%c\n", id); /* V8: operators are macros of themselves */
	} else {
		printf("Undefined\n");
	}
}

/* =S and =M */
static void
show_configuration(struct tester *tester, const char *line)
{
	const char *end;
	int number;

	switch (line[1]) {
	case 'S':
		number = read_ruleset(tester, line + 2, &end);
		if (number != RULESET_NONE)
			test_show_ruleset(tester->config, number);
		break;
	case 'M':
		for (size_t i = 0; i < tester->config->mailer_count; i++)
			test_show_mailer(tester->config, tester->config->mailers[i]);
		break;
	case '\0':
		printf("Usage: =Sruleset or =M\n");
		break;
	default:
		printf("Unknown \"=\" command %s\n", line);
	}
}

static void
set_trace(const char *line)
{
	if (line[1] == 'd')
		trace_set(line + 2);
	else if (line[1] == '\0')
		printf("Usage: -d{debug arguments}\n");
	else
		printf("Unknown \"-\" command %s\n", line);
}

static const char *
describe_what(unsigned what)
{
	static const char *const texts[] = {
	    "envelope recipient", "envelope sender", "header recipient", "header sender"};

	return texts[(what & RESOLVE_HEADER ? 2 : 0) + (what & RESOLVE_SENDER ? 1 : 0)];
}

static void
command_canon(struct tester *tester, char *argument)
{
	struct map_hooks hooks = rule_map_hooks(&tester->rules);
	const char *name, *message;

	if (*argument == '\0') {
		printf("Usage: /canon address\n");
		return;
	}
	map_canonical_name(argument, true, &hooks, tester->rules.arena, &name, &message);
	if (message != NULL)
		printf("%s\n", message);
	printf("getcanonname(%s) returns %s\n", argument, name != NULL ? name : argument);
}

static void
command_mx(struct tester *tester, char *argument)
{
	struct map_hooks hooks = rule_map_hooks(&tester->rules);

	if (*argument == '\0')
		printf("Usage: /mx address\n");
	else
		test_show_mx(argument, &hooks, tester->rules.arena);
}

static void
command_map(struct tester *tester, char *argument)
{
	struct map_hooks hooks = rule_map_hooks(&tester->rules);
	struct arena *arena = tester->rules.arena;
	struct map_result result = {0};
	struct map *map;
	bool is_open;
	char *key = strpbrk(argument, " \t");

	if (*argument == '\0') {
		printf("Usage: /map mapname key\n");
		return;
	}
	if (key == NULL) {
		printf("No key specified\n");
		return;
	}
	*key = '\0';
	if (*++key == '\0') {
		printf("No key specified\n");
		return;
	}
	map = map_find(tester->config->maps, argument);
	if (map == NULL) {
		printf("Map named \"%s\" not found\n", argument);
		return;
	}
	is_open = map_is_open(map, &hooks, arena, &result);
	if (result.message != NULL)
		report(tester, result.message, result.message_status);
	if (!is_open) {
		printf("Map named \"%s\" not open\n", argument);
		return;
	}
	printf("map_lookup: %s (%s) ", argument, key);
	map_lookup_as_is(map, key, &hooks, arena, &result);
	if (result.message != NULL)
		report(tester, result.message, result.message_status);
	if (result.found)
		printf("returns %s (%d)\n", result.value, result.status);
	else
		printf("no match (%d)\n", result.status);
}

static void
command_parse(struct tester *tester, char *argument)
{
	struct rule_context *rules = &tester->rules;
	struct token_frame frame;
	struct resolved resolved;

	if (*argument == '\0') {
		printf("Usage: /parse address\n");
		return;
	}
	resolve_frame(rules, argument, &frame);
	printf("Cracked address = ");
	resolve_show_frame(&frame);
	printf("\nParsing %s address\n", describe_what(tester->what));
	resolve_address(rules, argument, tester->what, &resolved);
	if (!resolved.is_parsed) {
		printf("Cannot parse\n");
		return;
	}
	printf("mailer %s, ", resolved.mailer != NULL ? resolved.mailer->name : "*error*");
	if (resolved.host[0] != '\0')
		printf("host %s, ", resolved.host);
	printf("user %s\n", resolved.user);
}

static void
command_try(struct tester *tester, char *argument)
{
	char *address = strpbrk(argument, " \t");
	const struct mailer *mailer;
	const char *result;
	int status;

	while (address != NULL && text_is_space((unsigned char)*address))
		*address++ = '\0';
	if (address == NULL || *address == '\0') {
		printf("Usage: /try mailer address\n");
		return;
	}
	mailer = config_find_mailer(tester->config, argument);
	if (mailer == NULL) {
		printf("Unknown mailer %s\n", argument);
		return;
	}
	printf("Trying %s address %s for mailer %s\n", describe_what(tester->what), address,
	    mailer->name);
	result = resolve_rewrite(&tester->rules, address, mailer, tester->what, &status);
	printf("Rcode = %d, addr = %s\n", status, result);
}

/* ${addr_type}, which rules of mailers ask. */
static void
set_address_type(struct tester *tester)
{
	char type[] = "e r";

	type[0] = tester->what & RESOLVE_HEADER ? 'h' : 'e';
	type[2] = tester->what & RESOLVE_SENDER ? 's' : 'r';
	config_set_macro(tester->config, tester->rules.macros, "addr_type", type);
}

static void
command_tryflags(struct tester *tester, char *argument)
{
	if (*argument == '\0') {
		printf("Usage: /tryflags [Hh|Ee][Ss|Rr]\n");
		return;
	}
	for (; *argument != '\0'; argument++) {
		switch (text_lower((unsigned char)*argument)) {
		case 'h':
			tester->what |= RESOLVE_HEADER;
			break;
		case 'e':
			tester->what &= ~(unsigned)RESOLVE_HEADER;
			break;
		case 's':
			tester->what |= RESOLVE_SENDER;
			break;
		case 'r':
			tester->what &= ~(unsigned)RESOLVE_SENDER;
			break;
		}
	}
	set_address_type(tester);
}

static void
command_quit(struct tester *tester, char *argument)
{
	(void)argument;
	tester->is_over = true;
}

static const struct {
	const char *name;
	void (*run)(struct tester *, char *argument);
} commands[] = {
    {"canon", command_canon},
    {"map", command_map},
    {"mx", command_mx},
    {"parse", command_parse},
    {"quit", command_quit},
    {"try", command_try},
    {"tryflags", command_tryflags},
};

static void
run_command(struct tester *tester, char *line)
{
	char *name = line + 1, *argument = strpbrk(name, " \t");

	if (argument != NULL) {
		*argument++ = '\0';
		argument = text_skip_space(argument);
		text_trim_end(argument);
	} else {
		argument = name + strlen(name);
	}
	if (*name == '\0') {
		printf("Usage: /[canon|map|mx|parse|try|tryflags]\n");
		return;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (text_equal_nocase(name, commands[i].name)) {
			commands[i].run(tester, argument);
			return;
		}
	}
	printf("Unknown \"/\" command %s\n", line);
}

/* The sets of a list, each on what the one before left. */
static void
run_sets(struct tester *tester, const char *sets, struct tokens *tokens)
{
	while (*sets != '\0') {
		const char *end;
		int number = read_ruleset(tester, sets, &end), status;

		if (number == RULESET_NONE)
			return;
		status = rule_run(&tester->rules, number, tokens);
		if (status != EX_OK)
			printf("== Ruleset %s (%d) status %d\n", sets, number, status);
		while (*end != '\0' && *end++ != ',')
			;
		sets = end;
	}
}

static void
run_line(struct tester *tester, char *line)
{
	char *sets = text_skip_space(line), *rest = sets;
	const char *at;

	while (*rest != '\0' && !text_is_space((unsigned char)*rest))
		rest++;
	if (*rest == '\0') {
		printf("No address!\n");
		return;
	}
	*rest++ = '\0';
	at = resolve_clean(&tester->rules, rest, false);
	while (at != NULL) {
		struct tokens tokens;

		if (rule_scan(&tester->rules, at, ',', tester->config->level >= 9, &tokens, &at))
			run_sets(tester, sets, &tokens);
		at = *at != '\0' ? at + 1 : NULL;
	}
}

static void
take_line(struct tester *tester, char *line)
{
	switch (line[0]) {
	case '\0':
	case '#':
		break;
	case '?':
		test_show_help(tester->config, tester->rules.arena);
		break;
	case '.':
		define(tester, line);
		break;
	case '=':
		show_configuration(tester, line);
		break;
	case '-':
		set_trace(line);
		break;
	case '$':
		show_value(tester, line);
		break;
	case '/':
		run_command(tester, line);
		break;
	default:
		run_line(tester, line);
	}
}

/*
 * The lines of standard input.  Who asks one question at a time gets each answer at once; who hands
 * over a file is not made to wait for a system call a line.
 */
struct input {
	char *bytes;
	size_t start, end, size;
	bool is_over;
};

enum { INPUT_SIZE = 65536 };

static void
read_more(struct input *input)
{
	ssize_t got;

	if (input->start > 0) {
		memmove(input->bytes, input->bytes + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	/* room for a NUL behind the last line */
	if (input->size - input->end < INPUT_SIZE / 2 + 1) {
		input->size = input->size * 2 + INPUT_SIZE;
		input->bytes = check_realloc(input->bytes, input->size);
	}
	fflush(stdout);
	do
		got = read(STDIN_FILENO, input->bytes + input->end, input->size - input->end - 1);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		input->end += (size_t)got;
	else
		input->is_over = true;
}

/* Without its line break; valid until the next one.  NULL at the end. */
static char *
next_line(struct input *input)
{
	char *line, *line_end;

	for (;;) {
		line_end = input->start == input->end ? NULL
						      : memchr(input->bytes + input->start, '\n',
							    input->end - input->start);
		if (line_end != NULL || input->is_over)
			break;
		read_more(input);
	}
	if (input->start == input->end)
		return NULL;
	line = input->bytes + input->start;
	if (line_end == NULL)
		line_end = input->bytes + input->end;
	input->start = (size_t)(line_end - input->bytes) + (line_end < input->bytes + input->end);
	*line_end = '\0';
	return line;
}

int
main_test(struct main_context *context)
{
	struct tester tester = {
	    .config = context->config, .exit_status = context->config->error_status};
	bool echoes = context->arguments->is_verbose || context->config->options.verbose;
	struct input input = {0};
	char *line;

	tester.rules = (struct rule_context){
	    .config = context->config,
	    .macros = context->config->macros,
	    .arena = arena_create(),
	    .test_mode = true,
	    .report = report,
	    .report_context = &tester,
	    .check_alias_name = resolve_alias_name,
	};
	set_address_type(&tester);
	config_set_macro(context->config, context->config->macros, "deliveryMode", "i");
	config_set_macro(context->config, context->config->macros, "_",
	    arena_printf(tester.rules.arena, "%s@localhost", context->caller_name));
	printf("ADDRESS TEST MODE (ruleset 3 NOT automatically invoked)\n"
	       "Enter <ruleset> <address>\n");
	while (!tester.is_over) {
		/* V8: with -v the prompt comes with what was typed, for scripts' transcripts */
		if (!echoes)
			printf("> ");
		/* what programs of maps write on standard error comes behind it */
		fflush(stdout);
		line = next_line(&input);
		if (line == NULL)
			break;
		if (echoes)
			printf("> %s\n", line);
		take_line(&tester, line);
		arena_reset(tester.rules.arena);
	}
	if (tester.exit_status == EX_TEMPFAIL)
		tester.exit_status = EX_OK;
	map_set_trace_end(context->config->maps);
	if (trace_on(2, 1))
		printf("\n====finis: stat %d e_id=NOQUEUE e_flags=%s\n", tester.exit_status,
		    context->config->options.old_style_headers ? "4001<OLDSTYLE,METOO>"
							       : "4000<METOO>");
	fflush(stdout);
	free(input.bytes);
	arena_destroy(tester.rules.arena);
	return tester.exit_status;
}
