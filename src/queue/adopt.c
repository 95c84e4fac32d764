#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "os/os.h"

/* A file that root wrote here and that has no other name; its descriptor, or -1. */
static int
open_candidate(int directory, const char *name)
{
	struct stat status;
	int fd = files_open(directory, name, O_RDWR, &status);

	if (fd >= 0 && (status.st_uid != 0 || status.st_nlink != 1 ||
			   (status.st_mode & (S_ISUID | S_ISGID | S_IWOTH)) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * The control file's lock keeps everybody else away while both files change hands.  The df goes
 * first: a control file that is the mail user's already has a body it can read.
 */
static bool
adopt_message(struct queue *queue, char kind, const char *id, uid_t owner, gid_t group)
{
	char control[QUEUE_NAME_SIZE], body[QUEUE_NAME_SIZE];
	bool adopted = false;
	int control_fd, body_fd;

	queue_name(control, kind, id);
	queue_name(body, 'd', id);
	control_fd = open_candidate(queue->qf_dir, control);
	if (control_fd < 0)
		return false;
	if (os_lock(control_fd, OS_LOCK_EXCLUSIVE, false) == 0 &&
	    files_is_named(queue->qf_dir, control, control_fd)) {
		body_fd = open_candidate(queue->df_dir, body);
		if (body_fd >= 0) {
			if (fchown(body_fd, owner, group) == 0)
				fchmod(body_fd, queue->file_mode);
			close(body_fd);
		}
		adopted = fchown(control_fd, owner, group) == 0;
		if (adopted && fchmod(control_fd, queue->file_mode) < 0)
			log_at(3, LOG_WARNING, "%s: cannot change the mode of %s", id, control);
	}
	close(control_fd);
	return adopted;
}

/* One directory. */
static int
adopt(struct queue *queue, uid_t owner, gid_t group)
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
			if (adopt_message(queue, kinds[k], entries[i].id, owner, group)) {
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
	int adopted = 0;

	for (; queue != NULL; queue = queue->next) {
		int count = adopt(queue, owner, group);

		if (count < 0)
			return -1;
		adopted += count;
	}
	return adopted;
}
