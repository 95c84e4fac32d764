/* After the final dot: the last checks, and the commit to the queue. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/statistics.h"
#include "server/session.h"
#include "submit/finish.h"
#include "submit/split.h"

/* The H line that says which ruleset judges this field: its own, or that of `H*`. */
static const struct header_rule *
find_rule(const struct config *config, const char *name)
{
	const struct header_rule *one, *any = NULL;

	for (one = config->headers; one != NULL; one = one->next) {
		if (one->check_ruleset == NULL)
			continue;
		if (strcmp(one->name, "*") == 0)
			any = one;
		else if (text_equal_nocase(one->name, name))
			return one;
	}
	return any;
}

/* V8: comments are taken off for $>, not for $>+. */
static char *
strip_comments(struct arena *arena, const char *value)
{
	char *out = arena_alloc(arena, strlen(value) + 1), *to = out;
	int depth = 0;
	bool quoted = false;

	for (; *value != '\0'; value++) {
		if (*value == '\\' && value[1] != '\0') {
			if (depth == 0) {
				*to++ = value[0];
				*to++ = value[1];
			}
			value++;
			continue;
		}
		if (*value == '"' && depth == 0)
			quoted = !quoted;
		if (*value == '(' && !quoted)
			depth++;
		if (depth == 0)
			*to++ = *value == '\n' || *value == '\r' ? ' ' : *value;
		if (*value == ')' && !quoted && depth > 0)
			depth--;
	}
	*to = '\0';
	return out;
}

static const char *
unfold(struct arena *arena, const char *value)
{
	char *out = arena_strdup(arena, value), *p;

	for (p = out; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return out;
}

static bool
check_field(struct session *s, const struct header *header, struct verdict *verdict)
{
	const struct header_rule *rule = find_rule(s->config, header->name);
	const char *value;
	bool is_good;

	if (rule == NULL)
		return true;
	value = unfold(s->scratch, header->value);
	session_set_message_macro(s, "hdr_name", header->name);
	session_set_message_macro(
	    s, "hdrlen", arena_printf(s->scratch, "%zu", strlen(header->value)));
	session_set_message_macro(s, "currHeader", value);
	s->shown = value;
	is_good = session_check(s, rule->check_ruleset,
	    rule->strip_comments ? strip_comments(s->scratch, value) : value, NULL, true, verdict);
	s->shown = NULL;
	return is_good;
}

/* Header rulesets (H lines with $>) and check_eoh.  False: refused, *verdict says why. */
static bool
check_headers(struct session *s, size_t header_bytes, struct verdict *verdict)
{
	const struct header *one;
	struct verdict last;
	int count = 0;
	bool is_good = true;

	session_set_message_macro(s, "addr_type", "h");
	for (one = s->envelope->headers.first; one != NULL; one = one->next) {
		count++;
		if (one->is_default || one->is_deleted)
			continue;
		if (!check_field(s, one, &last) && is_good) {
			*verdict = last;
			is_good = false;
		}
	}
	session_set_message_macro(s, "addr_type", NULL);
	if (!session_check(s, "check_eoh", arena_printf(s->scratch, "%d", count),
		arena_printf(s->scratch, "%zu", header_bytes), true, &last) &&
	    is_good) {
		*verdict = last;
		is_good = false;
	}
	return is_good;
}

/* A to= line for each recipient, as V8 logs the end of a message that it refuses. */
static void
log_refused(struct session *s, const char *why)
{
	const struct recipient *one;
	long delay = (long)(clock_now() - s->envelope->created);

	envelope_sort_recipients(s->envelope, false);
	for (one = s->envelope->recipients; one != NULL; one = one->next)
		log_at(5, LOG_INFO, "%s: to=%s, delay=%02ld:%02ld:%02ld, pri=%ld, stat=%s",
		    session_id(s), one->address, delay / 3600, delay / 60 % 60, delay % 60,
		    s->envelope->priority, milter_show(s->scratch, why));
}

static void
refuse(struct session *s, struct accepted *accepted, const struct verdict *verdict)
{
	if (accepted->body_fd >= 0)
		close(accepted->body_fd);
	queue_discard(s->context->queue, s->envelope->id);
	log_refused(s, verdict->text);
	session_reply_verdict(s, verdict);
}

static struct verdict
disk_verdict(struct session *s, int error)
{
	log_at(1, LOG_ALERT, "%s: SYSERR: cannot write ./qf%s or ./df%s: %s", session_id(s),
	    session_id(s), session_id(s), strerror(error));
	if (error == ENOSPC || error == EDQUOT)
		return verdict_make(
		    s->scratch, 452, "4.3.1", EX_TEMPFAIL, "Out of disk space for temp file");
	return verdict_make(
	    s->scratch, 451, "4.3.0", EX_TEMPFAIL, "Local error: cannot write queue file");
}

/* Size, header and hop limits, then rulesets.  False: refused. */
static bool
passes_limits(struct session *s, const struct accepted *accepted, struct verdict *verdict)
{
	const struct options *options = s->options;
	const char *size = arena_printf(s->scratch, "%lld", (long long)s->envelope->message_size);

	if (accepted->disk_error != 0) {
		*verdict = disk_verdict(s, accepted->disk_error);
		return false;
	}
	if (accepted->has_nul && options->reject_nul) {
		*verdict =
		    verdict_make(s->scratch, 554, "5.6.1", EX_DATAERR, "NUL byte not allowed");
		return false;
	}
	if (accepted->headers_too_large) {
		*verdict = verdict_make(s->scratch, 552, "5.6.0", EX_DATAERR,
		    "Headers too large (%ld max)", options->max_headers_length);
		return false;
	}
	if (accepted->is_too_large) {
		log_at(4, LOG_NOTICE, "%s: message size (%s) exceeds maximum (%ld)", session_id(s),
		    size, options->max_message_size);
		*verdict = verdict_make(s->scratch, 552, "5.2.3", EX_UNAVAILABLE,
		    "Message exceeds maximum fixed size (%ld)", options->max_message_size);
		return false;
	}
	if (options->eight_bit_mode == 's' && (s->envelope->flags & ENVELOPE_8BIT) != 0 &&
	    (s->body_type == NULL || !text_equal_nocase(s->body_type, "8BITMIME"))) {
		*verdict = verdict_make(
		    s->scratch, 554, "5.6.1", EX_DATAERR, "Eight bit data not allowed");
		return false;
	}
	if (options->max_hop_count > 0 && s->envelope->hop_count > options->max_hop_count) {
		*verdict = verdict_make(s->scratch, 554, "5.4.6", EX_UNAVAILABLE,
		    "Too many hops %d (%d max): from %s via %s, to %s", s->envelope->hop_count,
		    options->max_hop_count, s->envelope->sender, s->peer_name,
		    s->envelope->recipients->address);
		log_at(2, LOG_CRIT, "%s: SYSERR(%s): %s", session_id(s), "root", verdict->text);
		return false;
	}
	session_set_message_macro(s, "msg_size", size);
	return session_check(s, "check_eom", size, NULL, true, verdict);
}

/* V8: a message with a name that aliases may stand for is not logged as queued; other messages are. */
static bool
is_logged_as_queued(const struct session *s)
{
	if (s->context->queue->is_client)
		return true;
	for (const struct recipient *one = s->envelope->recipients; one != NULL; one = one->next) {
		if (one->mailer == NULL || mailer_has(one->mailer, 'A'))
			return false;
	}
	return true;
}

/* What nobody will try now. */
static void
log_queued(struct session *s)
{
	const struct recipient *one;
	long delay = (long)(clock_now() - s->envelope->created);

	if (!is_logged_as_queued(s))
		return;
	envelope_sort_recipients(s->envelope, false);
	for (one = s->envelope->recipients; one != NULL; one = one->next)
		log_at(9, LOG_INFO,
		    "%s: to=%s, delay=%02ld:%02ld:%02ld, mailer=%s, pri=%ld, stat=queued",
		    session_id(s), one->address, delay / 3600, delay / 60 % 60, delay % 60,
		    one->mailer != NULL ? one->mailer->name : "", s->envelope->priority);
}

static void
count_message(const struct session *s, enum statistics_event event)
{
	if (s->sender_mailer != NULL)
		statistics_count_message(
		    event, s->sender_mailer->number, (long)s->envelope->message_size);
	statistics_post(s->options->status_file);
}

static void
announce(struct session *s, const char *id, const struct clones *splits, char mode)
{
	s->context->committed(s->context->context, id, mode);
	for (size_t i = 0; i < splits->count; i++)
		s->context->committed(s->context->context, splits->envelopes[i]->id, mode);
}

static void
commit(struct session *s, struct accepted *accepted)
{
	struct envelope *envelope = s->envelope;
	char mode =
	    s->context->delivery_mode != 0 ? s->context->delivery_mode : s->options->delivery_mode;
	const char *id = arena_strdup(s->scratch, envelope->id);
	struct rule_context rules;
	struct clones splits;
	int result, saved;

	if (s->link->port != NULL && s->link->port->delivery_mode != 0)
		mode = s->link->port->delivery_mode;
	if (s->delivery_mode != 0)
		mode = s->delivery_mode;
	session_rule_context(s, &rules);
	split_make(&rules, envelope, &splits);
	result = split_commit_all(s->context->queue, envelope, &splits, accepted->body_fd);
	saved = errno;
	accepted->body_fd = -1; /* it was the queue's to close */
	if (result != 0) {
		struct verdict verdict = disk_verdict(s, saved);

		refuse(s, accepted, &verdict);
		return;
	}
	count_message(s, envelope->quarantine != NULL ? STATISTICS_QUARANTINED : STATISTICS_FROM);
	if (mode != 'b' && mode != 'i')
		log_queued(s);
	/* V8: the delivery is under way when the client reads this */
	if (s->context->committed != NULL && (mode == 'b' || mode == 'i') &&
	    envelope->quarantine == NULL)
		announce(s, id, &splits, mode);
	clone_destroy(&splits);
	session_reply(s, 250, "2.0.0", "%s Message accepted for delivery", id);
}

void
accept_message(struct session *s, struct accepted *accepted)
{
	struct envelope *envelope = s->envelope;
	struct finish_sender sender = {
	    .address = s->sender != NULL ? s->sender : "", .full_name = s->full_name};
	struct verdict header_verdict, verdict;
	bool headers_good;

	if (accepted->headers_too_large)
		log_at(4, LOG_NOTICE,
		    "%s: headers too large (%ld max) from %s during message collect", session_id(s),
		    s->options->max_headers_length, s->peer_name);
	headers_good = check_headers(s, accepted->header_bytes, &header_verdict);
	finish_set_recipient(envelope, s->config, s->message_macros);
	if (s->listed_recipients > 1)
		session_set_message_macro(s, "u", NULL);
	finish_header(envelope, s->config, s->message_macros, &sender);
	finish_envelope(envelope, s->config, s->recipient_count);
	if (envelope->quarantine != NULL)
		envelope->flags &= ~(unsigned)ENVELOPE_SPLIT; /* V8: set when it is sent first */
	session_log_from(s);
	/* V8: what was declared as 8 bits and is not is queued as what it is */
	if (envelope->body_type != NULL && (envelope->flags & ENVELOPE_8BIT) == 0 &&
	    s->link->kind != SERVER_LOCAL)
		envelope->body_type = "7BIT";
	if (!passes_limits(s, accepted, &verdict)) {
		refuse(s, accepted, &verdict);
	} else if (!headers_good) {
		refuse(s, accepted, &header_verdict);
	} else if (!s->is_discarded && !session_filter_message(s, accepted, &verdict)) {
		refuse(s, accepted, &verdict);
	} else if (s->is_discarded || envelope->recipients == NULL) {
		milter_abort(s->filters);
		close(accepted->body_fd);
		queue_discard(s->context->queue, envelope->id);
		log_at(3, LOG_INFO, "%s: discarded", session_id(s));
		count_message(s, STATISTICS_DISCARDED);
		session_reply(s, 250, "2.0.0", "%s Message accepted for delivery", session_id(s));
	} else {
		commit(s, accepted);
	}
}
