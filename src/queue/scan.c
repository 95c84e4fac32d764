#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "os/os.h"

/* V8 leaves a df unlocked from its last byte until the control file is there; a milter may take its time meanwhile. */
enum { ROOT_ORPHAN_SECONDS = 3600 };

DIR *
files_open_directory(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL)
		files_close(fd);
	return stream;
}

const char *
files_id_of(const char *name, char kind)
{
	return name[0] == kind && name[1] == 'f' && queue_id_is_valid(name + 2) ? name + 2 : NULL;
}

int
queue_scan(struct queue *queue, char kind, struct queue_entry **entries, size_t *count)
{
	int directory = files_directory(queue, kind);
	DIR *stream = files_open_directory(directory);
	size_t capacity = 0;
	struct dirent *one;
	struct stat status;

	*entries = NULL;
	*count = 0;
	if (stream == NULL)
		return -1;
	for (errno = 0; (one = readdir(stream)) != NULL; errno = 0) {
		const char *id = files_id_of(one->d_name, kind);

		if (id == NULL ||
		    fstatat(directory, one->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		if (*count == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 64;
			*entries = check_realloc(*entries, capacity * sizeof **entries);
		}
		(*entries)[*count] =
		    (struct queue_entry){.modified = status.st_mtime, .inode = status.st_ino};
		text_copy((*entries)[(*count)++].id, ENVELOPE_ID_SIZE, id);
	}
	if (errno != 0) {
		int saved = errno;

		free(*entries);
		*entries = NULL;
		*count = 0;
		closedir(stream);
		errno = saved;
		return -1;
	}
	closedir(stream);
	return 0;
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

/* Nobody's: old enough, not locked, and without a control file before and after the lock was taken. */
static bool
sweep_file(struct queue *queue, char kind, const struct queue_entry *entry, long age_seconds)
{
	int directory = files_directory(queue, kind), fd;
	char name[QUEUE_NAME_SIZE];
	struct stat status;
	bool gone = false;

	if (clock_now() - entry->modified < age_seconds || exists(queue->qf_dir, 'q', entry->id) ||
	    exists(queue->qf_dir, 'h', entry->id) || exists(queue->qf_dir, 'Q', entry->id))
		return false;
	queue_name(name, kind, entry->id);
	fd = files_open(directory, name, O_RDWR, &status);
	if (fd < 0)
		return false;
	if (status.st_uid == 0 && age_seconds < ROOT_ORPHAN_SECONDS)
		age_seconds = ROOT_ORPHAN_SECONDS;
	if (clock_now() - status.st_mtime >= age_seconds &&
	    os_lock(fd, OS_LOCK_EXCLUSIVE, false) == 0 && files_is_named(directory, name, fd) &&
	    !exists(queue->qf_dir, 'q', entry->id) && !exists(queue->qf_dir, 'h', entry->id))
		gone = unlinkat(directory, name, 0) == 0;
	close(fd);
	return gone;
}

int
queue_sweep(struct queue *queue, long age_seconds)
{
	/* the tf first: while there is one, its df may be about to be committed */
	static const char kinds[] = {'t', 'd', 'x'};
	int gone = 0;

	for (size_t k = 0; k < sizeof kinds; k++) {
		struct queue_entry *entries;
		size_t count;

		if (queue_scan(queue, kinds[k], &entries, &count) < 0)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (!sweep_file(queue, kinds[k], &entries[i], age_seconds))
				continue;
			gone++;
			log_at(9, LOG_INFO,
			    "%s: removed %cf%s, left by a program that did not finish",
			    entries[i].id, kinds[k], entries[i].id);
		}
		free(entries);
	}
	return gone;
}
