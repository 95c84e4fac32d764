#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "os/os.h"

/*
 * A new file of exactly the queue's mode, locked: the umask is the caller's and may be anything.
 * In a client queue the group is the directory's, whose set-group-id bit V8 relies on.
 */
int
files_create(const struct queue *queue, int directory, const char *name)
{
	int fd, result;

	do
		fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    queue->file_mode & ~(mode_t)077);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -1;
	do
		result = fchmod(fd, queue->file_mode);
	while (result < 0 && errno == EINTR);
	if (result < 0 || os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0) {
		files_close(fd);
		return -1;
	}
	return fd;
}

static int
sync_directory(const struct queue *queue, int directory)
{
	int result;

	if (!queue->sync)
		return 0;
	do
		result = os_sync_dir(directory);
	while (result < 0 && errno == EINTR);
	return result;
}

static void
sync_directory_quietly(const struct queue *queue)
{
	int saved = errno;

	sync_directory(queue, queue->qf_dir);
	errno = saved;
}

static void
remove_name(int directory, char kind, const char *id)
{
	char name[QUEUE_NAME_SIZE];
	int saved = errno;

	queue_name(name, kind, id);
	unlinkat(directory, name, 0);
	errno = saved;
}

int
queue_body_create(struct queue *queue, const char *id)
{
	char name[QUEUE_NAME_SIZE];
	int fd;

	queue = files_part(queue, files_part_of_new(queue, id, NULL));
	queue_name(name, 'd', id);
	fd = files_create(queue, queue->df_dir, name);
	if (fd < 0 && errno != EEXIST)
		remove_name(queue->df_dir, 'd', id);
	return fd;
}

/*
 * The new control file as tf: written whole, synced, locked.  A tf of this id that exists is what
 * a killed program left, since only the holder of the message's lock writes one.
 */
static int
write_control(struct queue *queue, const char *id, const struct str *text)
{
	char name[QUEUE_NAME_SIZE];
	int fd;

	queue_name(name, 't', id);
	fd = files_create(queue, queue->qf_dir, name);
	if (fd < 0 && errno == EEXIST) {
		remove_name(queue->qf_dir, 't', id);
		fd = files_create(queue, queue->qf_dir, name);
	}
	if (fd < 0) {
		remove_name(queue->qf_dir, 't', id);
		return -1;
	}
	if (!io_write(fd, text->data, text->length) || (queue->sync && files_sync(fd) < 0)) {
		remove_name(queue->qf_dir, 't', id);
		files_close(fd);
		fd = -1;
	}
	return fd;
}

static int
rename_control(struct queue *queue, const char *id, char from_kind, char to_kind)
{
	char from[QUEUE_NAME_SIZE], to[QUEUE_NAME_SIZE];
	int result;

	queue_name(from, from_kind, id);
	queue_name(to, to_kind, id);
	do
		result = renameat(queue->qf_dir, from, queue->qf_dir, to);
	while (result < 0 && errno == EINTR);
	return result;
}

static char
kind_of(const struct envelope *envelope)
{
	return envelope->quarantine != NULL ? 'h' : 'q';
}

/* Body and control file are safe but for the directory; -1 leaves nothing visible. */
static int
publish(struct queue *queue, struct envelope *envelope, int body_fd, int *control_fd)
{
	char kind = kind_of(envelope);
	struct str text = {0};

	*control_fd = -1;
	if (queue->sync && files_sync(body_fd) < 0)
		return -1;
	if (queue->df_dir != queue->qf_dir && sync_directory(queue, queue->df_dir) < 0)
		return -1;
	control_write(envelope, &text);
	*control_fd = write_control(queue, envelope->id, &text);
	str_free(&text);
	if (*control_fd < 0)
		return -1;
	/* the lock on the new file is held: whoever finds the name has to wait until the directory is safe */
	if (rename_control(queue, envelope->id, 't', kind) < 0)
		return -1;
	return sync_directory(queue, queue->qf_dir);
}

static void
discard(const struct queue *queue, const char *id)
{
	remove_name(queue->qf_dir, 'q', id);
	remove_name(queue->qf_dir, 'h', id);
	remove_name(queue->qf_dir, 't', id);
	remove_name(queue->df_dir, 'd', id);
	remove_name(queue->xf_dir, 'x', id);
}

int
queue_commit(struct queue *queue, struct envelope *envelope, int body_fd, bool keep_locked)
{
	struct stat status;
	int control_fd;

	check(queue_id_is_valid(envelope->id));
	body_fd = files_move_body(queue, envelope, body_fd);
	if (body_fd < 0)
		return -1;
	queue = files_part(queue, envelope->queue_part);
	if (publish(queue, envelope, body_fd, &control_fd) < 0 || fstat(body_fd, &status) < 0) {
		discard(queue, envelope->id);
		/* a rename that the disk may know of already must not outlive the refusal */
		if (control_fd >= 0)
			sync_directory_quietly(queue);
		files_close(control_fd);
		files_close(body_fd);
		return -1;
	}
	envelope->control_kind = kind_of(envelope);
	envelope->body_size = status.st_size;
	if (!keep_locked) {
		/* both are synced: what close says now changes nothing */
		files_close(control_fd);
		files_close(body_fd);
		return 0;
	}
	os_lock(body_fd, OS_LOCK_NONE, false);
	lseek(body_fd, 0, SEEK_SET);
	envelope->control_fd = control_fd;
	envelope->body_fd = body_fd;
	return 0;
}

void
queue_discard(struct queue *queue, const char *id)
{
	for (; queue != NULL; queue = queue->next)
		discard(queue, id);
}

/* Root may rewrite what another user queued: the file stays that user's. */
static void
keep_owner(int old_fd, int new_fd)
{
	struct stat old, new;

	if (fstat(old_fd, &old) < 0 || fstat(new_fd, &new) < 0 ||
	    (old.st_uid == new.st_uid &&old.st_gid == new.st_gid))
		return;
	if (fchown(new_fd, old.st_uid, old.st_gid) < 0)
		log_at(9, LOG_INFO, "cannot give a queue file to user %lu: %s",
		    (unsigned long)old.st_uid, strerror(errno));
}

int
files_replace_control(struct queue *queue, const char *id, int old_fd, char *kind, char new_kind,
    const struct str *text)
{
	int fd = write_control(queue, id, text);
	bool renamed;

	if (fd < 0)
		return -1;
	keep_owner(old_fd, fd);
	/* there is one control file at any time: first the old one gets the new name, then the new content */
	renamed = new_kind == *kind || rename_control(queue, id, *kind, new_kind) == 0;
	if (renamed)
		*kind = new_kind;
	if (renamed && rename_control(queue, id, 't', new_kind) == 0)
		return fd;
	remove_name(queue->qf_dir, 't', id);
	files_close(fd);
	return -1;
}

int
files_sync_control(const struct queue *queue)
{
	return sync_directory(queue, queue->qf_dir);
}

int
queue_rewrite(struct queue *queue, struct envelope *envelope)
{
	struct str text = {0};
	int fd;

	check(envelope->control_fd >= 0);
	queue = files_part(queue, envelope->queue_part);
	if (envelope->control_kind == 0)
		envelope->control_kind = kind_of(envelope);
	control_write(envelope, &text);
	fd = files_replace_control(queue, envelope->id, envelope->control_fd,
	    &envelope->control_kind, kind_of(envelope), &text);
	str_free(&text);
	if (fd < 0)
		return -1;
	/* the name is the new file now, and so is the lock, even if the directory cannot be synced */
	close(envelope->control_fd);
	envelope->control_fd = fd;
	return sync_directory(queue, queue->qf_dir);
}

static int
flush(struct queue *queue)
{
	if (queue->pending_count == 0)
		return 0;
	/* a df must not go before the name of its qf is gone for good, or a power cut leaves a qf without body */
	if (sync_directory(queue, queue->qf_dir) < 0)
		return -1;
	for (int i = 0; i < queue->pending_count; i++)
		remove_name(queue->df_dir, 'd', queue->pending[i]);
	queue->pending_count = 0;
	return 0;
}

int
queue_flush(struct queue *queue)
{
	int result = 0;

	for (; queue != NULL; queue = queue->next) {
		if (flush(queue) < 0)
			result = -1;
	}
	return result;
}

bool
queue_has_pending(const struct queue *queue)
{
	for (; queue != NULL; queue = queue->next) {
		if (queue->pending_count > 0)
			return true;
	}
	return false;
}

int
queue_remove(struct queue *queue, struct envelope *envelope)
{
	char name[QUEUE_NAME_SIZE];
	bool is_batch = queue->batch_removals;
	int result;

	queue = files_part(queue, envelope->queue_part);
	queue_name(name, envelope->control_kind != 0 ? envelope->control_kind : 'q', envelope->id);
	do
		result = unlinkat(queue->qf_dir, name, 0);
	while (result < 0 && errno == EINTR);
	if (result == 0 || errno == ENOENT) {
		remove_name(queue->xf_dir, 'x', envelope->id);
		/* a full batch whose sync fails must not be written over: it is tried again, and then given up */
		if (queue->pending_count == QUEUE_PENDING_MAXIMUM && flush(queue) < 0)
			queue->pending_count = 0;
		snprintf(
		    queue->pending[queue->pending_count++], ENVELOPE_ID_SIZE, "%s", envelope->id);
		result =
		    is_batch && queue->pending_count < QUEUE_PENDING_MAXIMUM ? 0 : flush(queue);
	}
	files_close(envelope->control_fd);
	files_close(envelope->body_fd);
	envelope->control_fd = envelope->body_fd = -1;
	return result;
}

void
queue_set_aside(struct queue *queue, struct envelope *envelope, const char *reason)
{
	char kind = envelope->control_kind != 0 ? envelope->control_kind : 'q';

	queue = files_part(queue, envelope->queue_part);
	if (rename_control(queue, envelope->id, kind, 'Q') == 0) {
		envelope->control_kind = 'Q';
		sync_directory(queue, queue->qf_dir);
		log_at(0, LOG_ALERT, "%s: Losing ./%cf%s: %s", envelope->id, kind, envelope->id,
		    reason);
	} else {
		log_at(0, LOG_ALERT, "%s: cannot rename ./%cf%s to ./Qf%s (%s): %s", envelope->id,
		    kind, envelope->id, envelope->id, reason, strerror(errno));
	}
}
