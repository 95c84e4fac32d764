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
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "deliver/file_mailer.h"
#include "deliver/proof.h"
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

/* What one run of a mailer comes to, once it is known to be allowed. */
struct run {
	const struct mailer *mailer;
	struct identity identity;
	const char *const *users; /* $u */
	size_t user_count;
	const char *home; /* $z */
	bool is_file;	  /* users[0] is the name of a file to append to */
};

/* What a cf without flag S says about root gets what V8 calls the default user. */
static struct identity
never_root(const struct config *config, struct identity identity)
{
	if (identity.uid == 0) {
		identity.uid = config->options.default_uid;
		identity.user = NULL;
	}
	if (identity.gid == 0)
		identity.gid = config->options.default_gid;
	return identity;
}

/*
 * V8: flag S keeps root or takes U=; flag o is the recipient; else the sender when it is a user
 * here, else U=, else DefaultUser.  Root only by flag S.
 */
static struct identity
choose_identity(const struct config *config, const struct mailer *mailer,
    const struct spawn_request *request, struct arena *arena)
{
	struct identity fallback = {config->options.default_uid, config->options.default_gid, NULL};
	const struct passwd *user = NULL;

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
	if (user != NULL && user->pw_uid != 0)
		return (struct identity){user->pw_uid, user->pw_gid,
		    config->options.dont_init_groups ? NULL : arena_strdup(arena, user->pw_name)};
	return fallback.uid == 0 ? never_root(config, fallback) : fallback;
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

struct macro_env *
spawn_macros(const struct config *config, const struct spawn_request *request, const char *home)
{
	struct macro_env *macros = macro_env_create(config->macros);

	/* a message has macros of its own, but none of the configuration's */
	for (const struct saved_macro *one = request->macros; one != NULL; one = one->next) {
		if (config_macro(config, config->macros, one->name) == NULL)
			config_set_macro(config, macros, one->name, one->value);
	}
	config_set_macro(config, macros, "g", request->sender);
	config_set_macro(config, macros, "f", request->from);
	config_set_macro(config, macros, "h", request->host);
	config_set_macro(config, macros, "i", request->id);
	config_set_macro(config, macros, "z", home);
	return macros;
}

static char **
make_arguments(const struct config *config, const struct spawn_request *request,
    const struct run *run, struct arena *arena)
{
	const struct mailer *mailer = run->mailer;
	char **argv = ARENA_ARRAY(arena, char *, mailer->argument_count + run->user_count + 4);
	struct macro_env *macros = spawn_macros(config, request, run->home);
	size_t count = 0, word = 0, users = run->user_count;

	config_set_macro(config, macros, "u", run->users[0]);
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
			config_set_macro(config, macros, "u", run->users[i]);
			argv[count++] = (char *)config_expand(config, macros, template, arena);
		}
		if (repeat > 1)
			users = 1; /* V8: a second $u finds only the first user */
	}
	argv[count] = NULL;
	macro_env_destroy(macros);
	return argv;
}

char **
spawn_arguments(const struct config *config, const struct mailer *mailer,
    const struct spawn_request *request, const char *home, struct arena *arena)
{
	struct run run = {.mailer = mailer,
	    .users = request->users,
	    .user_count = request->user_count,
	    .home = home};

	return make_arguments(config, request, &run, arena);
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
enter_directory(const struct config *config, const struct spawn_request *request,
    const struct run *run, struct arena *arena)
{
	struct macro_env *macros = spawn_macros(config, request, run->home);
	const char *directory = run->mailer->directory;
	char *list = NULL, *rest = NULL;

	config_set_macro(config, macros, "u", run->users[0]);
	if (directory != NULL)
		list = arena_strdup(arena, config_expand(config, macros, directory, arena));
	macro_env_destroy(macros);
	for (char *one = list == NULL ? NULL : strtok_r(list, ":", &rest); one != NULL;
	     one = strtok_r(NULL, ":", &rest)) {
		if (one[0] == '/' && chdir(one) == 0)
			return;
	}
	if (chdir("/") < 0)
		_exit(EX_OSERR);
}

/* Who speaks SMTP or LMTP on its output cannot complain there. */
static void
take_descriptors(int input, int output, bool is_dialogue)
{
	/* out of the way first: either may be one of 0 to 2 */
	int in = fcntl(input, F_DUPFD, 3), out = fcntl(output, F_DUPFD, 3);
	int errors = is_dialogue ? open("/dev/null", O_WRONLY) : out;

	if (in < 0 || out < 0 || errors < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(errors, 2) < 0)
		_exit(EX_OSERR);
	os_close_from(3);
}

static void
become(const struct identity *identity)
{
	if (geteuid() != 0 || privilege_become(identity->uid, identity->gid, identity->user))
		return;
	io_printf(2, "cannot become user %ld: %s\n", (long)identity->uid, strerror(errno));
	_exit(EX_OSERR);
}

static void
change_root(const char *directory)
{
	if (directory == NULL || directory[0] == '\0' || geteuid() != 0)
		return;
	if (chroot(directory) == 0 && chdir("/") == 0)
		return;
	io_printf(2, "cannot chroot to %s: %s\n", directory, strerror(errno));
	_exit(EX_TEMPFAIL);
}

/* V8: in SafeFileEnvironment the names of files may have its path in front. */
static void
append(const struct config *config, const struct run *run)
{
	const char *safe = config->options.safe_file_environment, *path = run->users[0];
	size_t length = safe != NULL ? strlen(safe) : 0;
	struct identity identity = run->identity;

	if (length > 0 && geteuid() == 0) {
		change_root(safe);
		if (strncmp(path, safe, length) == 0 && path[length] == '/')
			path += length;
	}
	file_mailer_take_owner(path, &identity.uid, &identity.gid);
	become(&identity);
	_exit(file_mailer_append(path, identity.uid, &config->options, STDIN_FILENO));
}

/*
 * What a person types at the terminal of `sendmail -q` is not for the mailer.  Without a terminal it
 * stays in the daemon's process group, by which SRC ends all of it (stopsrc -c).
 */
static void
leave_terminal(void)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY);

	if (terminal < 0)
		return;
	close(terminal);
	setsid();
}

static void
execute(const struct config *config, const struct spawn_request *request, const struct run *run,
    struct arena *arena)
{
	const struct mailer *mailer = run->mailer;
	char **argv = make_arguments(config, request, run, arena);
	char **environment = make_environment(config, arena);
	struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	leave_terminal();
	umask(022);
	if (run->is_file)
		append(config, run);
	if (mailer->nice != 0 && nice(mailer->nice) < 0)
		errno = 0; /* -1 is a value of nice(2) as well */
	change_root(mailer->chroot);
	become(&run->identity);
	enter_directory(config, request, run, arena);
	execve(mailer->path, argv, environment);
	io_printf(2, "Cannot exec %s: %s\n", mailer->path, strerror(errno));
	log_at(1, LOG_CRIT, "%s: SYSERR: Cannot exec %s: %s", request->id, mailer->path,
	    strerror(errno));
	_exit(EX_OSERR);
}

/*
 * |program and /file: the chain is walked here, and what it leads to must name this very address.
 * NULL, or why it is not run.
 */
static const char *
find_in_sources(struct config *config, const struct spawn_request *request,
    struct source_owner *owner, struct arena *arena)
{
	struct source_text text;

	if (request->granted != NULL && request->chain_count == 0) {
		*owner = *request->granted;
		return NULL;
	}
	if (request->chain_count == 0)
		return "no alias, list or .forward names it";
	if (!source_read(config, request->chain, request->chain_count, arena, &text))
		return text.reason != NULL ? text.reason : "there is no such .forward";
	if (!source_names(text.text, request->users[0], arena))
		return "it is not named there";
	if (text.owner.name == NULL)
		return "its owner has no name";
	if (text.owner.has_bad_shell)
		return "its owner has no valid shell";
	if (text.owner.is_unsafe)
		return "others could have written its file";
	*owner = text.owner;
	return NULL;
}

static const char *
allow_special(struct config *config, const struct spawn_request *request, struct run *run,
    struct arena *arena)
{
	struct source_owner owner = {0};
	const struct passwd *user;
	const char *why, *target, **users = ARENA_ARRAY(arena, const char *, 2);

	if (request->user_count != 1)
		return "one at a time";
	why = find_in_sources(config, request, &owner, arena);
	if (why != NULL)
		return why;
	target = source_target(config, request->users[0], arena);
	run->is_file = run->mailer == config->file_mailer;
	if (target == NULL || (*target == '/') != run->is_file)
		return "it is no program or file";
	users[0] = run->is_file ? target : target + 1;
	run->users = users;
	run->user_count = 1;
	run->home = "/";
	run->identity = (struct identity){owner.uid, owner.gid, NULL};
	user = owner.login[0] != '\0' ? getpwnam(owner.login) : NULL;
	if (user != NULL && user->pw_uid == owner.uid) {
		run->home = arena_strdup(arena, user->pw_dir);
		if (!config->options.dont_init_groups)
			run->identity.user = owner.login;
	}
	run->identity = never_root(config, run->identity);
	return NULL;
}

/* Mailers that deliver to users (flag w) are not run for anybody else. */
static const char *
check_users(const struct mailer *mailer, const struct spawn_request *request)
{
	for (size_t i = 0; mailer_has(mailer, 'w') && i < request->user_count; i++) {
		const char *name = request->users[i];
		char folded[256];

		name += *name == '\\';
		text_copy(folded, sizeof folded, name);
		text_to_lower(folded);
		if (find_user(name) == NULL && find_user(folded) == NULL)
			return "no such user";
	}
	return NULL;
}

/* NULL when it may be run, and `run` is filled; or why not. */
static const char *
allow(struct config *config, const struct spawn_request *request, struct run *run,
    struct arena *arena)
{
	const struct mailer *mailer = config_find_mailer(config, request->mailer);
	const struct passwd *user;
	const char *why;

	*run = (struct run){.mailer = mailer, .users = request->users};
	if (mailer == NULL)
		return "no such mailer";
	if (mailer == config->prog_mailer || mailer == config->file_mailer)
		return allow_special(config, request, run, arena);
	if (mailer->path == NULL || mailer->path[0] != '/' || mailer == config->include_mailer)
		return "not a local mailer";
	why = check_users(mailer, request);
	if (why == NULL && request->is_from_far)
		why = proof_refusal(config, mailer, request);
	if (why != NULL)
		return why;
	user = find_user(request->users[0]);
	run->user_count = request->user_count;
	run->home = user != NULL ? arena_strdup(arena, user->pw_dir) : "/";
	run->identity = choose_identity(config, mailer, request, arena);
	return NULL;
}

int
mailer_process_run(
    struct config *config, const struct spawn_request *request, int input, int output)
{
	struct arena *arena = arena_create();
	struct run run;
	const char *why = allow(config, request, &run, arena);
	int status = 0;
	pid_t child;

	if (why != NULL) {
		io_printf(output, "%s mailer not run: %s\n", request->mailer, why);
		log_at(1, LOG_ALERT, "%s: %s mailer not run for %s: %s", request->id,
		    request->mailer, request->users[0], why);
		arena_destroy(arena);
		return exit_status(EX_TEMPFAIL);
	}
	child = fork();
	if (child == 0) {
		signals_restore();
		take_descriptors(input, output, mailer_is_smtp(run.mailer));
		execute(config, request, &run, arena);
	}
	arena_destroy(arena);
	if (child < 0) {
		io_printf(output, "cannot fork: %s\n", strerror(errno));
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
