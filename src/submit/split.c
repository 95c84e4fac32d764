#include "submit/split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "route/resolve.h"

/* One message to be: a group, and how many recipients it has. */
struct piece {
	const struct queue_group_conf *group; /* NULL: mqueue without a Q line */
	int count;
};

struct splitting {
	const struct config *config;
	struct piece *pieces;
	int count;
};

static const struct queue_group_conf *
find_group(const struct config *config, const char *name)
{
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		if (text_equal_nocase(group->name, name))
			return group;
	}
	return NULL;
}

static bool
is_default(const struct queue_group_conf *group)
{
	return group == NULL || text_equal_nocase(group->name, "mqueue");
}

/* V8: a name that is no group's is as none. */
static const struct queue_group_conf *
choose_group(struct rule_context *rules, const struct recipient *recipient)
{
	struct resolved resolved = {0};
	const char *name = NULL;
	const struct queue_group_conf *group;

	if (resolve_address(rules, recipient->address, 0, &resolved)) {
		name = resolved.queue_group;
		if (name == NULL && resolved.mailer != NULL)
			name = resolved.mailer->queue_group;
	}
	group = name != NULL ? find_group(rules->config, name) : NULL;
	return group != NULL ? group : find_group(rules->config, "mqueue");
}

/* The piece of this group that has room, or a new one. */
static int
find_piece(struct splitting *splitting, const struct queue_group_conf *group)
{
	int most = group != NULL ? group->recipients_maximum : 0;

	for (int i = 0; i < splitting->count; i++) {
		const struct piece *piece = &splitting->pieces[i];

		if (piece->group == group && (most <= 0 || piece->count < most))
			return i;
	}
	splitting->pieces = check_realloc(
	    splitting->pieces, (size_t)(splitting->count + 1) * sizeof *splitting->pieces);
	splitting->pieces[splitting->count] = (struct piece){.group = group};
	return splitting->count++;
}

static bool
is_live(const struct recipient *recipient)
{
	/* members of a list with an owner have a message of their own */
	return (recipient->flags & (RECIPIENT_DONE | RECIPIENT_REFUSED)) == 0 &&
	       recipient->owner == NULL;
}

static bool
is_of_piece(const struct recipient *recipient, const void *context)
{
	return is_live(recipient) && recipient->piece == *(const int *)context;
}

/* V8: the groups in the order of the Q lines backwards, whatever the order of the recipients. */
static void
sort_pieces(struct splitting *splitting, struct envelope *envelope)
{
	struct piece *sorted = check_malloc((size_t)(splitting->count + 1) * sizeof *sorted);
	int *places = check_malloc((size_t)(splitting->count + 1) * sizeof *places);
	int at = splitting->count;

	for (const struct queue_group_conf *group = splitting->config->queue_groups;;
	     group = group->next) {
		int count = 0, place;

		for (int i = 0; i < splitting->count; i++)
			count += splitting->pieces[i].group == group;
		place = at -= count;
		for (int i = 0; i < splitting->count; i++) {
			if (splitting->pieces[i].group != group)
				continue;
			places[i] = place;
			sorted[place++] = splitting->pieces[i];
		}
		if (group == NULL)
			break;
	}
	check(at == 0);
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (is_live(one))
			one->piece = places[one->piece];
	}
	free(places);
	free(splitting->pieces);
	splitting->pieces = sorted;
}

/* V8: where there is a message for mqueue it is the first one. */
static int
first_piece(const struct splitting *splitting)
{
	for (int i = 0; i < splitting->count; i++) {
		if (is_default(splitting->pieces[i].group))
			return i;
	}
	return 0;
}

static const char *
group_name(const struct queue_group_conf *group)
{
	return is_default(group) ? NULL : group->name;
}

static void
keep_piece(struct envelope *envelope, int piece)
{
	struct recipient **link = &envelope->recipients;

	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (is_live(one) && one->piece != piece)
			continue;
		*link = one;
		link = &one->next;
	}
	*link = NULL;
	envelope->recipients_end = link;
}

void
split_make(struct rule_context *rules, struct envelope *envelope, struct clones *splits)
{
	struct splitting splitting = {.config = rules->config};
	int first;

	*splits = (struct clones){0};
	if (rules->config->queue_groups == NULL)
		return;
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (!is_live(one))
			continue;
		one->piece = find_piece(&splitting, choose_group(rules, one));
		splitting.pieces[one->piece].count++;
	}
	sort_pieces(&splitting, envelope);
	first = first_piece(&splitting);
	if (splitting.count > 0)
		envelope->queue_group = group_name(splitting.pieces[first].group);
	if (splitting.count > 1)
		splits->envelopes =
		    check_malloc((size_t)splitting.count * sizeof *splits->envelopes);
	for (int i = 0; i < splitting.count; i++) {
		struct envelope *clone;

		if (i == first)
			continue;
		clone = clone_copy(envelope, is_of_piece, &i);
		clone->queue_group = group_name(splitting.pieces[i].group);
		splits->envelopes[splits->count++] = clone;
	}
	if (splits->count > 0)
		keep_piece(envelope, first);
	if (splitting.count > 0 && splitting.pieces[0].group != NULL &&
	    splitting.pieces[0].group == splitting.pieces[splitting.count - 1].group)
		splits->most = splitting.pieces[0].group->recipients_maximum;
	free(splitting.pieces);
}

void
split_discard(struct queue *queue, const struct clones *splits)
{
	int error = errno;

	for (size_t i = 0; i < splits->count; i++)
		queue_discard(queue, splits->envelopes[i]->id);
	errno = error;
}

static size_t
count_recipients(const struct envelope *envelope)
{
	size_t count = 0;

	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next)
		count += is_live(one);
	return count;
}

static void
log_split(const struct envelope *envelope, const struct clones *splits, const char *ids)
{
	struct str why = {0};
	size_t count = count_recipients(envelope);

	for (size_t i = 0; i < splits->count; i++)
		count += count_recipients(splits->envelopes[i]);
	if (splits->most > 0)
		str_printf(&why, "maxrcpts=%d, rcpts=%zu, ", splits->most, count);
	log_at(5, LOG_NOTICE, "%s: split: %scount=%zu, id%s=%s", envelope->id, str_text(&why),
	    splits->count, splits->count > 1 ? "s" : "", ids);
	str_free(&why);
}

int
split_commit(struct queue *queue, const struct envelope *envelope, const struct clones *splits)
{
	struct str ids = {0};

	for (size_t i = 0; i < splits->count; i++) {
		struct envelope *clone = splits->envelopes[i];
		int fd = queue_body_link(queue, envelope->id, clone->id);

		if (fd < 0 || queue_commit(queue, clone, fd, false) < 0) {
			split_discard(queue, splits);
			str_free(&ids);
			return -1;
		}
		str_printf(&ids, "%s%s", i > 0 ? "; " : "", clone->id);
	}
	if (splits->count > 0)
		log_split(envelope, splits, str_text(&ids));
	str_free(&ids);
	return 0;
}

int
split_commit_all(
    struct queue *queue, struct envelope *envelope, const struct clones *splits, int body_fd)
{
	if (split_commit(queue, envelope, splits) < 0) {
		int error = errno;

		close(body_fd);
		queue_discard(queue, envelope->id);
		errno = error;
		return -1;
	}
	if (queue_commit(queue, envelope, body_fd, false) == 0)
		return 0;
	split_discard(queue, splits);
	return -1;
}
