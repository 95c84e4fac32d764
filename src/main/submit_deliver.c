#include "main/submit_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "os/os.h"
#include "submit/finish.h"

/* V8: the busier the machine, the fewer messages are tried at once. */
static bool
is_too_busy(const struct options *options, const struct envelope *envelope)
{
	int load = options->queue_load > 0 ? os_load_average() : 0;

	return options->queue_load > 0 && load >= options->queue_load &&
	       envelope->priority > options->queue_factor / (load - options->queue_load + 1);
}

static bool
is_all_expensive(const struct envelope *envelope)
{
	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if ((one->flags & RECIPIENT_REFUSED) == 0 && !mailer_has(one->mailer, 'e'))
			return false;
	}
	return true;
}

bool
submit_must_wait(const struct options *options, const struct envelope *envelope, bool is_verbose)
{
	return is_too_busy(options, envelope) ||
	       (options->hold_expensive && !is_verbose && is_all_expensive(envelope));
}

/* The command line for the other program: ours, and the id in front. */
static char **
deliver_arguments(const struct main_context *context, const char *id, bool refusals_only)
{
	const char **argv = check_malloc(((size_t)context->argc + 7) * sizeof *argv);
	size_t count = 0;

	argv[count++] = context->argc > 0 ? context->argv[0] : "sendmail";
	argv[count++] = "--deliver";
	argv[count++] = id;
	if (refusals_only)
		argv[count++] = "--refusals";
	if (context->is_submission && context->arguments->cf_choice == 0 &&
	    context->arguments->cf_file == NULL)
		argv[count++] = "-Ac";
	for (int i = 1; i < context->argc; i++)
		argv[count++] = context->argv[i];
	argv[count] = NULL;
	return (char **)(uintptr_t)argv;
}

static void
run_delivery(const struct main_context *context, const char *id, bool refusals_only)
{
	char **argv = deliver_arguments(context, id, refusals_only);

	execv(LIBEXECDIR "/pillarbox", argv);
	log_at(0, LOG_ERR, "%s: cannot run %s: %s; the message stays in the queue", id,
	    LIBEXECDIR "/pillarbox", strerror(errno));
	/* it is safe: whoever runs the queue delivers it */
	_exit(EX_OK);
}

int
submit_deliver_now(
    const struct main_context *context, const char *id, int own_status, bool refusals_only)
{
	pid_t child;
	int status;

	fflush(NULL);
	if (own_status == EX_OK)
		run_delivery(context, id, refusals_only);
	child = fork();
	if (child == 0)
		run_delivery(context, id, refusals_only);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return own_status;
}

int
submit_deliver_later(const struct main_context *context, const char *id, int own_status)
{
	pid_t child;
	int null;

	fflush(NULL);
	child = fork();
	if (child != 0)
		return own_status; /* a failed fork leaves it to the next queue run */
	setsid();
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	run_delivery(context, id, false);
	return own_status;
}

void
submit_log_to(const struct envelope *envelope, const struct recipient *recipient,
    const char *attempt, const char *rest)
{
	struct str name = {0};
	long delay = (long)(clock_now() - envelope->created);

	finish_show_address(&name, recipient->address);
	log_at(9, LOG_INFO, "%s: to=%s, delay=%02ld:%02ld:%02ld,%s mailer=%s, pri=%ld, %s",
	    envelope->id, str_text(&name), delay / 3600, delay / 60 % 60, delay % 60, attempt,
	    recipient->mailer != NULL ? recipient->mailer->name : "", envelope->priority, rest);
	str_free(&name);
}

void
submit_log_queued(const struct envelope *envelope, char delivery_mode)
{
	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		bool has_no_mx =
		    delivery_mode == 'd' && one->mailer != NULL && mailer_is_smtp(one->mailer);

		if ((one->flags & RECIPIENT_REFUSED) == 0)
			submit_log_to(envelope, one, "",
			    has_no_mx ? "dsn=4.4.3, stat=queued" : "stat=queued");
	}
}
