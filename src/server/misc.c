/* RSET, NOOP, VERB, QUIT, HELP, ETRN, and what only proxies say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"
#include "server/session.h"

enum { ETRN_MAXIMUM = 8, HELP_VERSION = 2 };

void
command_rset(struct session *s, char *argument)
{
	(void)argument;
	session_new_envelope(s);
	session_reply(s, 250, "2.0.0", "Reset state");
}

void
command_noop(struct session *s, char *argument)
{
	struct verdict verdict;
	const char *line =
	    arena_printf(s->scratch, "NOOP%s%s", *argument != '\0' ? " " : "", argument);
	const char *digit = s->has_mail ? "1" : "2";

	/* V8: the slow-down is for those who do nothing else */
	session_count(s, COUNT_NOOP,
	    (unsigned)(s->options->max_noop_commands > 0 ? s->options->max_noop_commands : 0),
	    "NOOP");
	if (!session_check(s, "check_other", line, digit, false, &verdict))
		session_reply_verdict(s, &verdict);
	else
		session_reply(s, 250, "2.0.0", "OK");
}

void
command_verb(struct session *s, char *argument)
{
	(void)argument;
	if (!s->features.verb) {
		session_reply(s, 502, "5.7.0", "Verbose unavailable");
		return;
	}
	s->is_verbose = true;
	session_reply(s, 250, "2.0.0", "Verbose mode");
}

void
command_quit(struct session *s, char *argument)
{
	(void)argument;
	session_reply(s, 221, "2.0.0", "%s closing connection", session_macro(s, "j"));
	s->is_over = true;
}

/* A browser, or a proxy's client, that a page or a virus sent here: what it says next is not mail. */
void
command_http(struct session *s, char *argument)
{
	log_at(6, LOG_INFO, "%s: %s: probable open proxy: command=%.40s\\r\\n", session_id(s),
	    s->peer, argument);
	session_end(s, "4.7.0", "%s Rejecting open proxy %s", session_macro(s, "j"), s->peer);
}

static bool
topic_matches(const char *line, const char *topic)
{
	size_t length = strlen(topic);

	return strncmp(line, topic, length) == 0 &&
	       (line[length] == '\t' || line[length] == ' ' || line[length] == '\n');
}

/* Has the help file the line that says its text may hold macros?  Older ones do not; that is logged. */
static bool
is_recent(struct session *s, FILE *file)
{
	char line[1024];
	int version = 0;

	while (version < HELP_VERSION && fgets(line, sizeof line, file) != NULL)
		if (text_starts_nocase(line, "#vers\t"))
			version = atoi(line + 6);
	rewind(file);
	if (version < HELP_VERSION && !s->told_of_help)
		log_at(3, LOG_WARNING, "%s: %s too old (require version %d)", session_id(s),
		    s->options->help_file, HELP_VERSION);
	s->told_of_help = true;
	return version >= HELP_VERSION;
}

/* The help file: lines "topic TAB text", "#vers TAB 2" first.  False: nothing on this topic. */
static bool
print_help(struct session *s, const char *topic, bool is_general)
{
	FILE *file = s->options->help_file != NULL ? fopen(s->options->help_file, "r") : NULL;
	char line[1024];
	bool found = false, recent;

	if (file == NULL) {
		session_reply(
		    s, 502, "5.3.0", "Sendmail %s -- HELP not implemented", session_macro(s, "v"));
		return true;
	}
	recent = is_recent(s, file);
	while (fgets(line, sizeof line, file) != NULL) {
		const char *text = line + strlen(topic) + 1;

		if (line[0] == '#' || !topic_matches(line, topic))
			continue;
		if (!found && is_general && !recent)
			session_reply_more(
			    s, 214, "2.0.0", "This is Sendmail version %s", session_macro(s, "v"));
		found = true;
		line[strcspn(line, "\r\n")] = '\0';
		if (recent)
			text = config_expand(s->config, s->message_macros, text, s->scratch);
		session_reply_more(s, 214, "2.0.0", "%s", text);
	}
	fclose(file);
	if (found)
		session_reply(s, 214, "2.0.0", "End of HELP info");
	return found;
}

void
command_help(struct session *s, char *argument)
{
	char *topic = arena_strdup(s->scratch, *argument != '\0' ? argument : "smtp");

	text_trim_end(topic);
	text_to_lower(topic);
	if (!print_help(s, topic, *argument == '\0'))
		session_reply(s, 504, "5.3.0", "HELP topic \"%.10s\" unknown", argument);
}

void
command_etrn(struct session *s, char *argument)
{
	struct verdict verdict;

	s->issued_something = true;
	if (*argument == '\0') {
		session_reply(s, 500, "5.5.2", "Parameter required");
		return;
	}
	if (!s->features.etrn) {
		log_at(6, LOG_INFO, "%s: %s: ETRN %s [rejected]", session_id(s), s->peer, argument);
		session_reply(s, 502, "5.7.0", "Sorry, we do not allow this operation");
		return;
	}
	session_count(s, COUNT_ETRN, ETRN_MAXIMUM, "ETRN");
	if (!session_check(s, "check_etrn", argument, NULL, false, &verdict)) {
		session_reply_verdict(s, &verdict);
		return;
	}
	log_at(6, LOG_INFO, "%s: %s: ETRN %s", session_id(s), s->peer, argument);
	if (*argument == '#') {
		const struct queue_group_conf *group = s->config->queue_groups;

		while (group != NULL && !text_equal_nocase(group->name, argument + 1))
			group = group->next;
		if (group == NULL && !text_equal_nocase(argument + 1, "mqueue")) {
			session_reply(s, 459, "4.5.4", "Queue %s unknown", argument + 1);
			return;
		}
		session_reply(s, 250, "2.0.0", "Queuing for queue group %s started", argument + 1);
	} else {
		session_reply(s, 250, "2.0.0", "Queuing for node %s started", argument);
	}
	conn_flush(s->conn);
	if (s->context->run_queue != NULL)
		s->context->run_queue(s->context->context, argument);
}
