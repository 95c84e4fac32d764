#include "main/main.h"

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
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "base/trace.h"
#include "main/describe.h"
#include "main/environment.h"
#include "os/os.h"
#include "proc/daemonize.h"

enum { TAKEOVER_WAIT_SECONDS = 2 };

/*
 * Whoever starts us may have closed descriptors 0 to 2; the next file would get their number and
 * receive our messages.  What is put there fails as the closed one would (V8 logs "Bad file descriptor").
 */
static void
fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDWR) != fd)
			_exit(EX_OSERR);
	}
}

/* Ignored and blocked signals, small limits and the umask are inherited; none of them is meant for us. */
static void
reset_process(bool is_taking_over)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	struct rlimit limit;
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
	sigemptyset(&none);
	/* who takes a daemon's place is held safe by the mask until it has handlers of its own */
	if (!is_taking_over)
		sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(0);
	static const int limits[] = {
	    RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CPU, RLIMIT_AS};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		if (getrlimit(limits[i], &limit) < 0)
			continue;
		/* root may have what it wants; others what the hard limit leaves */
		limit.rlim_cur = limit.rlim_max;
		if (limits[i] == RLIMIT_NOFILE &&
		    (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 65536))
			limit.rlim_cur = 65536;
		setrlimit(limits[i], &limit);
	}
	umask(022);
}

static const struct main_mode *
find_mode(const struct main_mode modes[], size_t count, int mode)
{
	for (size_t i = 0; i < count; i++) {
		if (modes[i].mode == mode)
			return &modes[i];
	}
	return NULL;
}

/* To the caller alone.  V8 speaks SMTP in the modes that serve it, text in the others; code NULL: always text. */
static void
tell(const struct arguments *arguments, const char *code, const char *text)
{
	/* V8 says this on standard output in all modes */
	if (code == NULL || !arguments_speaks_smtp(arguments))
		io_printf(STDOUT_FILENO, "%s\n", text);
	else
		io_printf(STDOUT_FILENO, "%s%s\r\n", code, text);
}

static void
tell_messages(const struct arguments *arguments)
{
	for (const struct argument_message *one = arguments->messages; one != NULL;
	     one = one->next) {
		if (one->is_plain)
			io_printf(STDERR_FILENO, "%s\n", one->text);
		else
			tell(arguments, "550 ", one->text);
	}
}

static const char *
error_code(const char *text)
{
	/* V8: what the system said no to may be mended */
	static const char *const systems[] = {"cannot open: ", ": No such file or",
	    ": Resource temporarily unavailable", ": Protocol not supported",
	    " too long: Invalid argument", " unsafe: World writable directory"};

	for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
		if (strstr(text, systems[i]) != NULL)
			return "451 4.0.0 ";
	}
	return text_starts(text, "can not chdir") ? "451 4.0.0 " : "554 5.0.0 ";
}

void
main_report_error(const struct main_context *context, const char *format, ...)
{
	struct str text = {0}, logged = {0};
	va_list list;

	va_start(list, format);
	str_vprintf(&text, format, list);
	va_end(list);
	tell(context->arguments, error_code(str_text(&text)), str_text(&text));
	/* what is quoted of a cf may have line breaks in it */
	for (const char *at = str_text(&text); *at != '\0'; at++)
		str_add(&logged, *at == '\n' ? "\\n" : at, *at == '\n' ? 2 : 1);
	log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(%s): %s", context->caller_name, str_text(&logged));
	str_free(&logged);
	str_free(&text);
}

static void
report_config(void *argument, const char *message, enum config_message kind)
{
	static const char *const codes[] = {
	    [CONFIG_USAGE] = "550 ", [CONFIG_WARNING] = "050 ", [CONFIG_PLAIN] = NULL};
	const struct main_context *context = argument;

	if (kind == CONFIG_ERROR)
		main_report_error(context, "%s", message);
	else
		tell(context->arguments, codes[kind], message);
}

bool
main_check_queue(const struct main_context *context)
{
	const char *directory = context->config->options.queue_directory;
	struct str path = {0};
	struct stat status;
	int error;

	/* "." of it can be seen by whoever may go there, with the effective ids */
	str_printf(&path, "%s/.", directory);
	error = stat(str_text(&path), &status) < 0 ? errno : 0;
	str_free(&path);
	if (error == 0)
		return true;
	main_report_error(context, "can not chdir(%s/): %s", directory, strerror(error));
	if (error == EACCES || error == EPERM)
		io_printf(STDERR_FILENO,
		    "Program mode requires special privileges, e.g., root or TrustedUser.\n");
	return false;
}

static const char *
caller_name(uid_t uid)
{
	struct passwd *entry = getpwuid(uid);
	char number[32];

	if (entry != NULL)
		return check_strdup(entry->pw_name);
	snprintf(number, sizeof number, "%ld", (long)uid);
	return check_strdup(number);
}

/* For good: no saved id is left to come back with. */
void
main_drop_to_caller(const struct main_context *context)
{
	if (setregid(context->caller_gid, context->caller_gid) < 0 ||
	    setgid(context->caller_gid) < 0 ||
	    setreuid(context->caller_uid, context->caller_uid) < 0 ||
	    setuid(context->caller_uid) < 0 || getegid() != context->caller_gid ||
	    geteuid() != context->caller_uid || (context->caller_uid != 0 && setuid(0) == 0)) {
		io_printf(STDERR_FILENO, "sendmail: cannot give up privileges\n");
		exit(EX_OSERR);
	}
}

/* What only the caller's own rights may be used for: files and settings that the caller chose. */
static bool
wants_callers_rights(const struct arguments *arguments)
{
	return arguments->cf_file != NULL || arguments->is_check ||
	       arguments->traffic_file != NULL || arguments->mode == MODE_TEST;
}

static const char *
choose_file(const struct arguments *arguments, bool *is_submission)
{
	static const char submit[] = SYSCONFDIR "/submit.cf", normal[] = SYSCONFDIR "/sendmail.cf";
	bool submits = arguments->mode == MODE_DELIVER || arguments->mode == MODE_SMTP ||
		       arguments->mode == MODE_ARPANET;

	*is_submission = arguments->cf_choice == 'c' ||
			 (arguments->cf_choice == 0 && arguments->cf_file == NULL && submits &&
			     access(submit, F_OK) == 0);
	if (arguments->cf_file != NULL)
		return arguments->cf_file;
	return *is_submission ? submit : normal;
}

/*
 * The submission program works as RunAsUser.  The caller's ids stay the real ones: the daemon is to
 * see who submits, and dead.letter is the caller's.  A caller who is not root finds no way back to root.
 */
static void
become_run_as_user(const struct main_context *context)
{
	const struct options *options = &context->config->options;

	if (geteuid() != 0 || !options->has_run_as_user || options->run_as_uid == 0)
		return;
	if (setgroups(0, NULL) < 0 || setregid(context->caller_gid, options->run_as_gid) < 0 ||
	    setreuid(context->caller_uid, options->run_as_uid) < 0 ||
	    geteuid() != options->run_as_uid || (context->caller_uid != 0 && seteuid(0) == 0)) {
		main_report_error(
		    context, "cannot become user %s: %s", options->run_as_user, strerror(errno));
		exit(EX_OSERR);
	}
}

/* What a mode is for the log when somebody tries it who may not; NULL: anybody may. */
static const char *
reserved_name(const struct arguments *arguments)
{
	switch (arguments->mode) {
	case MODE_DAEMON:
	case MODE_FOREGROUND:
		return "run daemon";
	case MODE_ALIASES:
		return "rebuild the alias map";
	case MODE_PURGE:
		return "purge host status";
	case MODE_QUEUE_RUN:
		return arguments->queue.has_interval ? "start a queue runner daemon" : NULL;
	default:
		return NULL;
	}
}

/* V8's words; in the daemon's mode a reply code stands in front. */
static bool
is_permitted(const struct main_context *context)
{
	const struct arguments *arguments = context->arguments;
	const char *name = reserved_name(arguments);

	/* to look at a configuration with his own eyes is everybody's right */
	if (name == NULL || context->is_trusted_caller || arguments->is_check)
		return true;
	io_printf(STDERR_FILENO, "%sPermission denied (real uid not trusted)%s\n",
	    arguments->mode == MODE_DAEMON ? "550 " : "",
	    arguments->mode == MODE_DAEMON ? "\r" : "");
	log_at(0, LOG_ALERT, "user %ld attempted to %s", (long)context->caller_uid, name);
	return false;
}

/*
 * A container has one user, who is seldom root, and runs the daemon as its first process; whoever owns
 * the queue can do everything to it anyway.  With no rights but his own: pillarbox is not set-id.
 */
static bool
may_run_own_daemon(const struct main_context *context)
{
	struct stat status;

	if (!context->is_program || context->arguments->mode == MODE_QUEUE_RUN)
		return false;
	return getpid() == 1 || (context->config->options.queue_directory != NULL &&
				    stat(context->config->options.queue_directory, &status) == 0 &&
				    status.st_uid == context->caller_uid);
}

static void
read_config(struct main_context *context)
{
	const struct arguments *arguments = context->arguments;

	context->request = (struct config_request){
	    .file = choose_file(arguments, &context->is_submission),
	    .report = report_config,
	    .report_context = context,
	    .macro_settings = arguments->macro_settings,
	    .option_settings = arguments->option_settings,
	    .operation_mode = arguments->mode >= ' ' ? (char)arguments->mode : MODE_DELIVER,
	    .is_verbose = arguments->is_verbose,
	    .is_test_mode = arguments->mode == MODE_TEST,
	    .is_safe_caller = context->caller_uid == 0 || !context->has_rights,
	};
	if (trace_on(0, 10) && arguments->deliver_id == NULL)
		describe_defaults();
	context->config = config_read(&context->request);
	if (context->config->options.use_msp)
		context->is_submission = true;
	log_set_level(context->config->options.log_level);
	/* not once more for the second half of a submission, and not in test mode (V8) */
	if (context->config->is_exposed && arguments->mode != MODE_TEST &&
	    arguments->mode != MODE_DELIVER_ID)
		log_at(
		    0, LOG_CRIT, "%s: WARNING: dangerous write permissions", context->config->file);
	environment_finish(&context->config->environment, context->config->options.time_zone);
	context->is_trusted_caller =
	    context->caller_uid == 0 ||
	    (context->config->options.trusted_user != NULL &&
		context->caller_uid == context->config->options.trusted_uid) ||
	    may_run_own_daemon(context);
	if (arguments->deliver_id != NULL)
		return;
	if (trace_on(0, 4))
		describe_names(context->config);
	if (trace_on(0, 10))
		describe_selected(context->config);
	if (trace_on(0, 1))
		describe_identity(context->config);
}

/* -D: debugging goes to a file, made with the caller's rights and added to. */
static bool
open_debug_file(const struct main_context *context)
{
	const char *name = context->arguments->debug_file;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	FILE *file;
	int fd;

	if (setegid(context->caller_gid) < 0 || seteuid(context->caller_uid) < 0)
		return false;
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (seteuid(uid) < 0 || setegid(gid) < 0)
		return false;
	file = fd < 0 ? NULL : fdopen(fd, "a");

	if (file == NULL) {
		io_printf(STDERR_FILENO, "cannot open %s: %s\n", name, strerror(errno));
		return false;
	}
	trace_set_output(file);
	return true;
}

static int
run_other(const char *other, char **argv)
{
	execv(other, argv);
	io_printf(STDERR_FILENO, "sendmail: cannot run %s: %s\n", other, strerror(errno));
	return EX_OSERR;
}

int
main_run(
    int argc, char **argv, const struct main_mode modes[], size_t mode_count, const char *other)
{
	struct main_context context = {.argc = argc, .argv = argv, .is_program = other == NULL};
	struct arguments *arguments;
	const struct main_mode *mode;
	bool is_second, is_taking_over;
	int status;

	fill_standard_descriptors();
	is_taking_over = context.is_program && getegid() == getgid() && daemonize_is_taking_over();
	reset_process(is_taking_over);
	if (context.is_program && !environment_says_off("PILLARBOX_SANDBOX"))
		os_hide_memory(); /* keys of TLS, passwords */
	arguments = arguments_parse(argc, argv);
	context.arguments = arguments;
	context.caller_uid = getuid();
	context.caller_gid = getgid();
	/* root has them all anyway */
	context.has_rights = context.caller_uid != 0 &&
			     (geteuid() != context.caller_uid || getegid() != context.caller_gid);
	context.full_name = environment_begin(context.has_rights);
	if (arguments->is_wrong) {
		tell_messages(arguments);
		return arguments->exit_status;
	}
	mode = find_mode(modes, mode_count, arguments->mode);
	if (mode == NULL && arguments->mode != MODE_HELP && arguments->mode != MODE_VERSION) {
		if (other != NULL)
			return run_other(other, argv);
		io_printf(STDERR_FILENO, "%s: Invalid operation mode %c\n", arguments->program,
		    arguments->mode);
		return EX_USAGE;
	}
	/* a first attempt has the command line of the submission, which has said it all */
	is_second = arguments->deliver_id != NULL;
	if (!is_second)
		tell_messages(arguments);
	if (arguments->mode == MODE_HELP)
		return describe_help();
	if (arguments->mode == MODE_VERSION)
		return describe_version();
	if (arguments->debug != NULL)
		trace_set(arguments->debug);
	log_open(arguments->label != NULL ? arguments->label : "sendmail");
	/* daemons and queue runs; programs that send mail are not to find log lines in their output */
	log_fall_back_to_stderr(mode->prepare != NULL);
	if (mode->prepare != NULL && !is_taking_over)
		os_close_from(
		    3); /* what the one who starts a daemon has open is none of its business */
	if (mode->prepare != NULL)
		mode->prepare(arguments);
	context.caller_name = caller_name(context.caller_uid);
	if (context.has_rights && wants_callers_rights(arguments)) {
		main_drop_to_caller(&context);
		context.has_rights = false;
		context.dropped_rights = true;
	}
	if (arguments->debug_file != NULL && !open_debug_file(&context))
		return EX_CANTCREAT;
	if (trace_on(0, 1) && !is_second)
		describe_build();
	read_config(&context);
	/* whoever checked it a moment ago is gone, and so would be the daemon */
	while (is_taking_over && context.config->error_status != 0) {
		sleep(TAKEOVER_WAIT_SECONDS);
		config_destroy(context.config);
		read_config(&context);
	}
	arguments->is_verbose |= context.config->options.verbose;
	if (context.config->is_fatal)
		return context.config->error_status;
	if (context.config->error_status != 0 && arguments->mode != MODE_TEST &&
	    arguments->mode != MODE_CHECK)
		return context.config->error_status;
	if (!is_second && arguments->mode != MODE_TEST)
		main_warn_of_host_status(&context);
	if (!is_permitted(&context))
		return EX_USAGE;
	/* the setting itself did no harm; what is done with it happens with the caller's rights */
	if (context.has_rights && context.config->used_unsafe_option) {
		main_drop_to_caller(&context);
		context.has_rights = false;
		context.dropped_rights = true;
	}
	if (context.is_submission && !context.is_program && arguments->mode != MODE_TEST)
		become_run_as_user(&context);
	status = mode->run(&context);
	/* V8: faults of the file count for -bv alone */
	if (status == EX_OK &&
	    (context.config->has_wrong_setting ||
		(context.config->saw_usage_errors && arguments->mode == MODE_VERIFY)))
		status = EX_USAGE;
	return status != EX_OK ? status : arguments->exit_status;
}
