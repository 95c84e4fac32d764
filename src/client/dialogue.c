#include "client/session.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/str.h"
#include "os/os.h"

enum { LINES_KEPT = 20 }; /* of a refusal, for reports */

void
client_show(struct client *c, const char *format, ...)
{
	va_list arguments;

	if (c->verbose == NULL)
		return;
	va_start(arguments, format);
	vfprintf(c->verbose, format, arguments);
	va_end(arguments);
	putc('\n', c->verbose);
	fflush(c->verbose);
}

void
client_end(struct client *c, struct verdict verdict, const char *reply)
{
	if (c->verdict.code == 0) {
		c->verdict = verdict;
		c->verdict.text = arena_strdup(c->arena, verdict.text);
		c->failure_reply = arena_strdup(c->arena, reply);
	}
	c->is_open = false;
}

void
client_end_lost(struct client *c, enum client_stage stage)
{
	enum outcome_event event = EVENT_LOST;

	c->may_quit = false;
	switch (conn_state(c->conn)) {
	case CONN_TIMED_OUT:
		client_end(c,
		    outcome_of_event(
			c->arena, stage, EVENT_TIMED_OUT, "Connection timed out with %s", c->host),
		    NULL);
		return;
	case CONN_GARBLED:
		event = EVENT_GARBLED;
		client_end(
		    c, outcome_of_event(c->arena, stage, event, "%s", conn_reason(c->conn)), NULL);
		return;
	default:
		/* V8 knows no reason why the answer to a body never came; the queue file has it */
		if (c->verdict.code == 0)
			c->trouble = arena_printf(c->arena, "reply: read error from %s", c->host);
		client_end(c,
		    outcome_of_event(c->arena, stage, event,
			stage == STAGE_END ? "%s" : "Connection reset by %s",
			stage == STAGE_END ? "" : c->host),
		    NULL);
	}
}

/* One reply of any number of lines; false when the connection failed over it. */
static bool
read_reply(struct client *c, const struct question *question, struct reply *reply)
{
	enum client_stage stage = question->stage;
	size_t maximum = stage == STAGE_AUTH ? REPLY_CHALLENGE_MAXIMUM : REPLY_LINE_MAXIMUM, length;
	struct reply_line parsed;
	char *line;

	*reply = (struct reply){0};
	conn_set_deadline(c->conn, deadline_in(question->timeout_seconds));
	for (int count = 0;; count++) {
		enum conn_line kind = conn_read_line(c->conn, maximum, &line, &length);
		bool is_challenge;

		if (kind == CONN_LINE_FAILED)
			return false;
		if (kind == CONN_LINE_TOO_LONG || count == REPLY_LINES_MAXIMUM) {
			conn_fail(c->conn, CONN_GARBLED, "reply too long from %s", c->host);
			return false;
		}
		if (!reply_parse_line(line, length, &parsed) ||
		    (count > 0 && parsed.code != reply->code)) {
			conn_fail(c->conn, CONN_GARBLED, "invalid reply from %s: %.100s", c->host,
			    reply_clean(question->arena, line, length));
			return false;
		}
		is_challenge = stage == STAGE_AUTH && parsed.code / 100 == 3;
		if (count == 0)
			reply_set(reply, question->arena, line, length, &parsed);
		if (parsed.code >= 400 && count < LINES_KEPT)
			reply_add_line(reply, question->arena, line, length);
		if (c->verbose != NULL && !is_challenge)
			client_show(c, "%s", reply_clean(question->arena, line, length));
		if (c->each_line != NULL && parsed.code / 100 == 2 && count > 0)
			c->each_line(c, reply_clean(question->arena, parsed.text, parsed.length));
		if (parsed.is_last)
			return true;
	}
}

static const struct question *
question_at(const struct client *c, size_t index)
{
	return &c->questions[(c->first_question + index) % QUESTIONS_MAXIMUM];
}

/* V8 shows what it sends in one go before the answers to it. */
static void
show_turn(struct client *c)
{
	unsigned turn = question_at(c, 0)->turn;

	if (turn == c->shown_turn)
		return;
	c->shown_turn = turn;
	for (size_t i = 0; i < c->question_count && question_at(c, i)->turn == turn; i++) {
		if (question_at(c, i)->shown != NULL)
			client_show(c, ">>> %s", question_at(c, i)->shown);
	}
}

/* V8: of who is refused by name -v tells at once; what is refused for good at submission is for the report. */
static void
show_refusal(struct client *c, const struct question *question, const struct reply *answer)
{
	struct verdict verdict;

	if (c->verbose == NULL || question->about == NULL || reply_is(answer, 2))
		return;
	verdict =
	    outcome_of_reply(question->arena, question->stage, answer, c->offers.enhanced_codes);
	if (verdict_is_temporary(&verdict))
		client_show(c, "%s... Deferred: %s", question->about, answer->first);
	else if (!c->is_first_attempt)
		client_show(
		    c, "%s... %s", question->about, verdict_text_from_exit(verdict.exit_status));
}

/* The answer to the oldest question. */
static void
collect(struct client *c)
{
	struct question question = *question_at(c, 0);
	struct reply unused, *answer = question.answer != NULL ? question.answer : &unused;
	bool is_last = c->question_count == 1;

	show_turn(c);
	if (!read_reply(c, &question, answer)) {
		*answer = (struct reply){0};
		client_end_lost(c, question.stage);
	} else if (outcome_find(question.stage, answer->code)->outcome == OUTCOME_END_SESSION) {
		c->may_quit = answer->code != 421 && is_last;
		client_end(c,
		    outcome_of_reply(c->arena, question.stage, answer, c->offers.enhanced_codes),
		    answer->first);
	} else {
		show_refusal(c, &question, answer);
	}
	c->first_question = (c->first_question + 1) % QUESTIONS_MAXIMUM;
	c->question_count = c->verdict.code == 0 ? c->question_count - 1 : 0;
	/* one answer too many: we no longer know which belongs to what */
	if (c->verdict.code == 0 && c->question_count == 0 && conn_buffered(c->conn) > 0) {
		conn_fail(c->conn, CONN_GARBLED, "surplus reply from %s", c->host);
		client_end_lost(c, c->last_stage);
	}
}

void
client_sync_to(struct client *c, size_t question)
{
	while (c->question_count > 0 && c->asked - c->question_count < question)
		collect(c);
}

void
client_sync(struct client *c)
{
	client_sync_to(c, c->asked);
}

void
client_collect_ready(struct client *c)
{
	while (c->question_count > 0 && conn_has_input(c->conn))
		collect(c);
}

void
client_expect(struct client *c, struct reply *answer, enum client_stage stage, long timeout_seconds,
    const char *shown)
{
	bool same_turn = (stage == STAGE_RCPT || stage == STAGE_DATA) &&
			 c->last_stage == STAGE_RCPT && c->question_count > 0;

	if (answer != NULL)
		*answer = (struct reply){0};
	if (c->question_count == QUESTIONS_MAXIMUM)
		collect(c);
	if (!same_turn)
		c->turn++;
	c->last_stage = stage;
	c->asked++;
	c->questions[(c->first_question + c->question_count++) % QUESTIONS_MAXIMUM] =
	    (struct question){.answer = answer,
		.stage = stage,
		.timeout_seconds = timeout_seconds,
		.turn = c->turn,
		.arena = c->answers,
		.about = c->about,
		.shown = c->verbose != NULL ? arena_strdup(c->answers, shown) : NULL};
	c->about = NULL;
}

static bool
may_wait(const struct client *c, enum client_stage stage)
{
	return c->offers.pipelining && (stage == STAGE_MAIL || stage == STAGE_RCPT ||
					   stage == STAGE_DATA || stage == STAGE_MISC);
}

void
client_ask(struct client *c, struct reply *answer, enum client_stage stage, long timeout_seconds,
    const char *format, ...)
{
	struct str command = {0};
	va_list arguments;

	*answer = (struct reply){0};
	if (c->verdict.code != 0 || c->conn == NULL)
		return;
	va_start(arguments, format);
	str_vprintf(&command, format, arguments);
	va_end(arguments);
	/* sending gets no more time than waiting for the answer */
	conn_set_deadline(c->conn, deadline_in(timeout_seconds));
	client_expect(c, answer, stage, timeout_seconds, str_text(&command));
	conn_write(c->conn, command.data, command.length);
	conn_write(c->conn, "\r\n", 2);
	str_free(&command);
	if (!may_wait(c, stage))
		client_sync(c);
}

void
client_rule(struct client *c, const char *ruleset, const char *text1, const char *text2,
    struct arena *arena, struct rule_result *result)
{
	struct rule_context context = {.config = c->config, .macros = c->macros, .arena = arena};

	*result = (struct rule_result){.answer = RULE_ACCEPT};
	if (ruleset_is_there(c->config, ruleset))
		rule_check(&context, ruleset, text1, text2, result);
}
