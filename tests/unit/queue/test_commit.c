#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/os.h"
#include "queue/queue.h"

static char directory[64];

static int
make_queue(void **state)
{
	struct queue *queue;

	snprintf(directory, sizeof directory, "/tmp/pillarbox-queue.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	queue = queue_open(directory, 0600, false, true);
	*state = queue;
	return queue != NULL ? 0 : -1;
}

static int
remove_queue(void **state)
{
	char command[128];

	queue_close(*state);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

/* Names in the queue, sorted, one string: "df qf " and so on; ids are left out. */
static const char *
listing(void)
{
	static char text[256];
	struct dirent **names;
	int count = scandir(directory, &names, NULL, alphasort);

	text[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.')
			snprintf(text + strlen(text), sizeof text - strlen(text), "%.2s ",
			    names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return text;
}

static void
path_of(char path[128], char kind, const char *id)
{
	snprintf(path, 128, "%s/%cf%s", directory, kind, id);
}

/* A committed message; *kept is the envelope when it stays locked. */
static void
commit(struct queue *queue, char id[ENVELOPE_ID_SIZE], struct envelope **kept)
{
	struct envelope *envelope = envelope_create();
	int fd;

	queue_new_id(envelope->id);
	snprintf(id, ENVELOPE_ID_SIZE, "%s", envelope->id);
	envelope->sender = "alice";
	envelope->created = 1795171798;
	envelope_add_recipient(envelope, "bob@example.org", RECIPIENT_PRIMARY);
	fd = queue_body_create(queue, id);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "body\n", 5), 5);
	assert_int_equal(queue_commit(queue, envelope, fd, kept != NULL), 0);
	if (kept != NULL)
		*kept = envelope;
	else
		envelope_destroy(envelope);
}

static void
write_file(char kind, const char *id, const char *text)
{
	char path[128];
	FILE *file;

	path_of(path, kind, id);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

static void
a_committed_message_can_be_taken(void **state)
{
	struct queue *queue = *state;
	char id[ENVELOPE_ID_SIZE], path[128], body[8] = "";
	struct envelope *envelope, *other;
	struct stat status;
	mode_t mask = umask(0277);

	commit(queue, id, NULL);
	umask(mask);
	assert_string_equal(listing(), "df qf ");
	path_of(path, 'q', id);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(queue_take(queue, id, &envelope), QUEUE_TAKEN);
	assert_string_equal(envelope->sender, "alice");
	assert_int_equal(envelope->body_size, 5);
	assert_int_equal(read(envelope->body_fd, body, sizeof body), 5);
	assert_string_equal(body, "body\n");
	assert_int_equal(queue_peek(queue, 'q', id, &other), QUEUE_TAKEN);
	envelope_destroy(other);
	assert_int_equal(queue_remove(queue, envelope), 0);
	envelope_destroy(envelope);
	assert_string_equal(listing(), "");
	assert_int_equal(queue_take(queue, id, &envelope), QUEUE_GONE);
}

static void
the_lock_outlives_a_rewrite(void **state)
{
	struct queue *queue = *state;
	char id[ENVELOPE_ID_SIZE];
	struct envelope *envelope, *other;

	commit(queue, id, &envelope);
	/* flock sees another descriptor of this process as a stranger; fcntl would not */
	if (strcmp(os_lock_name(), "flock") == 0)
		assert_int_equal(queue_take(queue, id, &other), QUEUE_LOCKED);
	envelope->status = "Deferred: try later";
	envelope->attempts = 1;
	assert_int_equal(queue_rewrite(queue, envelope), 0);
	assert_string_equal(listing(), "df qf ");
	if (strcmp(os_lock_name(), "flock") == 0)
		assert_int_equal(queue_take(queue, id, &other), QUEUE_LOCKED);
	envelope_destroy(envelope);
	assert_int_equal(queue_take(queue, id, &other), QUEUE_TAKEN);
	assert_string_equal(other->status, "Deferred: try later");
	assert_true(other->body_inode != 0);
	envelope_destroy(other);
}

static void
quarantine_changes_the_name(void **state)
{
	struct queue *queue = *state;
	char id[ENVELOPE_ID_SIZE];
	struct envelope *envelope;

	commit(queue, id, &envelope);
	envelope->quarantine = "why";
	assert_int_equal(queue_rewrite(queue, envelope), 0);
	assert_string_equal(listing(), "df hf ");
	envelope_destroy(envelope);
	assert_int_equal(queue_take(queue, id, &envelope), QUEUE_GONE);
	assert_int_equal(queue_take_kind(queue, 'h', id, &envelope), QUEUE_TAKEN);
	assert_string_equal(envelope->quarantine, "why");
	envelope->quarantine = NULL;
	assert_int_equal(queue_rewrite(queue, envelope), 0);
	assert_string_equal(listing(), "df qf ");
	assert_int_equal(queue_remove(queue, envelope), 0);
	envelope_destroy(envelope);
	assert_string_equal(listing(), "");
}

static void
bad_files_are_set_aside_and_others_left(void **state)
{
	struct queue *queue = *state;
	struct envelope *envelope;
	char path[128];

	write_file('q', "aa1", "V8\nSx\nY bad\n.\n");
	write_file('d', "aa1", "b");
	assert_int_equal(queue_take(queue, "aa1", &envelope), QUEUE_SET_ASIDE);
	assert_string_equal(queue->complaint, "readqf: ./qfaa1: line 3: bad line \"Y bad\"");
	assert_string_equal(listing(), "Qf df ");
	write_file('q', "aa2", "V8\nSx\nRP:a\n.\n");
	assert_int_equal(queue_take(queue, "aa2", &envelope), QUEUE_SET_ASIDE);
	assert_string_equal(
	    queue->complaint, "readqf: cannot open ./dfaa2: No such file or directory");
	assert_string_equal(listing(), "Qf Qf df ");
	write_file('q', "aa3", "V8\nSx\n");
	assert_int_equal(queue_take(queue, "aa3", &envelope), QUEUE_NOT_YET);
	write_file('q', "aa4", "");
	assert_int_equal(queue_take(queue, "aa4", &envelope), QUEUE_NOT_YET);
	assert_string_equal(queue->complaint, "");
	assert_string_equal(listing(), "Qf Qf df qf qf ");
	write_file('q', "aa5", "V8\nSx\nRP:a\n.\n");
	write_file('d', "aa5", "b");
	path_of(path, 'q', "aa5");
	chmod(path, 0622);
	assert_int_equal(queue_take(queue, "aa5", &envelope), QUEUE_SET_ASIDE);
	write_file('q', "aa6", "V8\nSx\nd/tmp\nRP:a\n.\n");
	write_file('d', "aa6", "b");
	assert_int_equal(queue_take(queue, "aa6", &envelope), QUEUE_SET_ASIDE);
}

static void
only_regular_files_are_opened(void **state)
{
	struct queue *queue = *state;
	struct queue_entry *entries;
	struct envelope *envelope;
	char path[128];
	size_t count;

	write_file('x', "outside", "V8\nSx\nRP:a\n.\n");
	path_of(path, 'q', "ln1");
	assert_int_equal(symlink("xfoutside", path), 0);
	path_of(path, 'q', "ff1");
	assert_int_equal(mkfifo(path, 0600), 0);
	path_of(path, 'q', "dr1");
	assert_int_equal(mkdir(path, 0700), 0);
	write_file('q', "ok1", "V8\nSx\nRP:a\n.\n");
	path_of(path, 'd', "ok1");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(queue_take(queue, "ln1", &envelope), QUEUE_NOT_OURS);
	assert_int_equal(queue_take(queue, "ff1", &envelope), QUEUE_NOT_OURS);
	assert_int_equal(queue_take(queue, "dr1", &envelope), QUEUE_NOT_OURS);
	assert_int_equal(queue_scan(queue, 'q', &entries, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(entries[0].id, "ok1");
	free(entries);
	assert_int_equal(queue_take(queue, "ok1", &envelope), QUEUE_SET_ASIDE);
}

static void
removals_can_be_batched(void **state)
{
	struct queue *queue = *state;
	char id[ENVELOPE_ID_SIZE];

	queue->batch_removals = true;
	for (int i = 0; i < QUEUE_PENDING_MAXIMUM + 3; i++) {
		struct envelope *envelope;

		commit(queue, id, &envelope);
		assert_int_equal(queue_remove(queue, envelope), 0);
		envelope_destroy(envelope);
	}
	assert_string_equal(listing(), "df df df ");
	assert_int_equal(queue_flush(queue), 0);
	assert_string_equal(listing(), "");
}

static void
a_failed_commit_leaves_nothing(void **state)
{
	struct queue *queue = *state;
	struct envelope *envelope = envelope_create();
	int fd;

	queue_new_id(envelope->id);
	fd = queue_body_create(queue, envelope->id);
	assert_true(fd >= 0);
	assert_int_equal(queue_body_create(queue, envelope->id), -1);
	assert_int_equal(errno, EEXIST);
	assert_string_equal(listing(), "df ");
	close(fd);
	/* a descriptor that cannot be synced stands for a failing disk */
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	close(fd);
	assert_int_equal(queue_commit(queue, envelope, fd, false), -1);
	assert_string_equal(listing(), "");
	envelope_destroy(envelope);
}

static void
what_killed_programs_left_is_swept(void **state)
{
	struct queue *queue = *state;
	struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
	static const char names[][8] = {
	    "df1", "tf1", "xf1", "df2", "qf2", "df3", "df4", "hf4", "df5", "Qf5"};
	char path[128];
	int fd;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		write_file(names[i][0], names[i] + 2, "x");
		path_of(path, names[i][0], names[i] + 2);
		assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	}
	write_file('d', "6", "young");
	path_of(path, 'd', "3");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(os_lock(fd, OS_LOCK_EXCLUSIVE, false), 0);
	assert_int_equal(queue_sweep(queue, 120), strcmp(os_lock_name(), "flock") == 0 ? 3 : 4);
	assert_string_equal(listing(), strcmp(os_lock_name(), "flock") == 0
					   ? "Qf df df df df df hf qf "
					   : "Qf df df df df hf qf ");
	close(fd);
}

static void
parts_may_have_their_own_directories(void **state)
{
	struct queue *queue;
	char path[128], id[ENVELOPE_ID_SIZE];
	struct envelope *envelope;

	(void)state;
	snprintf(path, sizeof path, "%s/df", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/qf", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	queue = queue_open(directory, 0600, false, true);
	assert_non_null(queue);
	commit(queue, id, NULL);
	snprintf(path, sizeof path, "%s/df/df%s", directory, id);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof path, "%s/qf/qf%s", directory, id);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(queue_take(queue, id, &envelope), QUEUE_TAKEN);
	assert_int_equal(queue_remove(queue, envelope), 0);
	assert_int_equal(access(path, F_OK), -1);
	envelope_destroy(envelope);
	queue_close(queue);
}

static void
wildcards_name_several_queues(void **state)
{
	static const char *const names[] = {"q2", "q1", "q10", "other"};
	char path[128], **list;
	int count;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	write_file('q', "file", "x");
	snprintf(path, sizeof path, "%s/q*", directory);
	list = queue_directories(path);
	for (count = 0; list[count] != NULL; count++)
		assert_int_equal(strncmp(strrchr(list[count], '/'), "/q", 2), 0);
	assert_int_equal(count, 3);
	free(list);
	list = queue_directories("/no/such/queue");
	assert_string_equal(list[0], "/no/such/queue");
	free(list);
	assert_null(queue_open("/no/such/queue", 0600, false, true));
	assert_int_equal(errno, ENOENT);
}

static void
a_wildcard_is_one_queue(void **state)
{
	char path[128], ids[20][ENVELOPE_ID_SIZE];
	struct queue_entry *entries;
	struct envelope *envelope;
	struct queue *queue;
	bool used[2] = {false, false};
	size_t count;

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/q%d", directory, i);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof path, "%s/q*", directory);
	queue = queue_open(path, 0600, false, true);
	assert_non_null(queue);
	queue->batch_removals = true;
	for (int i = 0; i < 20; i++)
		commit(queue, ids[i], NULL);
	assert_int_equal(queue_scan(queue, 'q', &entries, &count), 0);
	assert_int_equal(count, 20);
	free(entries);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(queue_peek(queue, 'q', ids[i], &envelope), QUEUE_TAKEN);
		envelope_destroy(envelope);
		assert_int_equal(queue_take(queue, ids[i], &envelope), QUEUE_TAKEN);
		used[envelope->queue_part] = true;
		assert_int_equal(queue_rewrite(queue, envelope), 0);
		assert_int_equal(queue_remove(queue, envelope), 0);
		envelope_destroy(envelope);
		assert_int_equal(queue_take(queue, ids[i], &envelope), QUEUE_GONE);
	}
	assert_true(used[0] && used[1]);
	assert_int_equal(queue_flush(queue), 0);
	assert_int_equal(queue_scan(queue, 'd', &entries, &count), 0);
	assert_int_equal(count, 0);
	free(entries);
	queue_close(queue);
}

int
main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, make_queue, remove_queue)
	const struct CMUnitTest tests[] = {
	    ROW(a_committed_message_can_be_taken),
	    ROW(the_lock_outlives_a_rewrite),
	    ROW(quarantine_changes_the_name),
	    ROW(bad_files_are_set_aside_and_others_left),
	    ROW(only_regular_files_are_opened),
	    ROW(removals_can_be_batched),
	    ROW(a_failed_commit_leaves_nothing),
	    ROW(what_killed_programs_left_is_swept),
	    ROW(parts_may_have_their_own_directories),
	    ROW(wildcards_name_several_queues),
	    ROW(a_wildcard_is_one_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
