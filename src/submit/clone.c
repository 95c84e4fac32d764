#include "submit/clone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

/* "<x@y>" and "x@y" are the same sender. */
static bool
is_sender(const struct envelope *envelope, const char *owner)
{
	const char *sender = envelope->sender != NULL ? envelope->sender : "<>";
	size_t length = strlen(sender);

	if (*sender == '<' && length >= 2 && sender[length - 1] == '>') {
		sender++;
		length -= 2;
	}
	return strlen(owner) == length && strncmp(sender, owner, length) == 0;
}

static bool
has_left(const struct envelope *envelope, const struct recipient *recipient)
{
	/* one that was refused already is told to the sender */
	return recipient->owner != NULL &&
	       (recipient->flags & (RECIPIENT_DONE | RECIPIENT_REFUSED)) == 0 &&
	       !is_sender(envelope, recipient->owner);
}

/* A copy by way of the control file: what is not written there is nothing that lasts. */
struct envelope *
clone_copy(const struct envelope *envelope, bool (*takes)(const struct recipient *, const void *),
    const void *context)
{
	struct envelope *clone = envelope_create();
	struct control_error error;
	struct str text = {0};
	struct recipient **link = &clone->recipients, *from = envelope->recipients;

	control_write(envelope, &text);
	check(control_read(clone, text.data, text.length, &error) == CONTROL_OK);
	str_free(&text);
	queue_new_id(clone->id);
	clone->status = NULL;
	clone->body_inode = 0;
	clone->body_directory = NULL;
	clone->message_size = envelope->message_size;
	for (struct recipient *one = clone->recipients; one != NULL; one = one->next) {
		while ((from->flags & RECIPIENT_DONE) != 0) /* not written */
			from = from->next;
		/* V8: of success a list's own sender does not hear */
		one->flags = from->flags & ~(unsigned)RECIPIENT_NOTIFY_SUCCESS;
		one->mailer = from->mailer;
		if (takes(from, context)) {
			*link = one;
			link = &one->next;
		}
		from = from->next;
	}
	*link = NULL;
	clone->recipients_end = link;
	return clone;
}

struct ownership {
	const struct envelope *envelope;
	const char *owner;
};

static bool
is_owned(const struct recipient *recipient, const void *context)
{
	const struct ownership *ownership = context;

	return has_left(ownership->envelope, recipient) &&
	       strcmp(recipient->owner, ownership->owner) == 0;
}

static bool
has_clone(const struct clones *clones, const char *owner)
{
	for (size_t i = 0; i < clones->count; i++) {
		if (strcmp(clones->envelopes[i]->sender, owner) == 0)
			return true;
	}
	return false;
}

void
clone_make(const struct envelope *envelope, struct clones *clones)
{
	struct envelope *clone;

	*clones = (struct clones){0};
	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (!has_left(envelope, one) || has_clone(clones, one->owner))
			continue;
		clones->envelopes = check_realloc(
		    clones->envelopes, (clones->count + 1) * sizeof *clones->envelopes);
		clone = clone_copy(envelope, is_owned, &(struct ownership){envelope, one->owner});
		clone->sender = arena_strdup(clone->arena, one->owner);
		memmove(clones->envelopes + 1, clones->envelopes,
		    clones->count * sizeof *clones->envelopes);
		clones->envelopes[0] = clone;
		clones->count++;
	}
}

static int
commit_one(struct queue *queue, struct envelope *clone, int body_fd)
{
	int fd = queue_body_create(queue, clone->id), error;

	if (fd < 0)
		return -1;
	if (!io_copy(body_fd, fd)) {
		error = errno;
		close(fd);
		queue_discard(queue, clone->id);
		errno = error;
		return -1;
	}
	return queue_commit(queue, clone, fd, false);
}

int
clone_commit(
    struct queue *queue, const struct envelope *envelope, struct clones *clones, int body_fd)
{
	for (size_t i = 0; i < clones->count; i++) {
		struct envelope *clone = clones->envelopes[i];
		int error;

		if (commit_one(queue, clone, body_fd) == 0) {
			log_at(5, LOG_INFO, "%s: %s: clone: owner=%s", envelope->id, clone->id,
			    clone->sender);
			continue;
		}
		error = errno;
		while (i-- > 0)
			queue_discard(queue, clones->envelopes[i]->id);
		errno = error;
		return -1;
	}
	return 0;
}

void
clone_leave(struct envelope *envelope)
{
	struct recipient **link = &envelope->recipients;

	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (has_left(envelope, one))
			continue;
		*link = one;
		link = &one->next;
	}
	*link = NULL;
	envelope->recipients_end = link;
}

void
clone_destroy(struct clones *clones)
{
	for (size_t i = 0; i < clones->count; i++)
		envelope_destroy(clones->envelopes[i]);
	free(clones->envelopes);
	*clones = (struct clones){0};
}

int
clone_commit_all(struct queue *queue, struct envelope *envelope, struct clones *clones, int body_fd)
{
	int error;

	clone_make(envelope, clones);
	if (clone_commit(queue, envelope, clones, body_fd) < 0) {
		error = errno;
		close(body_fd);
		queue_discard(queue, envelope->id);
		errno = error;
		return -1;
	}
	if (clones->count > 0)
		clone_leave(envelope);
	if (envelope->recipients == NULL) {
		close(body_fd);
		queue_discard(queue, envelope->id);
		return 0;
	}
	if (queue_commit(queue, envelope, body_fd, false) == 0)
		return 0;
	error = errno;
	for (size_t i = 0; i < clones->count; i++)
		queue_discard(queue, clones->envelopes[i]->id);
	errno = error;
	return -1;
}

const char *
clone_ids(const struct envelope *envelope, const struct clones *clones, struct arena *arena)
{
	const char *ids = envelope->recipients != NULL ? envelope->id : "";

	for (size_t i = clones->count; i > 0; i--)
		ids = arena_printf(
		    arena, "%s%s+%s", ids, *ids != '\0' ? "," : "", clones->envelopes[i - 1]->id);
	return ids;
}
