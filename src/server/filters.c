/* Mail filters at each command, and what their answers mean to the client. */
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "milter/milter.h"
#include "net/address.h"
#include "server/session.h"

static const char *
look_up_macro(void *context, const char *name)
{
	const struct session *s = context;

	return config_macro(s->config, s->message_macros, name);
}

static const char *
name_message(void *context)
{
	return session_id(context);
}

/* What a refusal is where the filter did not say it. */
struct refusal {
	int code;
	const char *dsn;
};
static const struct refusal of_session = {550, "5.0.0"}, of_command = {550, "5.7.1"},
			    of_message = {554, "5.7.1"};

static struct verdict
translate(struct session *s, const struct milter_result *result, const struct refusal *refusal)
{
	switch (result->answer) {
	case MILTER_REFUSED:
		return verdict_make(
		    s->arena, refusal->code, refusal->dsn, EX_UNAVAILABLE, "Command rejected");
	case MILTER_REPLIED:
		return result->verdict;
	case MILTER_CLOSES:
		return verdict_make(s->arena, 421, "4.7.0", EX_TEMPFAIL, "%s closing connection",
		    session_macro(s, "j"));
	default:
		return verdict_make(s->arena, 451, "4.3.2", EX_TEMPFAIL, "Please try again later");
	}
}

static void
log_answer(struct session *s, const char *what, const struct milter_result *result,
    const struct verdict *verdict)
{
	if (result->answer == MILTER_DISCARDED)
		milter_log(s->filters, 4, LOG_INFO, "Milter: %s, discard", what);
	else if (result->answer == MILTER_REPLIED)
		milter_log(s->filters, 4, LOG_INFO, "Milter: %s, reject=%s", what, result->reply);
	else
		milter_log(s->filters, 4, LOG_INFO, "Milter: %s, reject=%d %s %s", what,
		    verdict->code, verdict->dsn, verdict->text);
}

/* True: the mail goes on, or is to be discarded; false: *verdict is the refusal. */
static bool
take_answer(struct session *s, const char *what, const struct milter_result *result,
    const struct refusal *refusal, struct verdict *verdict)
{
	if (result->answer == MILTER_GOES_ON)
		return true;
	if (result->answer == MILTER_DISCARDED) {
		log_answer(s, what, result, verdict);
		s->is_discarded = true;
		return true;
	}
	*verdict = translate(s, result, refusal);
	log_answer(s, what, result, verdict);
	return false;
}

/* V8: the address at hand stands in front of a refusal, but for a few codes. */
static void
name_subject(struct session *s, const char *address, struct verdict *verdict)
{
	if (verdict->code != 551 && verdict->code != 251 && verdict->code != 451 &&
	    verdict->code != 421)
		verdict->text = arena_printf(s->scratch, "%s... %s", address, verdict->text);
}

/* From now on this answers most commands. */
static void
refuse_session(struct session *s, const struct verdict *verdict)
{
	s->refusal = REFUSAL_RULE;
	s->refusal_verdict = *verdict;
	s->refusal_verdict.text = arena_strdup(s->arena, verdict->text);
}

/* What an answer to the connection means; false: greeted with a refusal. */
static bool
settle_connection(struct session *s, const struct milter_result *result)
{
	int code = result->answer == MILTER_REPLIED   ? result->verdict.code
		   : result->answer == MILTER_CLOSES  ? 421
		   : result->answer == MILTER_PUT_OFF ? 451
						      : 550;
	const char *what = code == 421	? "shutdown"
			   : code < 500 ? "temp failing commands"
					: "rejecting commands";
	struct verdict verdict;

	if (s->filters_failed.answer == MILTER_GOES_ON)
		milter_log(s->filters, 4, LOG_INFO, "Milter: connect: host=%s, addr=%s, %s",
		    s->peer_name, s->peer_address, what);
	milter_close(s->filters);
	s->filters = NULL;
	if (code == 421) {
		session_end(s, "4.7.0", "%s closing connection", session_macro(s, "j"));
		return false;
	}
	if (code < 500) {
		s->filters_put_off = true;
		return true;
	}
	session_reply(s, 554, NULL, "%s ESMTP not accepting messages", session_macro(s, "j"));
	verdict = verdict_make(s->arena, 550, "5.0.0", EX_UNAVAILABLE, "Command rejected");
	refuse_session(s, &verdict);
	return false;
}

static const struct sockaddr *
peer_address(struct session *s, struct net_address *peer)
{
	peer->length = sizeof peer->storage;
	/* what comes in by the local socket takes the place of mail that the client queue hands on by SMTP */
	if (s->link->kind == SERVER_LOCAL)
		return address_parse("127.0.0.1", peer) ? (struct sockaddr *)&peer->storage : NULL;
	if (getpeername(s->link->input_fd, (struct sockaddr *)&peer->storage, &peer->length) != 0)
		return NULL;
	return (struct sockaddr *)&peer->storage;
}

void
session_open_filters(struct session *s, const char *list)
{
	struct milter_host host = {.context = s, .macro = look_up_macro, .id = name_message};

	if (list != NULL && *list != '\0')
		s->filters = milter_open(s->config, list, &host, &s->filters_failed);
	if (s->filters == NULL && s->link->kind != SERVER_LOCAL)
		log_at(11, LOG_INFO, "%s: Milter: no active filter", session_id(s));
}

bool
session_filter_connect(struct session *s)
{
	struct net_address peer;
	struct milter_result result = s->filters_failed;

	if (s->filters == NULL)
		return true;
	if (result.answer == MILTER_GOES_ON)
		milter_connect(s->filters, s->peer_name, peer_address(s, &peer), &result);
	return result.answer == MILTER_GOES_ON || settle_connection(s, &result);
}

void
session_filter_helo(struct session *s)
{
	struct milter_result result;
	struct verdict verdict;

	if (s->filters == NULL || s->refusal != REFUSAL_NONE || s->filters_put_off)
		return;
	milter_helo(s->filters, s->helo, &result);
	if (take_answer(
		s, arena_printf(s->scratch, "helo=%s", s->helo), &result, &of_session, &verdict))
		return;
	if (result.answer == MILTER_PUT_OFF)
		s->filters_put_off = true;
	else if (result.answer == MILTER_CLOSES)
		session_reply_verdict(s, &verdict);
	else
		refuse_session(s, &verdict);
}

const char *const *
session_list_parameters(struct session *s, const char *rest)
{
	size_t count = 0, capacity = strlen(rest) / 2 + 2;
	const char **list = ARENA_ARRAY(s->scratch, const char *, capacity);

	while (*(rest += strspn(rest, " \t")) != '\0') {
		size_t length = strcspn(rest, " \t");

		list[count++] = arena_memdup(s->scratch, rest, length);
		rest += length;
	}
	return list;
}

bool
session_filter_mail(
    struct session *s, const char *address, const char *const *parameters, struct verdict *verdict)
{
	struct milter_result result;

	session_set_message_macro(s, "nrcpts", "0");
	session_set_message_macro(s, "nbadrcpts", "0");
	if (s->filters == NULL || s->is_discarded)
		return true;
	milter_mail(s->filters, address, parameters, &result);
	if (take_answer(
		s, arena_printf(s->scratch, "from=%s", address), &result, &of_command, verdict))
		return true;
	name_subject(s, address, verdict);
	return false;
}

bool
session_filter_rcpt(
    struct session *s, const char *address, const char *const *parameters, struct verdict *verdict)
{
	struct milter_result result;

	if (s->filters == NULL || s->is_discarded)
		return true;
	milter_rcpt(s->filters, address, parameters, false, &result);
	if (take_answer(
		s, arena_printf(s->scratch, "to=%s", address), &result, &of_command, verdict))
		return true;
	name_subject(s, address, verdict);
	return false;
}

void
session_filter_refused_rcpt(struct session *s, const char *address, const char *const *parameters)
{
	struct milter_result result;
	struct verdict verdict = s->last_reply;

	if (!milter_wants_rejected(s->filters) || s->is_discarded)
		return;
	session_set_message_macro(s, "rcpt_mailer", "error");
	session_set_message_macro(s, "rcpt_host", verdict.dsn);
	session_set_message_macro(s, "rcpt_addr",
	    arena_printf(s->scratch, "%d %s %s", verdict.code, verdict.dsn, verdict.text));
	session_set_message_macro(
	    s, "nbadrcpts", arena_printf(s->scratch, "%d", s->bad_recipients + 1));
	milter_rcpt(s->filters, address, parameters, true, &result);
}

bool
session_filter_data(struct session *s, struct verdict *verdict)
{
	struct milter_result result;

	if (s->filters == NULL || s->is_discarded)
		return true;
	milter_data(s->filters, &result);
	return take_answer(s, "cmd=data", &result, &of_command, verdict);
}

bool
session_filter_unknown(struct session *s, const char *line)
{
	struct milter_result result;
	struct verdict verdict;

	if (s->filters == NULL || s->refusal != REFUSAL_NONE)
		return true;
	milter_unknown(s->filters, line, &result);
	if (result.answer == MILTER_DISCARDED ||
	    take_answer(s, arena_printf(s->scratch, "unknown=%.200s", line), &result, &of_command,
		&verdict))
		return true;
	session_reply_verdict(s, &verdict);
	return false;
}

bool
session_filter_message(struct session *s, struct accepted *accepted, struct verdict *verdict)
{
	struct milter_message message = {
	    .headers = &s->envelope->headers, .body_fd = accepted->body_fd};
	struct milter_result result;
	struct filter_changes *changes;

	if (s->filters == NULL)
		return true;
	changes = filter_changes_begin(s, accepted, &message.changes);
	milter_message(s->filters, &message, &result);
	filter_changes_end(changes);
	if (!take_answer(s, "data", &result, &of_message, verdict))
		return false;
	if (!s->is_discarded)
		milter_log(s->filters, 10, LOG_INFO, "Milter accept: message");
	return true;
}
