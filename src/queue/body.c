/* Bodies that are not where they were collected: in another queue group, or in several messages. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "os/os.h"

/* A df of its own in this very directory with the same bytes. */
static int
copy_body(struct queue *part, const char *id, int body_fd)
{
	char name[QUEUE_NAME_SIZE];
	int fd, saved;

	queue_name(name, 'd', id);
	fd = files_create(part, part->df_dir, name);
	if (fd < 0 || io_copy(body_fd, fd))
		return fd;
	saved = errno;
	unlinkat(part->df_dir, name, 0);
	files_close(fd);
	errno = saved;
	return -1;
}

int
queue_body_link(struct queue *queue, const char *from_id, const char *id)
{
	struct queue *from = files_part(queue, files_part_of_new(queue, from_id, NULL)),
		     *to = files_part(queue, files_part_of_new(queue, id, NULL));
	char old[QUEUE_NAME_SIZE], name[QUEUE_NAME_SIZE];
	int fd, source;

	queue_name(old, 'd', from_id);
	queue_name(name, 'd', id);
	if (linkat(from->df_dir, old, to->df_dir, name, 0) == 0) {
		fd = openat(to->df_dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			unlinkat(to->df_dir, name, 0);
		return fd;
	}
	source = openat(from->df_dir, old, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (source < 0)
		return -1;
	fd = copy_body(to, id, source);
	files_close(source);
	return fd;
}

int
files_move_body(struct queue *queue, struct envelope *envelope, int body_fd)
{
	int from_part = files_part_of_new(queue, envelope->id, NULL), fd = body_fd;
	struct queue *from = files_part(queue, from_part), *to;
	char name[QUEUE_NAME_SIZE];

	envelope->queue_part = files_part_of_new(queue, envelope->id, envelope->queue_group);
	if (envelope->queue_part == from_part)
		return body_fd;
	to = files_part(queue, envelope->queue_part);
	queue_name(name, 'd', envelope->id);
	if (renameat(from->df_dir, name, to->df_dir, name) == 0)
		return body_fd;
	/* another file system */
	fd = errno == EXDEV ? copy_body(to, envelope->id, body_fd) : -1;
	if (fd < 0)
		queue_discard(queue, envelope->id);
	else
		unlinkat(from->df_dir, name, 0);
	files_close(body_fd);
	return fd;
}
