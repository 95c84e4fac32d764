#include "main/test_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "base/trace.h"
#include "conf/rule_code.h"
#include "main/main.h"
#include "rule/rule.h"

enum { EXCHANGERS_MAXIMUM = 100, MACRO_MARK = 0x81, NAME_SIZE = 64 };

/* V8 keeps `$$` as one dollar and `${x}` like `$x`. */
static void
show_plain_value(const char *text)
{
	while (*text != '\0') {
		char shown[4] = {*text++};
		size_t sign = 0;

		if (shown[0] == '$' && *text == '$') {
			text++;
		} else if (shown[0] == '$') {
			sign = *text != '\0' && strchr("&?=~", *text) != NULL;
			if (text[sign] == '{' && text[sign + 1] != '\0' && text[sign + 2] == '}') {
				if (sign > 0)
					shown[1] = *text;
				shown[sign + 1] = text[sign + 1];
				text += sign + 3;
			}
		}
		token_show_text(shown);
	}
}

/* What stands behind a `$`: V8 keeps a long name as one byte. */
static const char *
show_name(const struct macro_names *names, const char *text)
{
	size_t length = strcspn(text, "}");
	char name[NAME_SIZE];
	int id;

	if (text[0] != '{' || length < 2 || length > NAME_SIZE || text[length] != '}')
		return text;
	if (length == 2) {
		putchar(text[1]);
		return text + 3;
	}
	memcpy(name, text + 1, length - 1);
	name[length - 1] = '\0';
	id = macro_id_find(names, name);
	if (id == MACRO_NONE || macro_number(names, id) == 0)
		return text;
	token_show_code(macro_number(names, id));
	return text + length + 1;
}

/* With -d84.1 V8 shows the bytes that it keeps for `$` and for long names. */
void
test_show_value(const struct config *config, const char *text)
{
	if (!trace_on(84, 1)) {
		show_plain_value(text);
		return;
	}
	while (*text != '\0') {
		char byte[2] = {*text++};

		if (byte[0] != '$' || *text == '\0') {
			token_show_text(byte);
			continue;
		}
		if (*text == '$') {
			putchar(*text++);
			continue;
		}
		token_show_code(MACRO_MARK);
		if (strchr("&=~?", *text) != NULL)
			putchar(*text++);
		text = show_name(config->names, text);
	}
}

static void
show_side(const struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->count; i++) {
		token_show(&tokens->items[i]);
		putchar(' ');
	}
}

void
test_show_ruleset(const struct config *config, int number)
{
	for (const struct rule *rule = config->rulesets[number].first; rule != NULL;
	     rule = rule->next) {
		putchar('R');
		show_side(&rule->left);
		fputs("\t\t", stdout);
		show_side(&rule->right);
		putchar('\n');
	}
}

static void
show_set(const struct config *config, int number, int after)
{
	if (number >= 0 && number < RULESET_MAXIMUM && config->rulesets[number].name != NULL)
		printf("%s", config->rulesets[number].name);
	else
		printf("%d", number);
	if (after != '\0')
		putchar(after);
}

static const char *
or_undefined(const char *text)
{
	return text != NULL ? text : "<undefined>";
}

void
test_show_mailer(const struct config *config, const struct mailer *mailer)
{
	printf("mailer %d (%s): P=%s S=", mailer->number, mailer->name,
	    mailer->path != NULL ? mailer->path : "(null)");
	show_set(config, mailer->sender_envelope, '/');
	show_set(config, mailer->sender_header, ' ');
	printf("R=");
	show_set(config, mailer->recipient_envelope, '/');
	show_set(config, mailer->recipient_header, ' ');
	printf("M=%ld U=%ld:%ld F=", mailer->maximum_size,
	    mailer->has_uid ? (long)mailer->uid : -1L, mailer->has_gid ? (long)mailer->gid : -1L);
	for (int flag = 1; flag < 128; flag++) {
		if (mailer_has(mailer, flag))
			putchar(flag);
	}
	printf(" L=%d E=", mailer->line_limit);
	token_show_text(mailer->eol != NULL ? mailer->eol : "");
	if (mailer->charset != NULL)
		printf(" C=%s", mailer->charset);
	printf(" T=%s/%s/%s r=%d", or_undefined(mailer->mta_type),
	    or_undefined(mailer->address_type), or_undefined(mailer->diagnostic_type),
	    mailer->maximum_recipients);
	if (mailer->argument_count > 0) {
		printf(" A=");
		for (size_t i = 0; i < mailer->argument_count; i++) {
			if (i > 0)
				putchar(' ');
			test_show_value(config, mailer->arguments[i]);
		}
	}
	putchar('\n');
}

/* Lines "topic<tab>text" of the help file. */
void
test_show_help(const struct config *config, struct arena *arena)
{
	const char *name = config->options.help_file;
	FILE *file = name != NULL ? fopen(name, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	bool has_topic = false;

	if (file == NULL) {
		printf("Sendmail %s -- HELP not implemented\n", main_version());
		return;
	}
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!text_starts(line, "-bt") || !text_is_space((unsigned char)line[3]))
			continue;
		has_topic = true;
		printf("%s\n", config_expand(config, config->macros, line + 4, arena));
	}
	printf(has_topic ? "End of HELP info\n" : "HELP topic \"-bt\" unknown\n");
	free(line);
	fclose(file);
}

/* The hosts that take mail for a host. */
void
test_show_mx(const char *host, const struct map_hooks *hooks, struct arena *arena)
{
	const char *names[EXCHANGERS_MAXIMUM];
	int status,
	    count = map_mail_exchangers(host, hooks, arena, names, EXCHANGERS_MAXIMUM, &status);

	if (count == 0 && status == EX_UNAVAILABLE) {
		printf("getmxrr(%s) returns null MX (See RFC7505)\n", host);
		return;
	}
	printf("getmxrr(%s) returns %d value(s):\n", host, count);
	for (int i = 0; i < count; i++)
		printf("\t%s\n", names[i]);
}
