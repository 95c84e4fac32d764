#include "queue/list.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "files.h"
#include "os/os.h"

enum { FIRST_READ = 2048 };

struct lister {
	struct queue *queue;
	struct queue_list *list;
	struct queue_listed *item;
	struct queue_listed_recipient **recipients_end;
	const char *status, *control;
	struct str content; /* kept from file to file */
	int version, group_number;
};

struct name {
	char id[ENVELOPE_ID_SIZE];
	ino_t inode;
	size_t position; /* in the directory */
	bool is_regular; /* the directory says that it is */
};

static long
number(const char *text)
{
	return strtol(text, NULL, 10);
}

static const char *
keep(struct lister *lister, const char *text)
{
	return arena_strdup(lister->list->arena, text);
}

static void
add_recipient(struct lister *lister, const char *text)
{
	struct queue_listed_recipient *recipient =
	    ARENA_NEW(lister->list->arena, struct queue_listed_recipient);
	const char *colon = lister->version > 0 ? strchr(text, ':') : NULL;

	recipient->address = keep(lister, colon != NULL ? colon + 1 : text);
	recipient->status = lister->status;
	recipient->control = lister->control;
	lister->status = lister->control = NULL;
	*lister->recipients_end = recipient;
	lister->recipients_end = &recipient->next;
}

/* One line; false when what follows is of no interest. */
static bool
read_line(struct lister *lister, const char *line)
{
	struct queue_listed *item = lister->item;
	const char *value = line + 1;

	switch (*line) {
	case 'V':
		lister->version = (int)number(value);
		break;
	case 'T':
		item->created = (time_t)number(value);
		break;
	case 'K':
		item->last_attempt = (time_t)number(value);
		break;
	case 'N':
		item->attempts = (int)number(value);
		break;
	case 'P':
		item->priority = number(value);
		break;
	case 'F':
		item->is_warned = strchr(value, 'w') != NULL;
		break;
	case 'B':
		item->body_type = keep(lister, value);
		break;
	case 'q':
		item->quarantine = keep(lister, value);
		break;
	case 'M':
		lister->status = *value != '\0' ? keep(lister, value) : NULL;
		break;
	case 'S':
		item->sender = keep(lister, value);
		item->status = lister->status;
		lister->status = NULL;
		break;
	case 'C':
		lister->control = *value != '\0' ? keep(lister, value) : NULL;
		break;
	case 'R':
		add_recipient(lister, value);
		break;
	case 'H':
	case '.':
		return false;
	default:
		break;
	}
	return true;
}

/* More of the file behind what is there; the count, 0 at its end, -1 with errno. */
static ssize_t
read_more(int fd, struct str *content)
{
	ssize_t count;

	if (content->length > QUEUE_CONTROL_MAXIMUM)
		return 0;
	str_reserve(content, content->length < FIRST_READ ? FIRST_READ : content->length);
	do
		count = read(
		    fd, content->data + content->length, content->capacity - content->length - 1);
	while (count < 0 && errno == EINTR);
	if (count > 0) {
		content->length += (size_t)count;
		content->data[content->length] = '\0';
	}
	return count;
}

static int
read_control(struct lister *lister, int fd)
{
	struct str *content = &lister->content;
	size_t at = 0;

	str_clear(content);
	for (;;) {
		char *newline = content->length > at
				    ? memchr(content->data + at, '\n', content->length - at)
				    : NULL;
		ssize_t count;

		if (newline != NULL) {
			*newline = '\0';
			if (!read_line(lister, content->data + at))
				return 0;
			at = (size_t)(newline - content->data) + 1;
			continue;
		}
		count = read_more(fd, content);
		if (count <= 0)
			return (int)count;
	}
}

static void
look_at_body(struct lister *lister)
{
	struct queue_listed *item = lister->item;
	char name[QUEUE_NAME_SIZE];
	struct stat status;

	queue_name(name, 'd', item->id);
	item->body_size = -1;
	if (fstatat(lister->queue->df_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		item->body_error = errno;
	else if (!S_ISREG(status.st_mode))
		item->body_error = ELOOP;
	else
		item->body_size = status.st_size;
}

static bool
take_error(struct queue_listed *item)
{
	item->read_error = errno;
	return errno != ENOENT;
}

/* Fills lister->item; false when the message is gone meanwhile. */
static bool
read_message(struct lister *lister, const char *name, bool is_regular)
{
	struct queue_listed *item = lister->item;
	struct stat status;
	int fd = -1;

	/* asked before opening: a name that is changed right now is read without waiting for it, and no worse */
	if (!is_regular && fstatat(lister->queue->qf_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return take_error(item);
	if (is_regular || S_ISREG(status.st_mode))
		fd = openat(
		    lister->queue->qf_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	else
		errno = ELOOP;
	if (fd < 0 || fstat(fd, &status) < 0) {
		int saved = errno;

		files_close(fd);
		errno = saved;
		return take_error(item);
	}
	item->modified = status.st_mtime;
	item->is_locked =
	    os_lock(fd, OS_LOCK_SHARED, false) < 0 && (errno == EWOULDBLOCK || errno == EAGAIN);
	lister->recipients_end = &item->recipients;
	lister->status = lister->control = NULL;
	lister->version = 0;
	if (read_control(lister, fd) < 0)
		item->read_error = errno;
	close(fd); /* the lock goes with it */
	if (item->sender != NULL)
		look_at_body(lister);
	return true;
}

/* An id that does not even match needs no look at its file. */
static bool
id_may_match(const struct queue_filter *filters, const char *id)
{
	bool asked = false;

	for (; filters != NULL; filters = filters->next) {
		if (filters->field != 'I')
			continue;
		if ((strstr(id, filters->text) != NULL) != filters->is_negated)
			return true;
		asked = true;
	}
	return !asked;
}

static int
by_inode(const void *left, const void *right)
{
	const struct name *one = left, *other = right;

	return one->inode < other->inode ? -1 : one->inode > other->inode;
}

/*
 * The names of one directory in the order in which the disk has the files: a directory has them by hash, and a
 * long queue that is not in the cache would cost a seek for each.  NULL with errno.
 */
static struct name *
read_names(const struct queue *queue, char kind, const struct queue_filter *filters, size_t *count)
{
	DIR *stream = files_open_directory(queue->qf_dir);
	struct name *names = NULL;
	struct dirent *one;
	size_t capacity = 0;
	int saved;

	*count = 0;
	if (stream == NULL)
		return NULL;
	for (errno = 0; (one = readdir(stream)) != NULL; errno = 0) {
		const char *id = one->d_name + 2;

		/* V8 lists whatever begins with the two letters */
		if (one->d_name[0] != kind || one->d_name[1] != 'f' ||
		    strlen(id) >= ENVELOPE_ID_SIZE || !id_may_match(filters, id))
			continue;
		if (*count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 64;
			names = check_realloc(names, capacity * sizeof *names);
		}
		names[*count] = (struct name){
		    .inode = one->d_ino, .position = *count, .is_regular = os_is_regular(one)};
		text_copy(names[(*count)++].id, ENVELOPE_ID_SIZE, id);
	}
	saved = errno;
	closedir(stream);
	if (saved == 0 && names == NULL)
		names = check_malloc(sizeof *names);
	errno = saved;
	if (saved == 0) {
		qsort(names, *count, sizeof *names, by_inode);
		return names;
	}
	free(names);
	return NULL;
}

static struct queue_listed *
new_item(struct queue_list *list)
{
	struct queue_listed *item;

	if (list->count == list->capacity) {
		list->capacity = list->capacity > 0 ? 2 * list->capacity : 64;
		list->items = check_realloc(list->items, list->capacity * sizeof *list->items);
	}
	item = &list->items[list->count];
	*item = (struct queue_listed){0};
	return item;
}

/* One directory; what stops it as errno, 0 when nothing did. */
static int
read_part(struct lister *lister, char kind, const struct queue_filter *filters,
    queue_list_report *report, void *context)
{
	struct queue_list *list = lister->list;
	size_t count, first = list->count;
	struct name *names = read_names(lister->queue, kind, filters, &count);

	if (names == NULL)
		return errno;
	for (size_t i = 0; i < count; i++) {
		char name[QUEUE_NAME_SIZE];

		lister->item = new_item(list);
		lister->item->position = first + names[i].position;
		lister->item->directory = lister->queue->shown;
		lister->item->group = lister->queue->group_name;
		lister->item->group_number = lister->group_number;
		text_copy(lister->item->id, sizeof lister->item->id, names[i].id);
		queue_name(name, kind, names[i].id);
		if (!read_message(lister, name, names[i].is_regular))
			continue;
		if (lister->item->read_error == ELOOP) {
			if (report != NULL)
				report(context, name);
		} else if (queue_list_matches(filters, lister->item)) {
			list->count++;
		}
	}
	free(names);
	return 0;
}

int
queue_list_read(struct queue *queue, char kind, const struct queue_filter *filters,
    queue_list_report *report, void *context, struct queue_list *list)
{
	struct lister lister = {.list = list};
	int error = 0;

	*list = (struct queue_list){.arena = arena_create()};
	for (const char *group = queue->group_name; queue != NULL && error == 0;
	     queue = queue->next) {
		/* the directories of a group stand together */
		lister.group_number += queue->group_name != group;
		group = queue->group_name;
		lister.queue = queue;
		error = read_part(&lister, kind, filters, report, context);
	}
	str_free(&lister.content);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
queue_list_free(struct queue_list *list)
{
	arena_destroy(list->arena);
	free(list->items);
	*list = (struct queue_list){0};
}
