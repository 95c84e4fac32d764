#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/os.h"

/* A file that root wrote here; its descriptor, or -1. */
static int
open_candidate(int directory, const char *name, struct stat *status)
{
	int fd = files_open(directory, name, O_RDWR, status);

	if (fd >= 0 &&
	    (status->st_uid != 0 || (status->st_mode & (S_ISUID | S_ISGID | S_IWOTH)) != 0)) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

/*
 * V8's messages that were split share one body under several names.  All of them must be in the queue: whoever may write
 * there could have made a link to anything.
 */
static bool
has_all_its_names(const struct queue *queue, const struct stat *body)
{
	nlink_t found = 0;

	for (; queue != NULL; queue = queue->next) {
		struct queue_entry *entries;
		size_t count;
		struct stat status;

		if (body->st_nlink == 1)
			return true;
		if (fstat(queue->df_dir, &status) < 0 || status.st_dev != body->st_dev ||
		    files_scan(queue, 'd', &entries, &count) < 0)
			continue;
		for (size_t i = 0; i < count; i++)
			found += entries[i].inode == body->st_ino;
		free(entries);
	}
	return found == body->st_nlink;
}

static bool
give(int fd, mode_t mode, uid_t owner, gid_t group)
{
	int result;

	do
		result = fchown(fd, owner, group);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return false;
	do
		result = fchmod(fd, mode);
	while (result < 0 && errno == EINTR);
	return result == 0;
}

/* A control file whose body has to stay root's stays so, too; one without a body is for the new owner to set aside. */
static bool
give_body(
    const struct queue *all, const struct queue *queue, const char *id, uid_t owner, gid_t group)
{
	char name[QUEUE_NAME_SIZE];
	struct stat status;
	bool is_given;
	int fd;

	queue_name(name, 'd', id);
	if (fstatat(queue->df_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (!S_ISREG(status.st_mode) || status.st_uid == owner)
		return true;
	fd = open_candidate(queue->df_dir, name, &status);
	if (fd < 0)
		return false;
	is_given = has_all_its_names(all, &status) && give(fd, queue->file_mode, owner, group);
	close(fd);
	return is_given;
}

/*
 * The control file's lock keeps everybody else away while both files change hands.  The df goes
 * first: a control file that is the mail user's already has a body it can read.
 */
static bool
adopt_message(const struct queue *all, struct queue *queue, char kind, const char *id, uid_t owner,
    gid_t group)
{
	char control[QUEUE_NAME_SIZE];
	bool adopted = false;
	struct stat status;
	int control_fd;

	queue_name(control, kind, id);
	control_fd = open_candidate(queue->qf_dir, control, &status);
	if (control_fd < 0)
		return false;
	if (status.st_nlink == 1 && os_lock(control_fd, OS_LOCK_EXCLUSIVE, false) == 0 &&
	    files_is_named(queue->qf_dir, control, control_fd)) {
		adopted = give_body(all, queue, id, owner, group) &&
			  give(control_fd, queue->file_mode, owner, group);
		if (!adopted)
			log_at(3, LOG_WARNING, "%s: cannot be taken over from root: %s", id,
			    strerror(errno));
	}
	close(control_fd);
	return adopted;
}

/* One directory. */
static int
adopt(const struct queue *all, struct queue *queue, uid_t owner, gid_t group)
{
	static const char kinds[] = {'q', 'h'};
	int adopted = 0;

	for (size_t k = 0; k < sizeof kinds; k++) {
		struct queue_entry *entries;
		size_t count;

		if (files_scan(queue, kinds[k], &entries, &count) < 0) {
			free(entries);
			return -1;
		}
		for (size_t i = 0; i < count; i++) {
			if (adopt_message(all, queue, kinds[k], entries[i].id, owner, group)) {
				adopted++;
				log_at(9, LOG_INFO, "%s: taken over from root", entries[i].id);
			}
		}
		free(entries);
	}
	return adopted;
}

int
queue_adopt(struct queue *queue, uid_t owner, gid_t group)
{
	const struct queue *all = queue;
	int adopted = 0;

	for (; queue != NULL; queue = queue->next) {
		int count = adopt(all, queue, owner, group);

		if (count < 0)
			return -1;
		adopted += count;
	}
	return adopted;
}
