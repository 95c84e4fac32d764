#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "files.h"
#include "os/os.h"

/* V8 leaves a df unlocked from its last byte until the control file is there; a milter may take its time meanwhile. */
enum { ROOT_ORPHAN_SECONDS = 3600 };

/* Names of files, as a sorted array: a queue of 100,000 messages is swept without asking for each of its files. */
struct names {
	char (*items)[QUEUE_NAME_SIZE];
	size_t count, capacity;
};

static void
add_name(struct names *names, const char *name)
{
	if (names->count == names->capacity) {
		names->capacity = names->capacity > 0 ? 2 * names->capacity : 64;
		names->items = check_realloc(names->items, names->capacity * sizeof *names->items);
	}
	text_copy(names->items[names->count++], QUEUE_NAME_SIZE, name);
}

static int
compare_ids(const void *one, const void *other)
{
	return strcmp((const char *)one + 2, (const char *)other + 2);
}

/* Adds what a directory has of the kinds given; false when it cannot be read to its end. */
static bool
read_names(int directory, const char *kinds, struct names *names)
{
	DIR *stream = files_open_directory(directory);
	struct dirent *one;
	bool good;

	if (stream == NULL)
		return false;
	for (errno = 0; (one = readdir(stream)) != NULL; errno = 0) {
		if (one->d_name[0] != '\0' && strchr(kinds, one->d_name[0]) != NULL &&
		    files_id_of(one->d_name, one->d_name[0]) != NULL)
			add_name(names, one->d_name);
	}
	good = errno == 0;
	closedir(stream);
	return good;
}

static bool
exists(int directory, char kind, const char *id)
{
	char name[QUEUE_NAME_SIZE];
	struct stat status;

	queue_name(name, kind, id);
	/* anything but a clear "no" counts as there */
	return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static bool
has_control(const struct queue *queue, const char *id)
{
	return exists(queue->qf_dir, 'q', id) || exists(queue->qf_dir, 'h', id) ||
	       exists(queue->qf_dir, 'Q', id);
}

/* Nobody's: old enough, not locked, and without a control file before and after the lock was taken. */
static bool
sweep_file(const struct queue *queue, const char *name, long age_seconds)
{
	int directory = files_directory(queue, name[0]), fd;
	struct stat status;
	bool gone = false;

	if (has_control(queue, name + 2))
		return false;
	fd = files_open(directory, name, O_RDWR, &status);
	if (fd < 0)
		return false;
	if (status.st_uid == 0 && age_seconds < ROOT_ORPHAN_SECONDS)
		age_seconds = ROOT_ORPHAN_SECONDS;
	if (clock_now() - status.st_mtime >= age_seconds &&
	    os_lock(fd, OS_LOCK_EXCLUSIVE, false) == 0 && files_is_named(directory, name, fd) &&
	    !has_control(queue, name + 2))
		gone = unlinkat(directory, name, 0) == 0;
	close(fd);
	return gone;
}

static int
sweep(struct queue *queue, long age_seconds)
{
	struct names loose = {0}, control = {0};
	bool good =
	    read_names(queue->df_dir, "d", &loose) && read_names(queue->xf_dir, "x", &loose) &&
	    read_names(queue->qf_dir, "t", &loose) && read_names(queue->qf_dir, "qhQ", &control);
	int gone = 0;

	/* a message that came after the first reading is seen by sweep_file */
	if (control.count > 0)
		qsort(control.items, control.count, sizeof *control.items, compare_ids);
	for (size_t i = 0; good && i < loose.count; i++) {
		const char *name = loose.items[i];

		if ((control.count > 0 && bsearch(name, control.items, control.count,
					      sizeof *control.items, compare_ids) != NULL) ||
		    !sweep_file(queue, name, age_seconds))
			continue;
		gone++;
		log_at(9, LOG_INFO, "%s: removed %s, left by a program that did not finish",
		    name + 2, name);
	}
	free(loose.items);
	free(control.items);
	return gone;
}

int
queue_sweep(struct queue *queue, long age_seconds)
{
	int gone = 0;

	for (; queue != NULL; queue = queue->next)
		gone += sweep(queue, age_seconds);
	return gone;
}
