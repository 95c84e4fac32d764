#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "os/os.h"

static int
open_directory(int parent, const char *name, int flags)
{
	int fd;

	do
		fd = openat(parent, name, flags | O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* A subdirectory of the queue, or the queue itself when there is none of that name. */
static int
open_part(int queue_dir, const char *name)
{
	int fd = open_directory(queue_dir, name, O_NOFOLLOW);

	if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
		return fd;
	return queue_dir;
}

static void
close_parts(const struct queue *queue)
{
	if (queue->df_dir >= 0 && queue->df_dir != queue->qf_dir)
		close(queue->df_dir);
	if (queue->xf_dir >= 0 && queue->xf_dir != queue->qf_dir && queue->xf_dir != queue->df_dir)
		close(queue->xf_dir);
	if (queue->qf_dir >= 0)
		close(queue->qf_dir);
}

static void
accept_owner(struct queue *queue, uid_t owner)
{
	for (int i = 0; i < queue->owner_count; i++) {
		if (queue->owners[i] == owner)
			return;
	}
	if (queue->owner_count < QUEUE_OWNERS_MAXIMUM)
		queue->owners[queue->owner_count++] = owner;
}

static struct queue *
open_one(const char *path, mode_t file_mode, bool is_client, bool sync)
{
	int top = open_directory(AT_FDCWD, path, 0), saved;
	struct queue *queue;
	struct stat status;

	if (top < 0)
		return NULL;
	queue = check_malloc(sizeof *queue);
	*queue = (struct queue){.path = check_strdup(path),
	    .file_mode = file_mode,
	    .is_client = is_client,
	    .sync = sync,
	    .complaint = ""};
	queue->qf_dir = open_part(top, "qf");
	queue->df_dir = queue->qf_dir < 0 ? -1 : open_part(top, "df");
	queue->xf_dir = queue->df_dir < 0 ? -1 : open_part(top, "xf");
	if (queue->xf_dir < 0 || fstat(top, &status) < 0) {
		saved = errno;
		if (queue->qf_dir != top && queue->df_dir != top && queue->xf_dir != top)
			close(top);
		close_parts(queue);
		free(queue->path);
		free(queue);
		errno = saved;
		return NULL;
	}
	queue->has_body_directory = queue->df_dir != top && queue->df_dir != queue->qf_dir;
	/* equal descriptors say "the same directory": a part that is the top gets a copy when qf/ is not */
	if (queue->qf_dir != top) {
		if (queue->df_dir == top)
			queue->df_dir = os_duplicate(top, 0);
		if (queue->xf_dir == top)
			queue->xf_dir = os_duplicate(top, 0);
		close(top);
	}
	queue->shown = check_malloc(strlen(path) + sizeof "/df");
	strcpy(queue->shown, path);
	if (queue->has_body_directory)
		strcat(queue->shown, "/df");
	queue->group = status.st_gid;
	accept_owner(queue, 0);
	accept_owner(queue, geteuid());
	accept_owner(queue, status.st_uid);
	return queue;
}

int
queue_open_status(int error)
{
	static const int wrong[] = {ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (wrong[i] == error)
			return EX_CONFIG;
	}
	return EX_TEMPFAIL;
}

void
queue_close(struct queue *queue)
{
	if (queue == NULL)
		return;
	queue_flush(queue);
	while (queue != NULL) {
		struct queue *next = queue->next;

		close_parts(queue);
		str_free(&queue->complaint_text);
		free(queue->shown);
		free(queue->path);
		free(queue);
		queue = next;
	}
}

void
queue_accept_owner(struct queue *queue, uid_t owner)
{
	for (; queue != NULL; queue = queue->next)
		accept_owner(queue, owner);
}

struct queue *
files_part(struct queue *queue, int number)
{
	while (number-- > 0 && queue->next != NULL)
		queue = queue->next;
	return queue;
}

static bool
is_of_group(const struct queue *queue, const char *group)
{
	if (queue->group_name == NULL || group == NULL)
		return queue->group_name == group;
	return text_equal_nocase(queue->group_name, group);
}

/* The same one for its df and its qf, whoever asks; ids count up, so the parts fill evenly. */
int
files_part_of_new(const struct queue *queue, const char *id, const char *group)
{
	unsigned hash = 5381;
	int count = 0, chosen, part = 0;

	for (const struct queue *one = queue; one != NULL; one = one->next)
		count += is_of_group(one, group);
	if (count == 0) /* a group without directories of its own; or all there are belong to one */
		return group != NULL ? files_part_of_new(queue, id, NULL) : 0;
	for (; *id != '\0'; id++)
		hash = hash * 33 + (unsigned char)*id;
	chosen = (int)(hash % (unsigned)count);
	for (; queue != NULL; queue = queue->next, part++) {
		if (is_of_group(queue, group) && chosen-- == 0)
			return part;
	}
	return 0;
}

void
queue_name(char name[QUEUE_NAME_SIZE], char kind, const char *id)
{
	size_t length = strlen(id);

	check(length < ENVELOPE_ID_SIZE);
	name[0] = kind;
	name[1] = 'f';
	memcpy(name + 2, id, length + 1);
}

/* One block of memory: the pointers, then the names. */
static char **
pack(char *const *names, size_t count)
{
	size_t size = (count + 1) * sizeof *names;
	char **list, *at;

	for (size_t i = 0; i < count; i++)
		size += strlen(names[i]) + 1;
	list = check_malloc(size);
	at = (char *)(list + count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]) + 1;

		list[i] = at;
		memcpy(at, names[i], length);
		at += length;
	}
	list[count] = NULL;
	return list;
}

static void
swap(char **one, char **other)
{
	char *saved = *one;

	*one = *other;
	*other = saved;
}

char **
queue_directories(const char *option)
{
	char *path = check_strdup(option), **list = NULL;
	const char *last = strrchr(path, '/');
	size_t kept = 0;
	struct stat status;
	glob_t found;
	int result;

	if (strpbrk(last != NULL ? last : path, "*?[") == NULL) {
		list = pack(&path, 1);
		free(path);
		return list;
	}
	result = glob(path, GLOB_ERR | GLOB_NOSORT, NULL, &found);
	free(path);
	if (result == GLOB_NOMATCH)
		return pack(NULL, 0);
	if (result != 0) {
		errno = result == GLOB_NOSPACE ? ENOMEM : EACCES;
		return NULL;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		/* V8: what is no directory does not count */
		if (stat(found.gl_pathv[i], &status) == 0 && S_ISDIR(status.st_mode))
			swap(&found.gl_pathv[kept++], &found.gl_pathv[i]);
	}
	list = pack(found.gl_pathv, kept);
	globfree(&found);
	return list;
}

struct queue *
queue_open(const char *path, mode_t file_mode, bool is_client, bool sync)
{
	char **list = queue_directories(path);
	struct queue *first = NULL, **end = &first;
	int saved;

	if (list == NULL)
		return NULL;
	saved = list[0] == NULL ? ENOENT : 0;
	for (size_t i = 0; saved == 0 && list[i] != NULL; i++) {
		*end = open_one(list[i], file_mode, is_client, sync);
		saved = *end == NULL ? errno : 0;
		if (*end != NULL)
			end = &(*end)->next;
	}
	free(list);
	if (saved != 0) {
		queue_close(first);
		first = NULL;
	}
	errno = saved;
	return first;
}

int
queue_add_group(struct queue *queue, const char *group, const char *path)
{
	struct queue *added = queue_open(path, queue->file_mode, queue->is_client, queue->sync);

	if (added == NULL)
		return -1;
	for (struct queue *one = added; one != NULL; one = one->next)
		one->group_name = group;
	while (queue->next != NULL)
		queue = queue->next;
	queue->next = added;
	return 0;
}

const char *
queue_group_of(const struct queue *queue, int part)
{
	while (part-- > 0 && queue->next != NULL)
		queue = queue->next;
	return queue->group_name;
}

struct queue *
queue_keep_group(struct queue *queue, const char *group)
{
	struct queue *kept = NULL, **end = &kept, *next;

	if (text_equal_nocase(group, "mqueue"))
		group = NULL;
	for (; queue != NULL; queue = next) {
		next = queue->next;
		queue->next = NULL;
		if (is_of_group(queue, group)) {
			*end = queue;
			end = &queue->next;
		} else {
			queue_close(queue);
		}
	}
	return kept;
}
