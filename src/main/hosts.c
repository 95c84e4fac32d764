#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "client/host_status.h"
#include "main/main.h"
#include "os/os.h"
#include "run/job_log.h"

enum {
	DEPTH_MAXIMUM = 128, /* labels of a name */
	RESULT_WIDTH = 25,   /* of 79 columns */
	FILE_MAXIMUM = 4096,
};

struct walk {
	const struct main_context *context;
	bool purges, has_heading;
};

static void
print_one(struct walk *walk, const struct host_state *state, const char *host, bool is_busy)
{
	struct str ago = {0}, words = {0};
	int width = walk->context->arguments->is_verbose ? -1 : RESULT_WIDTH;

	if (!walk->has_heading)
		puts(" -------------- Hostname --------------- How long ago "
		     "---------Results---------");
	walk->has_heading = true;
	job_log_interval(&ago, (long)(clock_now() - state->updated));
	host_status_words(state, &words);
	printf("%c%-39.39s %12s %.*s\n", is_busy ? '*' : ' ', host, str_text(&ago), width,
	    str_text(&words));
	str_free(&ago);
	str_free(&words);
}

static void
show_file(struct walk *walk, int directory, const char *path, const char *name, const char *host)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct arena *arena = arena_create();
	struct host_state state;
	char text[FILE_MAXIMUM + 1];
	const char *complaint;
	ssize_t length;

	if (fd >= 0) {
		bool is_busy = os_lock(fd, OS_LOCK_SHARED, false) < 0 && errno == EWOULDBLOCK;

		length = read(fd, text, FILE_MAXIMUM);
		text[length > 0 ? length : 0] = '\0';
		complaint = host_status_read(text, &state, arena);
		if (complaint != NULL) {
			fflush(stdout);
			main_report_error(walk->context, "%s/%s: %s", path, name, complaint);
		}
		if (state.updated != 0)
			print_one(walk, &state, host, is_busy);
		close(fd);
	}
	arena_destroy(arena);
}

/* V8: by the age of the file, whatever it says. */
static void
purge_file(const struct walk *walk, int directory, const char *name, time_t modified)
{
	if (clock_age(modified) > walk->context->config->options.timeouts.host_status)
		unlinkat(directory, name, 0);
}

/* `host`: what the folders so far stand for: "example.org" below org./example.; their files are hosts in it. */
static void
walk_folder(struct walk *walk, const char *path, const char *host, int depth)
{
	DIR *stream = opendir(path);
	struct dirent *one;

	if (stream == NULL)
		return;
	while ((one = readdir(stream)) != NULL) {
		const char *name = one->d_name;
		size_t length = strlen(name);
		struct str inner = {0}, inner_path = {0};
		struct stat status;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(status.st_mode))
			length -= length > 0 && name[length - 1] == '.';
		str_add(&inner, name, length);
		str_printf(&inner, "%s%s", *host != '\0' ? "." : "", host);
		if (S_ISDIR(status.st_mode) && depth < DEPTH_MAXIMUM) {
			str_printf(&inner_path, "%s/%s", path, name);
			walk_folder(walk, str_text(&inner_path), str_text(&inner), depth + 1);
			if (walk->purges) /* where something is left this fails, as it should */
				unlinkat(dirfd(stream), name, AT_REMOVEDIR);
		} else if (S_ISREG(status.st_mode) && walk->purges) {
			purge_file(walk, dirfd(stream), name, status.st_mtime);
		} else if (S_ISREG(status.st_mode)) {
			show_file(walk, dirfd(stream), path, name, str_text(&inner));
		}
		str_free(&inner);
		str_free(&inner_path);
	}
	closedir(stream);
}

int
main_hosts(struct main_context *context)
{
	struct walk walk = {.context = context, .purges = context->arguments->mode == MODE_PURGE};
	struct arena *arena = arena_create();
	int error;
	const char *directory = host_status_directory(context->config, arena, &error);

	/* what is wrong with it was said when the cf had been read */
	if (directory != NULL)
		walk_folder(&walk, directory, "", 0);
	arena_destroy(arena);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

void
main_warn_of_host_status(const struct main_context *context)
{
	const char *name = context->config->options.host_status_directory;
	struct arena *arena = arena_create();
	int error;

	if (host_status_directory(context->config, arena, &error) == NULL && error != 0)
		io_printf(STDERR_FILENO, "Warning: Cannot use HostStatusDirectory = %s: %s\n", name,
		    strerror(error));
	arena_destroy(arena);
}
