#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "files.h"
#include "os/os.h"

/* The lines again, without the q line, with a new one before the sender; false when the end is missing. */
static bool
edit(const struct str *content, const char *reason, struct str *out, struct str *old_reason,
    bool *had_one)
{
	const char *at = str_text(content), *end = at + content->length;
	bool is_done = reason == NULL;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = newline != NULL ? (size_t)(newline - at) + 1 : (size_t)(end - at);

		if (*at == 'q') {
			*had_one = true;
			str_add(old_reason, at + 1, length - (newline != NULL ? 2 : 1));
		} else {
			if (!is_done && (*at == 'S' || *at == '.' || *at == 'H' || *at == 'R')) {
				str_add_char(out, 'q');
				for (const char *one = reason; *one != '\0'; one++)
					str_add_char(
					    out, *one == '\n' || *one == '\r' ? ' ' : *one);
				str_add_char(out, '\n');
				is_done = true;
			}
			str_add(out, at, length);
			if (*at == '.' && length <= 2)
				return true;
		}
		at += length;
	}
	return false;
}

static enum quarantine_result
change(struct queue *queue, char kind, const char *id, int fd, off_t size, const char *reason,
    struct str *old_reason)
{
	enum quarantine_result result = QUARANTINE_ERROR;
	struct str content = {0}, text = {0};
	bool had_one = false;
	int new_fd;

	if (files_read_control(fd, size, &content) < 0) {
		result = QUARANTINE_ERROR;
	} else if (content.length == 0) {
		result = QUARANTINE_SKIPPED;
	} else if (!edit(&content, reason, &text, old_reason, &had_one)) {
		result = QUARANTINE_INCOMPLETE;
	} else if (had_one == (reason != NULL) && kind == (reason != NULL ? 'h' : 'q') &&
		   (reason == NULL || strcmp(str_text(old_reason), reason) == 0)) {
		result = QUARANTINE_SAME;
	} else {
		new_fd =
		    files_replace_control(queue, id, fd, &kind, reason != NULL ? 'h' : 'q', &text);
		if (new_fd >= 0 && files_sync_control(queue) == 0)
			result = QUARANTINE_CHANGED;
		files_close(new_fd);
	}
	str_free(&content);
	str_free(&text);
	return result;
}

enum quarantine_result
queue_quarantine(
    struct queue *queue, char kind, const char *id, const char *reason, struct str *old_reason)
{
	enum quarantine_result result;
	char name[QUEUE_NAME_SIZE];
	struct stat status;
	int fd;

	str_clear(old_reason);
	if (!queue_id_is_valid(id))
		return QUARANTINE_SKIPPED;
	queue_name(name, kind, id);
	fd = files_open(queue->qf_dir, name, O_RDWR, &status);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP ? QUARANTINE_SKIPPED : QUARANTINE_ERROR;
	if (os_lock(fd, OS_LOCK_EXCLUSIVE, false) < 0 || !files_is_named(queue->qf_dir, name, fd))
		result = QUARANTINE_LOCKED;
	else
		result = change(queue, kind, id, fd, status.st_size, reason, old_reason);
	files_close(fd);
	if (result == QUARANTINE_CHANGED && reason != NULL)
		log_at(5, LOG_INFO, "%s: quarantine=%s", id, reason);
	else if (result == QUARANTINE_CHANGED)
		log_at(5, LOG_INFO, "%s: unquarantine", id);
	return result;
}
