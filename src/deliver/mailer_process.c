#include "config.h"

#include "deliver/mailer_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "os/os.h"
#include "proc/privilege.h"
#include "proc/signals.h"

struct identity {
	uid_t uid;
	gid_t gid;
	const char *user; /* for its supplementary groups; NULL: none */
};

/* The status that waitpid gives for exit(code). */
static int
exit_status(int code)
{
	return (code & 0xff) << 8;
}

static const struct passwd *
find_user(const char *name)
{
	return name[0] != '\0' ? getpwnam(name) : NULL;
}

/*
 * V8: flag S keeps root or takes U=; flag o is the recipient; else the sender when it is a user
 * here, else U=, else DefaultUser.  Root only by flag S.
 */
static struct identity
choose_identity(
    const struct config *config, const struct mailer *mailer, const struct spawn_request *request)
{
	struct identity fallback = {config->options.default_uid, config->options.default_gid, NULL};
	const struct passwd *user = NULL;
	static char name[256];

	if (mailer->has_uid)
		fallback.uid = mailer->uid;
	if (mailer->has_gid)
		fallback.gid = mailer->gid;
	if (mailer_has(mailer, 'S')) {
		if (!mailer->has_uid)
			fallback.uid = 0;
		if (!mailer->has_gid)
			fallback.gid = 0;
		return fallback;
	}
	user = find_user(mailer_has(mailer, 'o') ? request->users[0] : request->control_user);
	if (user != NULL && user->pw_uid != 0) {
		snprintf(name, sizeof name, "%s", user->pw_name);
		return (struct identity){
		    user->pw_uid, user->pw_gid, config->options.dont_init_groups ? NULL : name};
	}
	if (fallback.uid ==
	    0) { /* a cf that says so without flag S gets what V8 calls the default user */
		fallback.uid = config->options.default_uid;
		fallback.gid = config->options.default_gid;
	}
	return fallback;
}

static bool
uses_users(const char *word)
{
	for (; (word = strchr(word, '$')) != NULL; word++) {
		if (word[1] == 'u' || strncmp(word + 1, "{u}", 3) == 0)
			return true;
	}
	return false;
}

static struct macro_env *
make_macros(const struct config *config, const struct spawn_request *request, const char *home)
{
	struct macro_env *macros = macro_env_create(config->macros);

	config_set_macro(config, macros, "g", request->sender);
	config_set_macro(config, macros, "f", request->from);
	config_set_macro(config, macros, "h", request->host);
	config_set_macro(config, macros, "i", request->id);
	config_set_macro(config, macros, "z", home);
	config_set_macro(config, macros, "u", request->users[0]);
	return macros;
}

char **
spawn_arguments(const struct config *config, const struct mailer *mailer,
    const struct spawn_request *request, const char *home, struct arena *arena)
{
	char **argv = ARENA_ARRAY(arena, char *, mailer->argument_count + request->user_count + 4);
	struct macro_env *macros = make_macros(config, request, home);
	size_t count = 0, word = 0, users = request->user_count;

	if (mailer->argument_count > 0)
		argv[count++] =
		    (char *)config_expand(config, macros, mailer->arguments[word++], arena);
	if (request->add_sender_flag && (mailer_has(mailer, 'f') || mailer_has(mailer, 'r'))) {
		argv[count++] = arena_strdup(arena, mailer_has(mailer, 'f') ? "-f" : "-r");
		argv[count++] = arena_strdup(arena, request->sender);
	}
	for (; word < mailer->argument_count; word++) {
		const char *template = mailer->arguments[word];
		size_t repeat = uses_users(template) ? users : 1;

		for (size_t i = 0; i < repeat; i++) {
			config_set_macro(config, macros, "u", request->users[i]);
			argv[count++] = (char *)config_expand(config, macros, template, arena);
		}
		if (repeat > 1)
			users = 1; /* V8: a second $u finds only the first user */
	}
	argv[count] = NULL;
	macro_env_destroy(macros);
	return argv;
}

static char **
make_environment(const struct config *config, struct arena *arena)
{
	char **environment = ARENA_ARRAY(arena, char *, config->environment.count + 3);
	const char *zone = config->options.time_zone;
	size_t count = 0;

	environment[count++] = arena_strdup(arena, "AGENT=sendmail");
	if (zone == NULL || zone[0] == '\0')
		zone = getenv("TZ");
	if (zone != NULL && zone[0] != '\0')
		environment[count++] = arena_printf(arena, "TZ=%s", zone);
	for (size_t i = 0; i < config->environment.count; i++)
		environment[count++] = (char *)config->environment.items[i];
	return environment;
}

/* D= is a list with colons; the first that can be entered.  Without one: the root. */
static void
enter_directory(const struct config *config, const struct mailer *mailer,
    const struct spawn_request *request, const char *home, struct arena *arena)
{
	struct macro_env *macros = make_macros(config, request, home);
	char *list =
	    mailer->directory == NULL
		? NULL
		: arena_strdup(arena, config_expand(config, macros, mailer->directory, arena));
	char *rest = NULL;

	macro_env_destroy(macros);
	for (char *one = list == NULL ? NULL : strtok_r(list, ":", &rest); one != NULL;
	     one = strtok_r(NULL, ":", &rest)) {
		if (one[0] == '/' && chdir(one) == 0)
			return;
	}
	if (chdir("/") < 0)
		_exit(EX_OSERR);
}

static void
take_descriptors(int input, int output)
{
	/* out of the way first: either may be one of 0 to 2 */
	int in = fcntl(input, F_DUPFD, 3), out = fcntl(output, F_DUPFD, 3);

	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(EX_OSERR);
	os_close_from(3);
}

static void
execute(
    const struct config *config, const struct mailer *mailer, const struct spawn_request *request)
{
	struct arena *arena = arena_create();
	struct identity identity = choose_identity(config, mailer, request);
	const struct passwd *user = find_user(request->users[0]);
	const char *home = user != NULL ? arena_strdup(arena, user->pw_dir) : "/";
	char **argv = spawn_arguments(config, mailer, request, home, arena);
	char **environment = make_environment(config, arena);
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	setsid();
	umask(022);
	if (mailer->nice != 0 && nice(mailer->nice) < 0)
		errno = 0; /* -1 is a value of nice(2) as well */
	if (mailer->chroot != NULL && geteuid() == 0 &&
	    (chroot(mailer->chroot) < 0 || chdir("/") < 0)) {
		dprintf(2, "cannot chroot to %s: %s\n", mailer->chroot, strerror(errno));
		_exit(EX_TEMPFAIL);
	}
	if (geteuid() == 0 && !privilege_become(identity.uid, identity.gid, identity.user)) {
		dprintf(2, "cannot become user %ld: %s\n", (long)identity.uid, strerror(errno));
		_exit(EX_OSERR);
	}
	enter_directory(config, mailer, request, home, arena);
	execve(mailer->path, argv, environment);
	dprintf(2, "Cannot exec %s: %s\n", mailer->path, strerror(errno));
	log_at(1, LOG_CRIT, "%s: SYSERR: Cannot exec %s: %s", request->id, mailer->path,
	    strerror(errno));
	_exit(EX_OSERR);
}

/*
 * |program and /file run only what an alias, a .forward or a list file says; without those there
 * is nothing that could allow one.
 */
static bool
is_allowed(const struct config *config, const struct mailer *mailer, const char **why)
{
	if (mailer == NULL)
		*why = "no such mailer";
	else if (mailer_is_smtp(mailer) || mailer->path == NULL || mailer->path[0] != '/')
		*why = "not a local mailer";
	else if (mailer == config->prog_mailer || mailer == config->file_mailer ||
		 mailer == config->include_mailer)
		*why = "no alias allows it";
	else
		return true;
	return false;
}

int
mailer_process_run(
    const struct config *config, const struct spawn_request *request, int input, int output)
{
	const struct mailer *mailer = config_find_mailer(config, request->mailer);
	const char *why = NULL;
	int status = 0;
	pid_t child;

	if (!is_allowed(config, mailer, &why)) {
		dprintf(output, "mailer %s not run: %s\n", request->mailer, why);
		log_at(
		    1, LOG_ALERT, "%s: mailer %s not run: %s", request->id, request->mailer, why);
		return exit_status(EX_TEMPFAIL);
	}
	child = fork();
	if (child == 0) {
		signals_restore();
		take_descriptors(input, output);
		execute(config, mailer, request);
	}
	if (child < 0) {
		dprintf(output, "cannot fork: %s\n", strerror(errno));
		return exit_status(EX_TEMPFAIL);
	}
	close(input); /* the mailer's alone: the writer must notice when it ends */
	close(output);
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return exit_status(EX_TEMPFAIL);
	}
	return status;
}
