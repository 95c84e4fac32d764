/* A message that was received whole: header, body and end, to one filter after the other. */
#include "stage.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { READ_SIZE = 32 * 1024 };

static const struct stage header_stage = {.name = "header",
    .command = MILTER_HEADER,
    .silent = MILTER_SILENT_HEADER,
    .is_of_message = true};
static const struct stage end_header_stage = {.name = "eoh",
    .command = MILTER_END_HEADER,
    .silent = MILTER_SILENT_END_HEADER,
    .is_of_message = true};
static const struct stage body_stage = {
    .name = "body", .command = MILTER_BODY, .silent = MILTER_SILENT_BODY, .is_of_message = true};
static const struct stage last_body_stage = {.name = "body",
    .command = MILTER_BODY,
    .silent = MILTER_SILENT_BODY,
    .is_of_message = true,
    .where = "last body chunk"};

struct sending {
	struct milters *all;
	struct filter *filter;
	const struct milter_message *message;
	struct milter_result *result;
};

/* One command; true: go on with this filter. */
static bool
ask(struct sending *s, const struct stage *stage, const struct str *data)
{
	return stage_ask(s->all, s->filter, stage, data, s->result) &&
	       s->result->answer == MILTER_GOES_ON && s->filter->state != FILTER_FAILED;
}

static bool
send_headers(struct sending *s)
{
	const char *name = s->filter->conf->name;
	bool goes_on = true, keeps_space = (s->filter->protocol & MILTER_LEADING_SPACE) != 0;

	if ((s->filter->protocol & MILTER_NO_HEADERS) != 0)
		return true;
	milter_log(s->all, 18, LOG_INFO, "Milter (%s): headers, send", name);
	for (const struct header *one = s->message->headers->first; one != NULL && goes_on;
	     one = one->next) {
		struct str data = {0};

		if (one->is_default || one->is_deleted)
			continue;
		milter_log(s->all, 22, LOG_INFO, "Milter (%s): header, %s", name, one->name);
		milter_add_text(&data, one->name);
		milter_add_text(&data, one->value + (!keeps_space && one->value[0] == ' ' ? 1 : 0));
		goes_on = ask(s, &header_stage, &data);
		str_free(&data);
	}
	if (goes_on)
		milter_log(s->all, 18, LOG_INFO, "Milter (%s): headers, sent", name);
	return goes_on;
}

static bool
send_end_of_header(struct sending *s)
{
	struct str nothing = {0};

	if ((s->filter->protocol & MILTER_NO_END_HEADER) != 0)
		return true;
	filter_tell_macros(s->all, s->filter, FILTER_EOH, MILTER_END_HEADER);
	if (s->filter->state == FILTER_FAILED) {
		s->result->answer = filter_policy(s->filter);
		return false;
	}
	return ask(s, &end_header_stage, &nothing);
}

/* Adds bytes of a df with lines that end in CR LF; *last is the byte before them. */
static void
add_lines(struct str *chunk, const char *bytes, size_t length, char *last)
{
	for (; length > 0; length--, bytes++) {
		if (*bytes == '\n' && *last != '\r')
			str_add_char(chunk, '\r');
		str_add_char(chunk, *bytes);
		*last = *bytes;
	}
}

/* Sends the first bytes of what is there, and keeps the rest. */
static bool
send_chunk(struct sending *s, struct str *chunk, size_t length, bool is_last)
{
	struct str piece = {.data = chunk->data, .length = length};
	bool goes_on = ask(s, is_last ? &last_body_stage : &body_stage, &piece);

	memmove(chunk->data, chunk->data + length, chunk->length - length);
	str_truncate(chunk, chunk->length - length);
	return goes_on;
}

static bool
send_body(struct sending *s)
{
	struct str chunk = {0};
	bool goes_on = true, is_told = false;
	char bytes[READ_SIZE], last = '\0';
	off_t offset = 0;
	ssize_t got;

	if ((s->filter->protocol & MILTER_NO_BODY) != 0 || s->filter->skips)
		return true;
	while (goes_on && !s->filter->skips &&
	       ((got = pread(s->message->body_fd, bytes, sizeof bytes, offset)) > 0 ||
		   (got < 0 && errno == EINTR))) {
		if (!is_told)
			milter_log(
			    s->all, 18, LOG_INFO, "Milter (%s): body, send", s->filter->conf->name);
		is_told = true;
		if (got < 0)
			continue;
		offset += got;
		add_lines(&chunk, bytes, (size_t)got, &last);
		while (goes_on && !s->filter->skips && chunk.length > MILTER_CHUNK)
			goes_on = send_chunk(s, &chunk, MILTER_CHUNK, false);
	}
	if (goes_on && !s->filter->skips && chunk.length > 0)
		goes_on = send_chunk(s, &chunk, chunk.length, true);
	if (goes_on && is_told)
		milter_log(s->all, 18, LOG_INFO, "Milter (%s): body, sent", s->filter->conf->name);
	str_free(&chunk);
	return goes_on;
}

/* ---- changes ---- */

/* One kind of change; false: malformed, and left out. */
typedef void take_change(struct sending *, struct milter_packet *);

static void
take_add_header(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;
	const char *name, *value;
	bool keeps_space = (s->filter->protocol & MILTER_LEADING_SPACE) != 0;
	char letter = packet->letter;
	uint32_t index = 0;

	if (letter != MILTER_ADD_HEADER && !milter_take_number(packet, &index))
		return;
	if (!milter_take_text(packet, &name) || *name == '\0' || !milter_take_text(packet, &value))
		return;
	/* no value takes a field away, which a blank would be in the way of */
	if (!keeps_space && (letter != MILTER_CHANGE_HEADER || *value != '\0'))
		value = arena_printf(s->all->scratch, " %s", value);
	if (letter == MILTER_ADD_HEADER)
		changes->add_header(changes->context, s->filter->conf->name, name, value);
	else if (letter == MILTER_INSERT_HEADER)
		changes->insert_header(changes->context, s->filter->conf->name, index, name, value);
	else
		changes->change_header(changes->context, s->filter->conf->name, index, name, value);
}

static void
take_add_recipient(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;
	const char *address, *parameters = "";

	if (!milter_take_text(packet, &address) || *address == '\0')
		return;
	if (packet->letter == MILTER_ADD_RECIPIENT_WITH)
		milter_take_text(packet, &parameters);
	changes->add_recipient(changes->context, s->filter->conf->name, address, parameters);
}

static void
take_delete_recipient(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;
	const char *address;

	if (milter_take_text(packet, &address) && *address != '\0')
		changes->delete_recipient(changes->context, s->filter->conf->name, address);
}

static void
take_change_sender(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;
	const char *address, *parameters = "";

	if (!milter_take_text(packet, &address) || *address == '\0')
		return;
	milter_take_text(packet, &parameters);
	changes->change_sender(changes->context, s->filter->conf->name, address, parameters);
}

static void
take_quarantine(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;
	const char *reason;

	if (milter_take_text(packet, &reason) && *reason != '\0')
		changes->quarantine(changes->context, s->filter->conf->name, reason);
}

static void
take_body(struct sending *s, struct milter_packet *packet)
{
	const struct milter_changes *changes = &s->message->changes;

	changes->replace_body(changes->context, packet->at, packet->left);
}

static const struct change_row {
	char letter;
	uint32_t needs; /* that was agreed upon */
	take_change *take;
	const char *lie;
} changes[] = {
    {MILTER_ADD_HEADER, MILTER_MAY_ADD_HEADERS, take_add_header, ": lied about adding headers"},
    {MILTER_INSERT_HEADER, MILTER_MAY_ADD_HEADERS, take_add_header, ": lied about adding headers"},
    {MILTER_CHANGE_HEADER, MILTER_MAY_CHANGE_HEADERS, take_add_header,
	": lied about changing headers"},
    {MILTER_ADD_RECIPIENT, MILTER_MAY_ADD_RECIPIENTS, take_add_recipient,
	" lied about adding recipients"},
    {MILTER_ADD_RECIPIENT_WITH, MILTER_MAY_ADD_RECIPIENTS_WITH, take_add_recipient,
	" lied about adding recipients with parameters"},
    {MILTER_DELETE_RECIPIENT, MILTER_MAY_DELETE_RECIPIENTS, take_delete_recipient,
	": lied about removing recipients"},
    {MILTER_CHANGE_SENDER, MILTER_MAY_CHANGE_SENDER, take_change_sender,
	" lied about changing sender"},
    {MILTER_QUARANTINE, MILTER_MAY_QUARANTINE, take_quarantine, ": lied about quarantining"},
    {MILTER_REPLACE_BODY, MILTER_MAY_CHANGE_BODY, take_body, NULL},
};

enum change { CHANGE_NONE, CHANGE_OTHER, CHANGE_BODY, CHANGE_BODY_REFUSED };

static enum change
make_change(struct sending *s, struct milter_packet *packet)
{
	const char *name = s->filter->conf->name;

	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		const struct change_row *row = &changes[i];
		bool is_agreed = (s->filter->actions & row->needs) != 0;

		if (row->letter != packet->letter)
			continue;
		if (!is_agreed && row->lie == NULL) {
			milter_log(s->all, 1, LOG_ERR,
			    "milter_data(%s): lied about replacing body, rejecting request and "
			    "tempfailing message",
			    name);
			return CHANGE_BODY_REFUSED;
		}
		if (!is_agreed)
			milter_log(s->all, 10, LOG_WARNING,
			    "milter_data(%s)%s, honoring request anyway", name, row->lie);
		row->take(s, packet);
		return row->lie == NULL ? CHANGE_BODY : CHANGE_OTHER;
	}
	return CHANGE_NONE;
}

/* The filter's changes up to its answer. */
static void
take_changes(struct sending *s, bool *has_body, bool *lied)
{
	int64_t end = deadline_in(s->filter->conf->end_seconds);
	const char *name = s->filter->conf->name;
	struct milter_packet packet;
	enum change change;

	for (;;) {
		arena_reset(s->all->scratch);
		if (deadline_passed(end)) {
			milter_log(
			    s->all, 1, LOG_ERR, "milter_data(%s): EOM ACK/NAK timeout", name);
			filter_fail(s->all, s->filter);
		}
		if (s->filter->state == FILTER_FAILED ||
		    !filter_receive(s->all, s->filter, &packet, "eom")) {
			s->result->answer = filter_policy(s->filter);
			return;
		}
		change = packet.letter == MILTER_PROGRESS ? CHANGE_OTHER : make_change(s, &packet);
		*has_body |= change == CHANGE_BODY;
		*lied |= change == CHANGE_BODY_REFUSED;
		if (change != CHANGE_NONE)
			continue;
		if (!stage_take_answer(s->all, s->filter, &packet, "", s->result)) {
			milter_log(s->all, 1, LOG_ERR,
			    "milter_data(%s): returned bogus response %c", name, packet.letter);
			filter_fail(s->all, s->filter);
			s->result->answer = filter_policy(s->filter);
		}
		return;
	}
}

static void
end_message(struct sending *s)
{
	const struct milter_changes *change = &s->message->changes;
	bool has_body = false, lied = false;

	filter_tell_macros(s->all, s->filter, FILTER_EOM, MILTER_END);
	if (s->filter->state == FILTER_FAILED ||
	    !filter_send(s->all, s->filter, MILTER_END, "", 0)) {
		s->result->answer = filter_policy(s->filter);
		return;
	}
	take_changes(s, &has_body, &lied);
	if (lied && s->result->answer == MILTER_GOES_ON)
		s->result->answer = MILTER_PUT_OFF;
	if (has_body)
		change->end_body(change->context, s->filter->conf->name,
		    s->filter->state != FILTER_FAILED && s->result->answer == MILTER_GOES_ON);
}

void
milter_message(
    struct milters *all, const struct milter_message *message, struct milter_result *result)
{
	*result = (struct milter_result){.answer = MILTER_GOES_ON};
	for (size_t i = 0; all != NULL && i < all->count && result->answer == MILTER_GOES_ON; i++) {
		struct filter *filter = &all->filters[i];
		struct sending sending = {
		    .all = all, .filter = filter, .message = message, .result = result};

		arena_reset(all->scratch);
		if (filter->state == FILTER_FAILED)
			result->answer = filter_policy(filter);
		if (filter->state != FILTER_IN_MESSAGE)
			continue;
		if (send_headers(&sending) && send_end_of_header(&sending) && send_body(&sending))
			end_message(&sending);
		/* those behind it are told below that nothing comes of it */
		if (filter->state == FILTER_IN_MESSAGE)
			filter->state = FILTER_DONE;
	}
	if (all == NULL)
		return;
	milter_abort(all);
	if (result->answer == MILTER_REFUSED)
		milter_log(all, 11, LOG_INFO, "Milter: reject, data");
}
