#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "main/main.h"
#include "os/os.h"
#include "proc/daemonize.h"
#include "proc/subsystem.h"
#include "run/master.h"

enum { LEAST_INTERVAL = 1 };

static void
report(void *context, const char *message, enum config_message kind)
{
	struct str *reason = context;

	if (kind == CONFIG_ERROR)
		str_printf(reason, "%s\n", message);
	log_at(
	    0, kind == CONFIG_ERROR ? LOG_CRIT : LOG_WARNING, "NOQUEUE: SYSERR(root): %s", message);
}

static struct config *
read_again(void *context, struct str *reason)
{
	struct main_context *main_context = context;
	struct config_request request = main_context->request;
	struct config *config;

	request.report = report;
	request.report_context = reason;
	config = config_read(&request);
	if (config->error_status == 0)
		return config;
	config_destroy(config);
	return NULL;
}

/* A caller's words for what is wrong with the configuration, one a line. */
static void
tell(void *context, const char *problem)
{
	(void)context;
	io_printf(STDOUT_FILENO, "%s\n", problem);
}

static int
refuse(const struct main_context *context, bool is_queue_runner)
{
	log_at(0, LOG_ALERT, "user %ld attempted to %s", (long)context->caller_uid,
	    is_queue_runner ? "start a queue runner daemon" : "run daemon");
	io_printf(STDERR_FILENO, "%sPermission denied (real uid not trusted)\n",
	    arguments_speaks_smtp(context->arguments) ? "550 " : "");
	return EX_USAGE;
}

static void
join_arguments(const struct main_context *context, struct str *line)
{
	for (int i = 0; i < context->argc; i++)
		str_printf(line, "%s%s", i == 0 ? "" : " ", context->argv[i]);
}

/* The client queue is the daemon's to run only where it has the usual place, and is not its own already. */
static const char *
client_queue_program(const struct main_context *context)
{
	if (context->is_submission || context->arguments->cf_file != NULL || geteuid() != 0 ||
	    access(SYSCONFDIR "/submit.cf", R_OK) != 0)
		return NULL;
	return LIBEXECDIR "/pillarbox";
}

void
main_prepare_daemon(const struct arguments *arguments)
{
	bool is_daemon = arguments->mode != MODE_QUEUE_RUN || arguments->queue.has_interval;

	/* what is wrong is told on standard output (V8), of which SRC knows nothing */
	if (is_daemon && subsystem_open())
		dup2(STDERR_FILENO, STDOUT_FILENO);
}

/* SRC takes the end of the process that it started for the end of the daemon. */
static bool
must_stay(const struct main_context *context)
{
	char parent[32];

	if (context->arguments->mode == MODE_FOREGROUND || subsystem_is_open())
		return true;
	/* a subsystem that is told by signals has no socket */
	os_process_name(getppid(), parent, sizeof parent);
	return strcmp(parent, "srcmstr") == 0;
}

int
main_daemon(struct main_context *context)
{
	const struct queue_arguments *queue = &context->arguments->queue;
	bool serves_smtp = context->arguments->mode != MODE_QUEUE_RUN;
	struct str command_line = {0};
	struct master_settings settings = {
	    .config = context->config,
	    .read_again = read_again,
	    .context = context,
	    .executable = LIBEXECDIR "/pillarbox",
	    .argv = context->argv,
	    .serves_smtp = serves_smtp,
	    .is_client_queue = context->is_submission,
	    .has_interval = queue->has_interval,
	    .is_persistent = queue->is_persistent,
	    .run_group = queue->group,
	    .interval_seconds =
		queue->interval_seconds > LEAST_INTERVAL ? queue->interval_seconds : LEAST_INTERVAL,
	    .client_queue_program = client_queue_program(context),
	};
	int status;

	if (context->arguments->is_check) {
		daemonize_answer();
		return master_check(context->config, serves_smtp, tell, NULL);
	}
	/* the group of a set-group-id `sendmail` is for the client queue alone */
	if (!context->is_trusted_caller || setregid(context->caller_gid, context->caller_gid) < 0)
		return refuse(context, !serves_smtp);
	if (!must_stay(context) && !daemonize_is_taking_over()) {
		if (!daemonize_detach()) {
			main_report_error(context, "daemon: cannot fork: %s", strerror(errno));
			return EX_OSERR;
		}
		daemonize_close_terminal();
	}
	join_arguments(context, &command_line);
	settings.command_line = str_text(&command_line);
	settings.program = context->argv[0];
	status = master_run(&settings);
	str_free(&command_line);
	return status;
}
