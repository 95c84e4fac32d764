#include "map/build.h"

#include <db.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/io.h"
#include "base/str.h"
#include "map_internal.h"
#include "os/os.h"

enum { CACHE_BYTES = 1024 * 1024, HASH_ELEMENTS = 4096, NAME_ATTEMPTS = 100, LEFT_SECONDS = 600 };

struct map_build {
	DB *db;
	char *path, *new_path; /* new_path NULL: written in place, under the lock */
	int old_fd;	       /* -1: there was none */
};

struct map_dump {
	DB *db;
	DBC *cursor;
	DBT key, value;
	int fd;
};

const char *
map_build_strerror(int error)
{
	if (error == MAP_BUILD_DUPLICATE)
		return "duplicate key";
	if (error == MAP_BUILD_NO_KEY)
		return "no such key";
	return error > 0 ? strerror(error) : db_strerror(error);
}

static void
keep_quiet(const DB_ENV *environment, const char *prefix, const char *message)
{
	(void)environment;
	(void)prefix;
	(void)message;
}

/* A handle set up as sendmail's tools do; 0 or an error. */
static int
open_handle(DB **db, const char *path, DBTYPE type, const struct map_build_request *request,
    u_int32_t flags)
{
	size_t cache =
	    request != NULL && request->cache_bytes > 0 ? request->cache_bytes : CACHE_BYTES;
	int error = db_create(db, NULL, 0);

	if (error != 0) {
		*db = NULL;
		return error;
	}
	(*db)->set_errcall(*db, keep_quiet);
	(*db)->set_cachesize(*db, 0, (u_int32_t)(cache > UINT32_MAX ? UINT32_MAX : cache), 0);
	if (type == DB_HASH)
		(*db)->set_h_nelem(*db, HASH_ELEMENTS);
	if (request != NULL && request->duplicates)
		error = (*db)->set_flags(*db, DB_DUP);
	if (error == 0)
		error = (*db)->open(*db, NULL, path, NULL, type, flags, 0600);
	if (error != 0) {
		(*db)->close(*db, 0);
		*db = NULL;
	}
	return error;
}

/*
 * Opens what is there now and locks it, until the file that is locked is the one that the name
 * stands for: another builder may have replaced it while this one waited.
 */
static int
lock_old(struct map_build *build)
{
	for (;;) {
		struct stat opened, named;

		build->old_fd = open(build->path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (build->old_fd < 0 && errno == EACCES) /* the directory's owner may replace it */
			build->old_fd =
			    open(build->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (build->old_fd < 0)
			return errno;
		if (fstat(build->old_fd, &opened) < 0 || !S_ISREG(opened.st_mode))
			return EINVAL;
		if (os_lock(build->old_fd, OS_LOCK_EXCLUSIVE, true) < 0 && errno != ENOLCK)
			return errno;
		if (stat(build->path, &named) == 0 && named.st_dev == opened.st_dev &&
		    named.st_ino == opened.st_ino)
			return 0;
		close(build->old_fd);
		build->old_fd = -1;
	}
}

static void
unlock_old(struct map_build *build)
{
	if (build->old_fd >= 0)
		close(build->old_fd);
	build->old_fd = -1;
}

/* What builders left who were killed: old files of this name whose process is gone (from here: it may be another host's). */
static void
remove_left(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
	size_t folder_length = (size_t)(base - path), length = strlen(base);
	struct str name = {0};
	struct stat status;
	struct dirent *entry;
	DIR *folder;

	str_add(&name, path, folder_length);
	folder = opendir(folder_length > 0 ? str_text(&name) : ".");
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		const char *rest = entry->d_name + length;
		char *end;
		long pid;

		if (strncmp(entry->d_name, base, length) != 0 || strncmp(rest, ".new-", 5) != 0)
			continue;
		pid = strtol(rest + 5, &end, 10);
		if (pid <= 0 || *end != '-' || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			continue;
		str_truncate(&name, folder_length);
		str_add_text(&name, entry->d_name);
		if (lstat(str_text(&name), &status) == 0 &&
		    time(NULL) - status.st_mtime > LEFT_SECONDS)
			unlink(str_text(&name));
	}
	if (folder != NULL)
		closedir(folder);
	str_free(&name);
}

/* An empty file beside the old one, with the mode and owner that the map is to have; -1: errno. */
static int
create_new(struct map_build *build, const struct map_build_request *request)
{
	size_t size = strlen(build->path) + 40;
	struct stat old;
	bool has_old = stat(build->path, &old) == 0;
	mode_t mask = umask(077);
	int fd = -1;

	umask(mask);
	remove_left(build->path);
	build->new_path = check_malloc(size);
	for (int attempt = 0; fd < 0 && attempt < NAME_ATTEMPTS; attempt++) {
		snprintf(
		    build->new_path, size, "%s.new-%ld-%d", build->path, (long)getpid(), attempt);
		fd = open(build->new_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0) {
		int saved = errno;

		free(build->new_path);
		build->new_path = NULL;
		errno = saved;
		return -1;
	}
	if (has_old && fchown(fd, old.st_uid, old.st_gid) < 0)
		has_old =
		    (old.st_mode & 077) == 0; /* not ours to give: others see no more than before */
	else if (!has_old && request->sets_owner && fchown(fd, request->owner, (gid_t)-1) < 0)
		has_old = false;
	if (fchmod(fd, has_old ? old.st_mode & 07777 : request->mode & ~mask) < 0) {
		close(fd);
		unlink(build->new_path);
		free(build->new_path);
		build->new_path = NULL;
		return -1;
	}
	return fd;
}

static int
start_in_place(struct map_build *build, const struct map_build_request *request)
{
	int error = lock_old(build);

	if (error == 0 && !request->keeps_old && ftruncate(build->old_fd, 0) < 0)
		error = errno;
	return error;
}

static int
start_beside(struct map_build *build, const struct map_build_request *request)
{
	int error = 0, fd;

	/* an editor holds the lock from the first byte it reads; a builder needs it at the end only */
	if (request->keeps_old)
		error = lock_old(build);
	if (error != 0)
		return error;
	fd = create_new(build, request);
	if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) {
		int denied = errno;

		unlock_old(build);
		return access(build->path, W_OK) == 0 ? start_in_place(build, request) : denied;
	}
	if (fd < 0)
		return errno;
	if (request->keeps_old)
		error = io_copy(build->old_fd, fd) ? 0 : errno;
	close(fd);
	return error;
}

struct map_build *
map_build_open(const struct map_build_request *request, int *error)
{
	struct map_build *build = check_malloc(sizeof *build);
	DBTYPE type = request->type == MAP_BUILD_BTREE ? DB_BTREE : DB_HASH;

	*build = (struct map_build){.path = check_strdup(request->path), .old_fd = -1};
	*error = start_beside(build, request);
	if (*error == 0)
		*error =
		    open_handle(&build->db, build->new_path != NULL ? build->new_path : build->path,
			type, request, request->keeps_old ? 0 : DB_CREATE);
	if (*error == 0)
		return build;
	map_build_abandon(build);
	return NULL;
}

int
map_build_put(struct map_build *build, const void *key, size_t key_length, const void *value,
    size_t value_length, bool replaces)
{
	DBT key_thing = {0}, value_thing = {0};
	u_int32_t flags = 0;
	int error;

	(void)build->db->get_flags(build->db, &flags);
	key_thing.data = (void *)key;
	key_thing.size = (u_int32_t)key_length;
	value_thing.data = (void *)value;
	value_thing.size = (u_int32_t)value_length;
	error = build->db->put(build->db, NULL, &key_thing, &value_thing,
	    replaces || (flags & DB_DUP) != 0 ? 0 : DB_NOOVERWRITE);
	return error == DB_KEYEXIST ? MAP_BUILD_DUPLICATE : error;
}

int
map_build_delete(struct map_build *build, const void *key, size_t key_length)
{
	DBT thing = {0};
	int error;

	thing.data = (void *)key;
	thing.size = (u_int32_t)key_length;
	error = build->db->del(build->db, NULL, &thing, 0);
	return error == DB_NOTFOUND ? MAP_BUILD_NO_KEY : error;
}

static int
sync_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	if (fsync(fd) < 0)
		error = errno;
	close(fd);
	return error;
}

static int
sync_directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == NULL ? check_strdup(".") : check_strdup(path);
	int fd, error = 0;

	if (slash != NULL)
		directory[slash == path ? 1 : slash - path] = '\0';
	fd = open(directory, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || os_sync_dir(fd) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	free(directory);
	return error;
}

/* The new file takes the name; those who have the old one open see its time change. */
static int
replace_old(struct map_build *build)
{
	int error = 0;

	if (build->old_fd < 0)
		error = lock_old(build);
	if (error != 0 && error != ENOENT)
		return error;
	if (rename(build->new_path, build->path) < 0)
		return errno;
	free(build->new_path);
	build->new_path = NULL;
	if (build->old_fd >= 0)
		futimens(build->old_fd, NULL);
	unlock_old(build);
	return sync_directory_of(build->path);
}

int
map_build_finish(struct map_build *build)
{
	int error = build->db->close(build->db, 0);

	build->db = NULL;
	if (error == 0)
		error = sync_file(build->new_path != NULL ? build->new_path : build->path);
	if (error == 0 && build->new_path != NULL)
		error = replace_old(build);
	map_build_abandon(build);
	return error;
}

void
map_build_abandon(struct map_build *build)
{
	if (build == NULL)
		return;
	if (build->db != NULL)
		build->db->close(build->db, DB_NOSYNC);
	if (build->new_path != NULL)
		unlink(build->new_path);
	unlock_old(build);
	free(build->new_path);
	free(build->path);
	free(build);
}

struct map_dump *
map_dump_open(const char *path, enum map_build_type type, bool any_type, int *error)
{
	struct map_dump *dump = check_malloc(sizeof *dump);
	DBTYPE db_type = any_type ? DB_UNKNOWN : type == MAP_BUILD_BTREE ? DB_BTREE : DB_HASH;
	struct stat status;

	*dump = (struct map_dump){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
	*error = dump->fd < 0 ? errno : 0;
	if (*error == 0 && (fstat(dump->fd, &status) < 0 || !S_ISREG(status.st_mode)))
		*error = EINVAL;
	if (*error == 0 && !map_lock_shared(dump->fd))
		*error = EWOULDBLOCK;
	if (*error == 0)
		*error = open_handle(&dump->db, path, db_type, NULL, DB_RDONLY);
	if (*error == 0)
		map_lock_shared(dump->fd); /* fcntl: the library dropped it */
	if (*error == 0)
		*error = dump->db->cursor(dump->db, NULL, &dump->cursor, 0);
	if (*error == 0)
		return dump;
	map_dump_close(dump);
	return NULL;
}

bool
map_dump_next(struct map_dump *dump, const char **key, size_t *key_length, const char **value,
    size_t *value_length, int *error)
{
	*error = dump->cursor->c_get(dump->cursor, &dump->key, &dump->value, DB_NEXT);
	if (*error != 0) {
		if (*error == DB_NOTFOUND)
			*error = 0;
		return false;
	}
	*key = dump->key.data;
	*key_length = dump->key.size;
	*value = dump->value.data;
	*value_length = dump->value.size;
	return true;
}

int
map_dump_get(struct map_dump *dump, const void *key, size_t key_length, const char **value,
    size_t *value_length)
{
	DBT want = {0};
	int error;

	want.data = (void *)key;
	want.size = (u_int32_t)key_length;
	memset(&dump->value, 0, sizeof dump->value);
	error = dump->db->get(dump->db, NULL, &want, &dump->value, 0);
	if (error != 0)
		return error == DB_NOTFOUND ? MAP_BUILD_NO_KEY : error;
	*value = dump->value.data;
	*value_length = dump->value.size;
	return 0;
}

void
map_dump_close(struct map_dump *dump)
{
	if (dump == NULL)
		return;
	if (dump->cursor != NULL)
		dump->cursor->c_close(dump->cursor);
	if (dump->db != NULL)
		dump->db->close(dump->db, 0);
	if (dump->fd >= 0)
		close(dump->fd);
	free(dump);
}
