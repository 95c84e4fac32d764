#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

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

/* Adds what one directory has. */
static int
scan(const struct queue *queue, int part, char kind, struct queue_entry **entries, size_t *count,
    size_t *capacity)
{
	int directory = files_directory(queue, kind);
	DIR *stream = files_open_directory(directory);
	struct dirent *one;
	struct stat status;
	int saved;

	if (stream == NULL)
		return -1;
	for (errno = 0; (one = readdir(stream)) != NULL; errno = 0) {
		const char *id = files_id_of(one->d_name, kind);

		if (id == NULL ||
		    fstatat(directory, one->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		if (*count == *capacity) {
			*capacity = *capacity > 0 ? 2 * *capacity : 64;
			*entries = check_realloc(*entries, *capacity * sizeof **entries);
		}
		(*entries)[*count] = (struct queue_entry){
		    .modified = status.st_mtime, .inode = status.st_ino, .part = part};
		text_copy((*entries)[(*count)++].id, ENVELOPE_ID_SIZE, id);
	}
	saved = errno;
	closedir(stream);
	errno = saved;
	return saved == 0 ? 0 : -1;
}

int
files_scan(const struct queue *queue, char kind, struct queue_entry **entries, size_t *count)
{
	size_t capacity = 0;

	*entries = NULL;
	*count = 0;
	return scan(queue, 0, kind, entries, count, &capacity);
}

int
queue_scan(struct queue *queue, char kind, struct queue_entry **entries, size_t *count)
{
	size_t capacity = 0;
	int result = 0;

	*entries = NULL;
	*count = 0;
	for (int part = 0; queue != NULL && result == 0; queue = queue->next, part++)
		result = scan(queue, part, kind, entries, count, &capacity);
	if (result < 0) {
		free(*entries);
		*entries = NULL;
		*count = 0;
	}
	return result;
}
