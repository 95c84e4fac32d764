#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "os/os.h"

/* V8: owner and mode must leave no doubt who wrote a control file. */
static bool
is_trustworthy(const struct queue *queue, const struct stat *status)
{
	if ((status->st_mode & (S_IWGRP | S_IWOTH) & ~queue->file_mode) != 0)
		return false;
	for (int i = 0; i < queue->owner_count; i++) {
		if (queue->owners[i] == status->st_uid)
			return true;
	}
	return queue->is_client && status->st_gid == queue->group;
}

/* A d line may only name the queue's own directory: V8 writes it when the df is in another one. */
static bool
is_own_directory(const struct queue *queue, const char *name)
{
	struct stat named, own;

	return name == NULL || (stat(name, &named) == 0 && fstat(queue->df_dir, &own) == 0 &&
				   named.st_dev == own.st_dev && named.st_ino == own.st_ino);
}

/* What is wrong with contents that control_read did not like: V8's words to the user and to the log. */
static enum queue_taken
judge(struct queue *queue, struct envelope *envelope, char kind, enum control_result result,
    const struct control_error *error)
{
	switch (result) {
	case CONTROL_EMPTY:
		return QUEUE_NOT_YET;
	case CONTROL_INCOMPLETE:
		files_complain(queue, envelope->id, "readqf: ./%cf%s: incomplete queue file read",
		    kind, envelope->id);
		return QUEUE_NOT_YET;
	case CONTROL_BAD_VERSION:
		files_complain(queue, envelope->id,
		    "Version number in queue file (%d) greater than max (8)", envelope->version);
		queue_set_aside(queue, envelope, "unsupported queue file version");
		return QUEUE_SET_ASIDE;
	case CONTROL_EXTRA_DATA:
		files_complain(queue, envelope->id,
		    "SECURITY ALERT: extra or bogus data in queue file: %s", error->text);
		queue_set_aside(queue, envelope, "bogus queue line");
		return QUEUE_SET_ASIDE;
	case CONTROL_NO_SENDER:
		files_complain(queue, envelope->id, "readqf: ./%cf%s: no sender in queue file",
		    kind, envelope->id);
		queue_set_aside(queue, envelope, "no sender");
		return QUEUE_SET_ASIDE;
	case CONTROL_BAD_LINE:
		files_complain(queue, envelope->id, "readqf: ./%cf%s: line %d: bad line \"%s\"",
		    kind, envelope->id, error->line, error->text);
		queue_set_aside(queue, envelope, "unrecognized line");
		return QUEUE_SET_ASIDE;
	default:
		break;
	}
	if (error->header_warning != NULL)
		files_complain(
		    queue, envelope->id, "header syntax error, line \"%s\"", error->header_warning);
	if (!is_own_directory(queue, envelope->body_directory)) {
		queue_set_aside(queue, envelope, "bogus queue file directory");
		return QUEUE_SET_ASIDE;
	}
	return QUEUE_TAKEN;
}

/* The df, which must be there: an empty message is never sent in its place. */
static enum queue_taken
open_body(struct queue *queue, struct envelope *envelope)
{
	char name[QUEUE_NAME_SIZE];
	struct stat status;

	queue_name(name, 'd', envelope->id);
	envelope->body_fd = files_open(queue->df_dir, name, O_RDONLY, &status);
	if (envelope->body_fd >= 0) {
		envelope->body_size = status.st_size;
		envelope->body_device = status.st_dev;
		envelope->body_inode = status.st_ino;
		return QUEUE_TAKEN;
	}
	files_complain(queue, envelope->id, "readqf: cannot open ./%s: %s", name,
	    errno == ELOOP ? "not a regular file" : strerror(errno));
	if (errno != ENOENT && errno != ELOOP)
		return QUEUE_ERROR;
	queue_set_aside(queue, envelope, "message body is missing");
	return QUEUE_SET_ASIDE;
}

static enum queue_taken
read_envelope(struct queue *queue, struct envelope *envelope, char kind, const struct stat *status)
{
	struct control_error error = {0};
	struct str content = {0};
	enum control_result result;
	enum queue_taken taken;

	if (!is_trustworthy(queue, status)) {
		log_at(0, LOG_ALERT, "%s: bogus queue file, uid=%lu, gid=%lu, mode=%o",
		    envelope->id, (unsigned long)status->st_uid, (unsigned long)status->st_gid,
		    (unsigned)status->st_mode);
		queue_set_aside(queue, envelope, "bogus file uid/gid in mqueue");
		return QUEUE_SET_ASIDE;
	}
	if (files_read_control(envelope->control_fd, status->st_size, &content) < 0) {
		taken = errno == EFBIG ? QUEUE_SET_ASIDE : QUEUE_ERROR;
		files_complain(queue, envelope->id, "readqf: ./%cf%s: %s", kind, envelope->id,
		    strerror(errno));
		if (taken == QUEUE_SET_ASIDE)
			queue_set_aside(queue, envelope, "queue file too large");
		str_free(&content);
		return taken;
	}
	result = control_read(envelope, str_text(&content), content.length, &error);
	str_free(&content);
	taken = judge(queue, envelope, kind, result, &error);
	if (taken == QUEUE_TAKEN)
		taken = open_body(queue, envelope);
	return taken;
}

static enum queue_taken
open_failure(struct queue *queue, char kind, const char *id)
{
	switch (errno) {
	case ENOENT:
		return QUEUE_GONE;
	case EACCES:
	case EPERM:
		return QUEUE_NOT_OURS;
	case ELOOP:
		files_complain(
		    queue, id, "gatherq: %s/%cf%s is not a regular file", queue->path, kind, id);
		return QUEUE_NOT_OURS;
	default:
		return QUEUE_ERROR;
	}
}

static enum queue_taken
take(struct queue *queue, int part, char kind, const char *id, struct envelope **result)
{
	char name[QUEUE_NAME_SIZE];
	struct envelope *envelope;
	enum queue_taken taken = QUEUE_TAKEN;
	struct stat status;
	int fd;

	queue->complaint = "";
	queue_name(name, kind, id);
	fd = files_open(queue->qf_dir, name, O_RDWR, &status);
	if (fd < 0)
		return open_failure(queue, kind, id);
	if (os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0) {
		taken = errno == EWOULDBLOCK || errno == EAGAIN ? QUEUE_LOCKED : QUEUE_ERROR;
		files_close(fd);
		return taken;
	}
	/* between opening and locking the holder of the lock may have rewritten or removed it */
	if (!files_is_named(queue->qf_dir, name, fd) || fstat(fd, &status) < 0) {
		close(fd);
		return QUEUE_LOCKED;
	}
	envelope = envelope_create();
	text_copy(envelope->id, sizeof envelope->id, id);
	envelope->control_kind = kind;
	envelope->control_fd = fd;
	taken = read_envelope(queue, envelope, kind, &status);
	if (kind == 'h' && envelope->quarantine == NULL)
		envelope->quarantine = "";
	if (taken == QUEUE_TAKEN && kind == 'q' && envelope->quarantine != NULL) {
		/* V8: a quarantined message under the name of a normal one gets its right name, and waits */
		taken = queue_rewrite(queue, envelope) == 0 ? QUEUE_GONE : QUEUE_ERROR;
	}
	if (taken == QUEUE_TAKEN) {
		envelope->queue_part = part;
		*result = envelope;
	} else {
		int saved = errno;

		envelope_destroy(envelope);
		errno = saved;
	}
	return taken;
}

enum queue_taken
queue_take_kind(struct queue *queue, char kind, const char *id, struct envelope **result)
{
	enum queue_taken taken = QUEUE_GONE;
	struct queue *one = queue;

	check(queue_id_is_valid(id));
	*result = NULL;
	for (int part = 0; one != NULL && taken == QUEUE_GONE; part++, one = one->next) {
		taken = take(one, part, kind, id, result);
		queue->complaint = one->complaint;
	}
	return taken;
}

enum queue_taken
queue_take(struct queue *queue, const char *id, struct envelope **result)
{
	return queue_take_kind(queue, 'q', id, result);
}

static enum queue_taken
peek(struct queue *queue, char kind, const char *id, struct envelope **result)
{
	struct control_error error;
	struct envelope *envelope;
	char name[QUEUE_NAME_SIZE];
	struct str content = {0};
	struct stat status;
	enum queue_taken taken = QUEUE_TAKEN;
	int fd;

	queue_name(name, kind, id);
	fd = files_open(queue->qf_dir, name, O_RDONLY, &status);
	if (fd < 0)
		return errno == ENOENT					     ? QUEUE_GONE
		       : errno == EACCES || errno == EPERM || errno == ELOOP ? QUEUE_NOT_OURS
									     : QUEUE_ERROR;
	envelope = envelope_create();
	text_copy(envelope->id, sizeof envelope->id, id);
	envelope->control_kind = kind;
	if (files_read_control(fd, status.st_size, &content) < 0) {
		taken = QUEUE_ERROR;
	} else if (control_read(envelope, str_text(&content), content.length, &error) !=
		   CONTROL_OK) {
		taken = QUEUE_ERROR;
		errno = EINVAL;
	}
	files_close(fd);
	str_free(&content);
	if (taken == QUEUE_TAKEN)
		*result = envelope;
	else
		envelope_destroy(envelope);
	return taken;
}

enum queue_taken
queue_peek(struct queue *queue, char kind, const char *id, struct envelope **result)
{
	enum queue_taken taken = QUEUE_GONE;

	*result = NULL;
	queue->complaint = "";
	for (; queue != NULL && taken == QUEUE_GONE; queue = queue->next)
		taken = peek(queue, kind, id, result);
	return taken;
}
