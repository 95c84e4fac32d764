#include "config.h"

#include "run/identity.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/text.h"
#include "proc/privilege.h"

static bool
owns_directory(uid_t uid, const char *path)
{
	struct stat status;
	char **paths = path != NULL ? queue_directories(path) : NULL;
	/* of several directories that a wildcard names the first one speaks for all */
	bool result = paths != NULL && paths[0] != NULL && stat(paths[0], &status) == 0 &&
		      S_ISDIR(status.st_mode) && status.st_uid == uid;

	free(paths);
	return result;
}

static void
take_user(struct identity *identity, const struct passwd *user)
{
	identity->uid = user->pw_uid;
	identity->gid = user->pw_gid;
	text_copy(identity->user, sizeof identity->user, user->pw_name);
}

void
identity_find(const struct config *config, const char *queue_path, struct identity *identity)
{
	const struct passwd *user;

	*identity = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (identity->uid != 0)
		return;
	if (config->options.has_run_as_user) {
		user = getpwuid(config->options.run_as_uid);
		if (user != NULL)
			take_user(identity, user);
		identity->uid = config->options.run_as_uid;
		identity->gid = config->options.run_as_gid;
	} else {
		user = getpwnam(MAIL_USER);
		if (user != NULL && owns_directory(user->pw_uid, queue_path))
			take_user(identity, user);
	}
	identity->is_change = identity->uid != 0 || identity->gid != getegid();
}

bool
identity_become(const struct identity *identity)
{
	/* V8: no group of the user but the one */
	return !identity->is_change || privilege_become(identity->uid, identity->gid, NULL);
}

static bool
has_own_directory(const struct config *config, const struct queue_group_conf *group)
{
	return group->path != NULL && strcmp(group->path, config->options.queue_directory) != 0 &&
	       !text_equal_nocase(group->name, "mqueue");
}

void
identity_check_groups(
    const struct config *config, void (*tell)(void *context, const char *problem), void *context)
{
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		struct queue *queue;
		struct str problem = {0};

		if (!has_own_directory(config, group))
			continue;
		queue = queue_open(group->path, 0600, false, false);
		if (queue == NULL) {
			str_printf(
			    &problem, "can not opendir(%s): %s", group->path, strerror(errno));
			tell(context, str_text(&problem));
		}
		str_free(&problem);
		queue_close(queue);
	}
}

/* What a group's directories lack keeps nobody from the others: its messages go to QueueDirectory meanwhile. */
static void
add_groups(const struct config *config, struct queue *queue)
{
	for (const struct queue_group_conf *group = config->queue_groups; group != NULL;
	     group = group->next) {
		if (has_own_directory(config, group))
			queue_add_group(queue, group->name, group->path);
	}
}

struct queue *
identity_open_queue(const struct config *config, bool is_client)
{
	const struct options *options = &config->options;
	mode_t mode = options->queue_file_mode != 0 ? options->queue_file_mode
		      : is_client		    ? 0660
						    : 0600;
	struct queue *queue = queue_open(
	    options->queue_directory, mode, is_client, options->super_safe != SUPER_SAFE_FALSE);

	if (queue != NULL) {
		add_groups(config, queue);
		queue_accept_owner(queue, options->trusted_uid);
	}
	return queue;
}
