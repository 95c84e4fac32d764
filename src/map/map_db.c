/* Classes hash, btree and implicit: Berkeley DB files as sendmail's makemap and newaliases write them. */
#include "map_internal.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/os.h"

enum {
	VERIFIED_MAXIMUM = 1024 * 1024,
	PAGE_MINIMUM = 512,
	/* up to here a file is read whole: a look-up is one stat, and the library is done with it */
	WHOLE_MAXIMUM = 128 * 1024,
};

#define BAD_MAGIC "BDB0525 " /* what verify() says of another kind of file */

struct db_state {
	const char *path; /* with .db */
	DB *db;
	struct map_records *records; /* of a small file, in place of db and fd */
	int fd;			     /* our own descriptor: its lock covers opening as well */
	pid_t owner;
	struct map_stamp stamp;
	bool asks_twin;	    /* we may not read it */
	bool is_text;	    /* an alias file without a database that can be used */
	struct stat unused; /* that database, as it was then; no inode: there was none */
	bool knows_kind, keys_have_nul; /* which kind of key hit first since the file was opened */
	char complaint[256];		/* what the library said last */
};

/* The library has one place for its complaints a handle; between two calls nobody else uses it. */
static char *complaint_buffer;

static void
keep_complaint(const DB_ENV *environment, const char *prefix, const char *message)
{
	(void)environment;
	(void)prefix;
	if (complaint_buffer != NULL && complaint_buffer[0] == '\0')
		text_copy(complaint_buffer, sizeof((struct db_state *)NULL)->complaint, message);
}

static struct db_state *
state_of(struct map *map)
{
	struct db_state *state = map->state;

	if (state == NULL) {
		map->state = state = ARENA_NEW(map->set->arena, struct db_state);
		state->path = text_ends_nocase(map->file, ".db")
				  ? map->file
				  : arena_printf(map->set->arena, "%s.db", map->file);
		state->fd = -1;
	}
	return state;
}

static DBTYPE
database_type(const struct map *map)
{
	return map->class == &map_class_btree ? DB_BTREE : DB_HASH;
}

static void
close_database(struct map *map)
{
	struct db_state *state = map->state;

	if (state == NULL)
		return;
	if (state->db != NULL)
		state->db->close(state->db, 0);
	if (state->fd >= 0)
		close(state->fd);
	map_records_free(state->records);
	state->db = NULL;
	state->records = NULL;
	state->fd = -1;
	state->knows_kind = false;
	state->asks_twin = false;
	if (state->is_text)
		map_stab_close(map);
	state->is_text = false;
}

static void
keep_quiet(const DB_ENV *environment, const char *message)
{
	(void)environment;
	(void)message;
}

/*
 * The library trusts what it reads, and a damaged file (a disk that filled up under real makemap)
 * may end the process.  Files of a usual size are looked through first; large ones would take
 * too long. 0, or EINVAL.
 */
static int
verify_file(struct db_state *state)
{
	DB *checker;

	if (state->stamp.size > VERIFIED_MAXIMUM)
		return 0;
	if (state->stamp.size < PAGE_MINIMUM) /* the library's open has no word for it either */
		return EINVAL;
	if (db_create(&checker, NULL, 0) != 0)
		return 0;
	checker->set_errcall(checker, keep_complaint);
	checker->set_msgcall(checker, keep_quiet); /* it would print the pages, passwords and all */
	return checker->verify(checker, state->path, NULL, NULL, 0) == 0
		   ? 0
		   : EINVAL; /* frees the handle */
}

/* 0, or what DB said. */
static int
open_handle(struct map *map, struct db_state *state)
{
	int error;

	state->complaint[0] = '\0';
	complaint_buffer = state->complaint;
	error = verify_file(state);
	/* no database at all: the library refuses it without looking further, in words that are known */
	if (error != 0 && text_starts(state->complaint, BAD_MAGIC)) {
		state->complaint[0] = '\0';
		error = 0;
	}
	if (error == 0)
		error = db_create(&state->db, NULL, 0);
	if (error != 0) {
		complaint_buffer = NULL;
		state->db = NULL;
		return error;
	}
	state->db->set_errcall(state->db, keep_complaint);
	error =
	    state->db->open(state->db, NULL, state->path, NULL, database_type(map), DB_RDONLY, 0);
	complaint_buffer = NULL;
	if (error != 0) {
		state->db->close(state->db, 0);
		state->db = NULL;
	}
	return error;
}

/* Done with the file until it changes. */
static void
read_whole(struct db_state *state)
{
	if (state->stamp.size > WHOLE_MAXIMUM)
		return;
	state->records = map_records_read(state->db);
	if (state->records == NULL)
		return;
	state->db->close(state->db, 0);
	close(state->fd);
	state->db = NULL;
	state->fd = -1;
}

/*
 * Opens under the lock, since writers rewrite in place.  Where locks are fcntl's, the library loses
 * it when it closes a descriptor of its own: it is taken again, and a file that changed in between
 * is opened once more.  0 or an errno; the file stays locked when it is 0.
 */
static int
open_locked(struct map *map, struct db_state *state)
{
	for (int attempt = 0; attempt < 10; attempt++) {
		struct map_stamp now;
		struct stat status;
		int error;

		state->fd = open(state->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (state->fd < 0)
			return errno;
		if (fstat(state->fd, &status) < 0 || !S_ISREG(status.st_mode)) {
			close_database(map);
			return EINVAL;
		}
		if (!map_lock_shared(state->fd)) {
			close_database(map);
			return EWOULDBLOCK;
		}
		fstat(state->fd, &status);
		map_stamp_take(&state->stamp, &status);
		error = open_handle(map, state);
		if (!map_lock_shared(state->fd)) {
			close_database(map);
			return EWOULDBLOCK;
		}
		if (stat(state->path, &status) == 0) {
			map_stamp_take(&now, &status);
			if (map_stamp_equal(&now, &state->stamp)) {
				if (error != 0)
					close_database(map);
				state->owner = getpid();
				return error;
			}
		}
		close_database(map);
	}
	return EWOULDBLOCK;
}

static void
unlock(const struct db_state *state)
{
	if (state->fd >= 0)
		map_unlock(state->fd);
}

static bool
lock(const struct db_state *state)
{
	return state->records != NULL || map_lock_shared(state->fd);
}

/* V8 uses it nevertheless. */
static void
tell_age(struct map *map, struct db_state *state)
{
	struct stat text;

	if (stat(map->file, &text) == 0 && text.st_mtime > state->stamp.changed.tv_sec)
		log_at(4, LOG_INFO, "alias database %s out of date", state->path);
}

static void
look_at_database(const struct db_state *state, struct stat *status)
{
	if (stat(state->path, status) < 0)
		*status = (struct stat){0};
}

/* V8: aliases whose database cannot be used, for whatever reason, are those of their text. */
static bool
open_text_instead(struct map *map, struct map_call *call)
{
	struct db_state *state = state_of(map);

	if (!map->is_alias || map->class != &map_class_implicit || !map_stab_open(map, call))
		return map_open_failed(map, call, "%s", "");
	look_at_database(state, &state->unused);
	map->said_failure = true;
	state->is_text = true;
	return true;
}

/* False once its database is another one, or may be used. */
static bool
is_still_text(const struct db_state *state)
{
	struct stat now;

	look_at_database(state, &now);
	return now.st_dev == state->unused.st_dev && now.st_ino == state->unused.st_ino &&
	       now.st_size == state->unused.st_size && now.st_ctime == state->unused.st_ctime;
}

static bool
open_database(struct map *map, struct map_call *call)
{
	struct db_state *state = state_of(map);
	const char *unsafe, *class = map->class->name;
	struct stat status;
	int error;

	if (!map->said_failure)
		map_trace_file(map);
	if (map_twin_is_there() && faccessat(AT_FDCWD, state->path, R_OK, AT_EACCESS) < 0 &&
	    errno == EACCES) {
		state->asks_twin = true;
		return true;
	}
	if (stat(state->path, &status) < 0 && errno == ENOENT) {
		if (!map->said_failure && trace_on(38, 2))
			trace_print("\tmissing map file: %s\n", strerror(ENOENT));
		if (map->class == &map_class_implicit)
			return open_text_instead(map, call);
		if (map->options.is_optional)
			return map_open_failed(map, call, "%s", "");
		return map_open_denied(map, call, "%s map \"%s\": missing map file %s: %s", class,
		    map->name, state->path, strerror(ENOENT));
	}
	if ((unsafe = map_unsafe_file(map, state->path)) != NULL &&
	    map->class == &map_class_implicit) {
		/* V8 is silent here as well */
		if (!map->said_failure)
			log_at(3, LOG_ERR, "implicit map \"%s\": unsafe map file %s: %s", map->name,
			    state->path, unsafe);
		return open_text_instead(map, call);
	}
	if (unsafe != NULL)
		return map_open_denied(map, call, "%s map \"%s\": unsafe map file %s: %s", class,
		    map->name, state->path, unsafe);
	error = open_locked(map, state);
	if ((error == EACCES || error == EPERM) && map->class == &map_class_implicit)
		return open_text_instead(map, call);
	if (error == EACCES || error == EPERM)
		return map_open_denied(map, call, "%s map \"%s\": unsafe map file %s: %s", class,
		    map->name, state->path, strerror(error));
	/* what the library itself says stands there with -o as well */
	if (error != 0 && (map->options.is_optional || map->class == &map_class_implicit) &&
	    !map->said_failure && state->complaint[0] != '\0')
		map_notice(call, "%s", state->complaint);
	if (error != 0 && map->class == &map_class_implicit)
		return open_text_instead(map, call);
	if (error != 0)
		return map_open_denied(map, call, "%s%sCannot open %s database %s: %s",
		    state->complaint, state->complaint[0] != '\0' ? "\n" : "",
		    database_type(map) == DB_HASH ? "hash" : "btree", state->path,
		    error > 0 ? strerror(error) : db_strerror(error));
	read_whole(state);
	unlock(state);
	if (map->is_alias)
		tell_age(map, state);
	return true;
}

/*
 * Locks what is read from the file, and opens again what is no longer the file that its name stands
 * for. false: no longer usable.
 */
static bool
refresh(struct map *map, struct map_call *call, struct db_state *state)
{
	struct map_stamp now;
	struct stat status;

	if (state->records != NULL || (state->owner == getpid() && map_lock_shared(state->fd))) {
		if (stat(state->path, &status) == 0) {
			map_stamp_take(&now, &status);
			if (map_stamp_equal(&now, &state->stamp))
				return true;
		} else if (errno != ENOENT) {
			return true; /* what is open is better than nothing */
		}
		unlock(state);
	}
	close_database(map);
	map->is_open = false;
	map->is_open = open_database(map, call);
	return map->is_open && !state->asks_twin && lock(state);
}

/* 0 and *value (malloc), DB_NOTFOUND, or another error. */
static int
get(struct db_state *state, const char *key, bool with_nul, char **value)
{
	DBT want = {0}, got = {0};
	int error;

	if (state->records != NULL) {
		const char *found = map_records_get(state->records, key, with_nul);

		if (found != NULL)
			*value = check_strdup(found);
		return found != NULL ? 0 : DB_NOTFOUND;
	}
	want.data = (void *)key;
	want.size = (u_int32_t)(strlen(key) + (with_nul ? 1 : 0));
	got.flags = DB_DBT_MALLOC;
	error = state->db->get(state->db, NULL, &want, &got, 0);
	if (error != 0)
		return error;
	*value = check_malloc((size_t)got.size + 1);
	memcpy(*value, got.data, got.size);
	(*value)[got.size] = '\0';
	free(got.data);
	return 0;
}

static enum map_keys
key_kinds(const struct map *map)
{
	const struct db_state *state = map->state;
	unsigned kinds = 0;

	if (!map->options.only_with_nul && (!state->knows_kind || !state->keys_have_nul))
		kinds |= MAP_KEYS_PLAIN;
	if (!map->options.only_plain && (!state->knows_kind || state->keys_have_nul))
		kinds |= MAP_KEYS_WITH_NUL;
	return kinds;
}

static int
get_either(struct map *map, struct db_state *state, const char *key, char **value)
{
	unsigned kinds = key_kinds(map);
	bool try_nul = (kinds & MAP_KEYS_WITH_NUL) != 0;
	int error = DB_NOTFOUND;

	if ((kinds & MAP_KEYS_PLAIN) != 0)
		error = get(state, key, false, value);
	if (error == 0) {
		state->knows_kind = !map->options.only_plain;
		state->keys_have_nul = false;
	} else if (error == DB_NOTFOUND && try_nul) {
		error = get(state, key, true, value);
		if (error == 0) {
			state->knows_kind = !map->options.only_with_nul;
			state->keys_have_nul = true;
		}
	}
	return error;
}

static void
lookup_database(struct map *map, struct map_call *call)
{
	struct db_state *state = map->state;
	char *value = NULL;
	int error;

	if (state->is_text) {
		if (!is_still_text(state)) {
			close_database(map); /* somebody made the database */
			map->is_open = open_database(map, call);
		}
		if (state->is_text) {
			map_stab_lookup(map, call);
			return;
		}
		if (!map->is_open) {
			map_miss(call, EX_TEMPFAIL);
			return;
		}
	}
	if (!state->asks_twin && !refresh(map, call, state) && !state->asks_twin) {
		map_miss(call, map->options.is_optional ? EX_OK : EX_TEMPFAIL);
		return;
	}
	if (state->asks_twin) {
		state->asks_twin = false;
		map->is_open = false; /* looked at anew each time: the file's mode may be mended */
		map_twin_ask(map, call);
		return;
	}
	error = get_either(map, state, map_fold_key(map, call), &value);
	unlock(state);
	if (error == 0) {
		map_give(map, call, value);
		/* the value may be a password */
		os_wipe(value, strlen(value));
		free(value);
	} else if (error == DB_NOTFOUND) {
		map_miss(call, EX_OK);
	} else {
		map_say(call, "%s map \"%s\": %s: %s", map->class->name, map->name, state->path,
		    error > 0 ? strerror(error) : db_strerror(error));
		map_miss(call, EX_TEMPFAIL);
	}
}

const struct map_class map_class_hash = {.name = "hash",
    .declare = map_declare_file,
    .open = open_database,
    .lookup = lookup_database,
    .close = close_database,
    .key_kinds = key_kinds,
    .trace_name = "db"};
const struct map_class map_class_btree = {.name = "btree",
    .declare = map_declare_file,
    .open = open_database,
    .lookup = lookup_database,
    .close = close_database,
    .key_kinds = key_kinds,
    .trace_name = "db"};
const struct map_class map_class_implicit = {.name = "implicit",
    .declare = map_declare_file,
    .open = open_database,
    .lookup = lookup_database,
    .close = close_database,
    .key_kinds = key_kinds,
    .trace_name = "db"};
