/*
 * header_rule: H lines, and the Q lines beside them.
 */
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "reading.h"

/*
 * Reads `?flags?` or `?${macro}?` at the start; what follows it, or NULL when it is no condition.
 * *shown is what V8 quotes of a line that is wrong.
 */
static const char *
read_condition(
    struct config *config, struct header_rule *rule, const char *text, const char **shown)
{
	const char *end = strchr(text + 1, '?');

	if (text[1] == '$' && text[2] != '$') {
		const char *error = NULL;
		int id = macro_name_parse(config->names, text + 2, &end, config->arena, &error);

		if (id == MACRO_NONE) {
			*shown = "?$"; /* the reader has said what is wrong with the name */
			return NULL;
		}
		rule->macro = macro_name(config->names, id);
		if (*end != '?') {
			*shown = text;
			return NULL;
		}
		return end + 1;
	}
	*shown = text;
	if (end == NULL || memchr(text + 2, '$', (size_t)(end - text - 1)) != NULL)
		return NULL;
	for (const char *flag = text + 1; flag < end; flag++)
		flag_set_add(&rule->mailer_flags, (unsigned char)*flag);
	*shown = arena_memdup(config->arena, text, (size_t)(end - text));
	return end + 1;
}

void
config_read_header(struct config *config, const char *text)
{
	struct header_rule *rule = ARENA_NEW(config->arena, struct header_rule);
	const char *shown = text, *at = text, *end;

	if (*at == '?')
		at = read_condition(config, rule, at, &shown);
	end = at;
	while (end != NULL && text_is_print((unsigned char)*end) && strchr(": $", *end) == NULL)
		end++;
	if (at == NULL || end == at || *text_skip_space(end) != ':') {
		config_error(config, EX_SOFTWARE, "header syntax error, line \"%s\"", shown);
		return;
	}
	rule->name = arena_memdup(config->arena, at, (size_t)(end - at));
	at = text_skip_space(text_skip_space(end) + 1);
	if (at[0] == '$' && at[1] == '>') {
		char *name;

		at = text_skip_space(at + 2);
		rule->strip_comments = *at != '+';
		name = arena_strdup(config->arena, text_skip_space(at + (*at == '+')));
		name[strcspn(name, " \t\n")] = '\0';
		rule->check_ruleset = name;
		/* a name may be that of a set to come, or of none */
		if (!text_is_alnum((unsigned char)*name))
			config_error(config, EX_SOFTWARE, "invalid ruleset name: \"%s\"", name);
		else if (text_is_digit((unsigned char)*name) &&
			 config_number(name) >= RULESET_GIVEN)
			config_error(config, EX_SOFTWARE, "bad ruleset %ld (%d max)",
			    config_number(name), RULESET_GIVEN);
	} else {
		rule->template = arena_strdup(config->arena, at);
	}
	*config->reading->last_header = rule;
	config->reading->last_header = &rule->next;
}

/* V8 is built for 50, the length of a table that we do not have. */
enum { QUEUE_GROUPS_MAXIMUM = 250 };

static void
set_group_equate(
    struct config *config, struct queue_group_conf *group, int letter, const char *value)
{
	switch (letter) {
	case 'P':
		group->path = *value != '\0' ? value : NULL;
		if (group->path == NULL)
			config_error(config, EX_SOFTWARE, "queue %s: empty path name", group->name);
		return;
	case 'F':
		for (; *value != '\0'; value++)
			flag_set_add(&group->flags, (unsigned char)*value);
		return;
	case 'N':
		group->nice = (int)config_number(value);
		return;
	case 'I':
		group->interval_seconds = config_parse_time(config, value, 'm');
		return;
	case 'J':
		group->jobs = (int)config_number(value);
		return;
	case 'R':
		group->runners = (int)config_number(value);
		group->has_runners = true;
		return;
	case 'r':
		group->recipients_maximum = (int)config_number(value);
		return;
	default:
		config_error(
		    config, EX_SOFTWARE, "Q%s: unknown queue equate %c=", group->name, letter);
		return;
	}
}

void
config_read_queue_group(struct config *config, const char *text)
{
	struct queue_group_conf *group = ARENA_NEW(config->arena, struct queue_group_conf), *old;
	enum equate found;
	const char *value;
	int letter, count = 1;

	group->name = config_equate_name(config, &text);
	if (group->name[0] == '\0') {
		config_error(config, EX_SOFTWARE, "name required for queue");
		return;
	}
	while ((found = config_next_equate(config, &text, &letter, &value)) != EQUATE_END) {
		if (found == EQUATE_BAD) {
			config_error(config, EX_SOFTWARE, "queue %s: `=' expected", group->name);
			return;
		}
		set_group_equate(config, group, letter, value);
	}
	if (group->runners > 1 && !flag_set_has(&group->flags, 'f'))
		config_note(config, EX_OK,
		    "Warning: Q=%s: R=%d: multiple queue runners specified\n\tbut flag '%c' is not "
		    "set",
		    group->name, group->runners, 'f');
	for (old = config->queue_groups; old != NULL; old = old->next) {
		if (text_equal_nocase(old->name, group->name)) {
			group->next = old->next;
			*old = *group;
			if (group->next == NULL)
				config->reading->last_group = &old->next;
			return;
		}
	}
	/* mqueue counts, with a line of its own or without */
	for (old = config->queue_groups; old != NULL; old = old->next)
		count += !text_equal_nocase(old->name, "mqueue");
	if (count >= QUEUE_GROUPS_MAXIMUM && !text_equal_nocase(group->name, "mqueue")) {
		config_error(config, EX_SOFTWARE, "too many queue groups defined (%d max)",
		    QUEUE_GROUPS_MAXIMUM);
		return;
	}
	*config->reading->last_group = group;
	config->reading->last_group = &group->next;
}
