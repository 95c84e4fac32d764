/* What mail filters change in a message: header fields, recipients, the sender, the body. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"
#include "milter/milter.h"
#include "server/session.h"

enum { COPY_SIZE = 32 * 1024 };

struct filter_changes {
	struct session *session;
	struct accepted *accepted;
	off_t old_size, new_size; /* of the body; a new one grows behind the old */
	bool has_body, ends_in_cr, has_8bit;
};

/* ---- header ---- */

/* A value for the header: CR goes, and a line break stays where it folds. */
static const char *
clean_value(struct arena *arena, const char *value)
{
	char *out = arena_strdup(arena, value), *to = out;

	for (const char *from = out; *from != '\0'; from++) {
		if (*from == '\r')
			continue;
		*to++ = *from == '\n' && from[1] != ' ' && from[1] != '\t' ? ' ' : *from;
	}
	*to = '\0';
	return out;
}

static bool
is_field_name(const char *name)
{
	for (; *name != '\0'; name++) {
		if ((unsigned char)*name <= ' ' || (unsigned char)*name > 126 || *name == ':')
			return false;
	}
	return true;
}

/* What stands behind the colon, without the blank that we put there for the filter. */
static const char *
shown(struct session *s, const char *value)
{
	return milter_show(s->scratch, *value == ' ' ? value + 1 : value);
}

/* The H line of a default field that filters may change; V8: Received is only ever added to. */
static const struct header_rule *
find_default(const struct config *config, const char *name)
{
	const struct header_rule *rule = config->headers;

	if (text_equal_nocase(name, "Received"))
		return NULL;
	while (rule != NULL && (rule->template == NULL || !text_equal_nocase(rule->name, name)))
		rule = rule->next;
	return rule;
}

/*
 * Steps over one field as V8 counts them: it keeps a place for each H line, also where the message has no field of it.
 * *rule is the next H line.
 */
static struct header **
step(struct header **place, const struct header_rule **rule)
{
	while (*rule != NULL && (*rule)->template == NULL)
		*rule = (*rule)->next;
	if (*rule != NULL) {
		bool is_its_own = *place != NULL && (*place)->is_default &&
				  text_equal_nocase((*place)->name, (*rule)->name);

		if (*place != NULL && !(*place)->is_default)
			return &(*place)->next;
		*rule = (*rule)->next;
		return is_its_own ? &(*place)->next : place;
	}
	return *place != NULL ? &(*place)->next : place;
}

/* The link in front of which a field of this H line stands, or would. */
static struct header **
find_place_of_rule(struct session *s, const struct header_rule *wanted)
{
	struct header **place = &s->envelope->headers.first;
	const struct header_rule *rule = s->config->headers;

	while (rule != NULL && rule != wanted)
		place = step(place, &rule);
	return place;
}

/* A default field gets this value, whether the message had it or not; it counts as the message's own then. */
static void
set_default(struct session *s, const struct header_rule *rule, const char *value)
{
	struct envelope *envelope = s->envelope;
	struct header **place = find_place_of_rule(s, rule), *header = *place;

	if (header == NULL || !header->is_default || !text_equal_nocase(header->name, rule->name))
		header = header_insert(&envelope->headers, envelope->arena, place, rule->name, "");
	header->mailer_flags = rule->mailer_flags;
	header->value = clean_value(envelope->arena, value);
	header->is_default = false;
}

static struct header *
find_default_field(struct session *s, const char *name)
{
	struct header *one = s->envelope->headers.first;

	while (one != NULL && (!one->is_default || !text_equal_nocase(one->name, name)))
		one = one->next;
	return one;
}

static void
add_in_front_of_its_like(struct session *s, const char *name, const char *value)
{
	struct envelope *envelope = s->envelope;
	struct header **place = &envelope->headers.first;

	while (*place != NULL && !text_equal_nocase((*place)->name, name))
		place = &(*place)->next;
	header_insert(&envelope->headers, envelope->arena, place,
	    arena_strdup(envelope->arena, name), clean_value(envelope->arena, value));
}

static bool
may_be_field(struct session *s, const char *filter, const char *name)
{
	if (is_field_name(name))
		return true;
	milter_log(s->filters, 4, LOG_WARNING, "Milter (%s): %s is no name of a header field",
	    filter, milter_show(s->scratch, name));
	return false;
}

/* Has the field that this H line makes, or would have made, no value by a filter yet? */
static bool
is_untouched(struct session *s, const struct header_rule *rule)
{
	const struct header *at = *find_place_of_rule(s, rule);

	return at == NULL || at->is_default || flag_set_is_empty(&at->mailer_flags) ||
	       !text_equal_nocase(at->name, rule->name);
}

static void
add_header(void *context, const char *filter, const char *name, const char *value)
{
	struct session *s = ((struct filter_changes *)context)->session;
	const struct header_rule *rule = find_default(s->config, name);

	if (!may_be_field(s, filter, name))
		return;
	/* V8: a default that was not changed yet gives way to it */
	if (rule != NULL && is_untouched(s, rule)) {
		milter_log(s->filters, 9, LOG_INFO,
		    "Milter (%s) change: default header %s value with %s", filter, name,
		    shown(s, value));
		set_default(s, rule, value);
		return;
	}
	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) add: header: %s: %s", filter, name,
	    shown(s, value));
	add_in_front_of_its_like(s, name, value);
}

static void
insert_header(void *context, const char *filter, size_t index, const char *name, const char *value)
{
	struct session *s = ((struct filter_changes *)context)->session;
	struct envelope *envelope = s->envelope;
	struct header **place = &envelope->headers.first;
	const struct header_rule *rule = s->config->headers;

	if (!may_be_field(s, filter, name))
		return;
	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) insert (%zu): header: %s: %s", filter,
	    index, name, shown(s, value));
	/* V8: Return-Path stays the first */
	if (rule != NULL && text_equal_nocase(rule->name, "Return-Path"))
		place = step(place, &rule);
	for (; index > 0 && (*place != NULL || rule != NULL); index--)
		place = step(place, &rule);
	header_insert(&envelope->headers, envelope->arena, place,
	    arena_strdup(envelope->arena, name), clean_value(envelope->arena, value));
}

/* The index-th field of that name; those that were taken away count. */
static struct header *
find_field(struct session *s, size_t index, const char *name)
{
	struct header *one;

	for (one = s->envelope->headers.first; one != NULL; one = one->next) {
		if (!one->is_default && text_equal_nocase(one->name, name) && index-- <= 1)
			return one;
	}
	return NULL;
}

static void
change_header(void *context, const char *filter, size_t index, const char *name, const char *value)
{
	struct session *s = ((struct filter_changes *)context)->session;
	struct header *field = find_field(s, index, name);
	const struct header_rule *rule = index <= 1 ? find_default(s->config, name) : NULL;
	bool is_default = field == NULL && rule != NULL && find_default_field(s, name) != NULL;
	const char *note = is_default ? "(default header) " : "";

	if (!may_be_field(s, filter, name))
		return;
	if (is_default)
		field = find_default_field(s, name);
	if (*value == '\0') {
		if (field == NULL || field->is_deleted)
			return;
		milter_log(s->filters, 9, LOG_INFO, "Milter (%s) delete: header %s%s: %s", filter,
		    note, name, shown(s, field->value));
		field->is_deleted = true;
	} else if (field != NULL) {
		milter_log(s->filters, 9, LOG_INFO,
		    "Milter (%s) change: header %s%s: from %s to %s", filter, note, name,
		    milter_show(s->scratch, field->value), shown(s, value));
		field->value = clean_value(s->envelope->arena, value);
		field->is_default = field->is_deleted = false;
	} else {
		milter_log(s->filters, 9, LOG_INFO, "Milter (%s) change (add): header: %s: %s",
		    filter, name, shown(s, value));
		if (rule != NULL)
			set_default(s, rule, value);
		else
			add_in_front_of_its_like(s, name, value);
	}
}

/* ---- envelope ---- */

static void
add_recipient(void *context, const char *filter, const char *address, const char *parameters)
{
	struct session *s = ((struct filter_changes *)context)->session;

	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) add: rcpt: %s", filter,
	    milter_show(s->scratch, address));
	s->is_quiet = true;
	if (!session_add_recipient(s, address, arena_strdup(s->scratch, parameters)))
		milter_log(s->filters, 4, LOG_WARNING, "Milter (%s) add: rcpt: %s: not added: %s",
		    filter, milter_show(s->scratch, address),
		    milter_show(s->scratch, s->last_reply.text));
	s->is_quiet = false;
}

static void
delete_recipient(void *context, const char *filter, const char *address)
{
	struct session *s = ((struct filter_changes *)context)->session;
	bool is_there;

	s->is_quiet = true;
	is_there = session_delete_recipient(s, address);
	s->is_quiet = false;
	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) delete: rcpt %s, naddrs=%d", filter,
	    milter_show(s->scratch, address), is_there);
}

/* The sender's parameters are replaced when there are any, and stay otherwise. */
static void
take_sender_parameters(struct session *s, const char *parameters)
{
	struct envelope *envelope = s->envelope;
	off_t size = envelope->message_size;

	if (*(parameters = text_skip_space(parameters)) == '\0')
		return;
	envelope->envid = envelope->auth = NULL;
	envelope->flags &= ~(unsigned)(ENVELOPE_HAS_RET | ENVELOPE_NO_BODY_RETURN);
	session_take_mail_parameters(s, arena_strdup(s->scratch, parameters));
	envelope->message_size = size; /* it is known better than SIZE= says */
}

static void
change_sender(void *context, const char *filter, const char *address, const char *parameters)
{
	struct session *s = ((struct filter_changes *)context)->session;
	const char *old = s->envelope->sender;

	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) chgfrom: %s", filter,
	    milter_show(s->scratch, address));
	s->is_quiet = true;
	if (session_read_sender(s, address)) {
		take_sender_parameters(s, parameters);
	} else {
		/* V8 makes it MAILER-DAEMON; a report of this message had nowhere to go then */
		milter_log(s->filters, 3, LOG_WARNING,
		    "setsender: %s: invalid or unparsable, received from %s",
		    milter_show(s->scratch, address), s->peer);
		session_read_sender(s, old);
	}
	s->is_quiet = false;
}

static void
quarantine(void *context, const char *filter, const char *reason)
{
	struct session *s = ((struct filter_changes *)context)->session;
	struct envelope *envelope = s->envelope;

	milter_log(s->filters, 4, LOG_INFO, "milter=%s, quarantine=%s", filter,
	    milter_show(s->scratch, reason));
	envelope->quarantine = session_clean(envelope->arena, reason);
	envelope->flags &= ~(unsigned)ENVELOPE_SPLIT;
	session_set_message_macro(s, "quarantine", envelope->quarantine);
}

/* ---- body ---- */

static void
write_body(struct filter_changes *changes, const char *bytes, size_t length)
{
	if (changes->accepted->disk_error == 0 &&
	    !io_write(changes->accepted->body_fd, bytes, length))
		changes->accepted->disk_error = errno;
	changes->new_size += (off_t)length;
}

static void
replace_body(void *context, const char *bytes, size_t length)
{
	struct filter_changes *changes = context;
	size_t start = 0, i;

	if (!changes->has_body) {
		changes->has_body = true;
		changes->new_size = 0;
		changes->old_size = lseek(changes->accepted->body_fd, 0, SEEK_END);
		changes->ends_in_cr = changes->has_8bit = false;
	}
	for (i = 0; i < length; i++) {
		changes->has_8bit |= (unsigned char)bytes[i] > 127;
		/* of CR LF the CR goes, also where it ended the piece before */
		if (changes->ends_in_cr && bytes[i] != '\n')
			write_body(changes, "\r", 1);
		changes->ends_in_cr = bytes[i] == '\r';
		if (changes->ends_in_cr) {
			write_body(changes, bytes + start, i - start);
			start = i + 1;
		}
	}
	write_body(changes, bytes + start, length - start);
}

/* Moves the new body to the start of the file; false and errno. */
static bool
move_down(const struct filter_changes *changes)
{
	int fd = changes->accepted->body_fd;
	char bytes[COPY_SIZE];
	off_t at = 0;

	while (at < changes->new_size) {
		ssize_t got = pread(fd, bytes, sizeof bytes, changes->old_size + at);

		if (got <= 0 || lseek(fd, at, SEEK_SET) < 0 || !io_write(fd, bytes, (size_t)got))
			return false;
		at += got;
	}
	return ftruncate(fd, changes->new_size) == 0 && lseek(fd, 0, SEEK_END) >= 0;
}

static void
end_body(void *context, const char *filter, bool is_good)
{
	struct filter_changes *changes = context;
	struct session *s = changes->session;
	struct accepted *accepted = changes->accepted;

	if (changes->ends_in_cr)
		write_body(changes, "\r", 1);
	changes->has_body = false;
	if (accepted->disk_error != 0)
		return;
	if (!is_good) {
		if (ftruncate(accepted->body_fd, changes->old_size) != 0)
			accepted->disk_error = errno;
		return;
	}
	milter_log(s->filters, 9, LOG_INFO, "Milter (%s) message: body replaced", filter);
	errno = EIO; /* an end of the file that comes too early has none of its own */
	if (!move_down(changes)) {
		accepted->disk_error = errno;
		return;
	}
	s->envelope->message_size += changes->new_size - changes->old_size;
	if (changes->has_8bit)
		s->envelope->flags |= ENVELOPE_8BIT;
}

struct filter_changes *
filter_changes_begin(struct session *s, struct accepted *accepted, struct milter_changes *functions)
{
	struct filter_changes *changes = ARENA_NEW(s->scratch, struct filter_changes);

	*changes = (struct filter_changes){.session = s, .accepted = accepted};
	*functions = (struct milter_changes){
	    .context = changes,
	    .add_header = add_header,
	    .insert_header = insert_header,
	    .change_header = change_header,
	    .add_recipient = add_recipient,
	    .delete_recipient = delete_recipient,
	    .change_sender = change_sender,
	    .quarantine = quarantine,
	    .replace_body = replace_body,
	    .end_body = end_body,
	};
	return changes;
}

void
filter_changes_end(struct filter_changes *changes)
{
	/* a filter that failed in the middle of it */
	if (changes->has_body)
		end_body(changes, "", false);
}
