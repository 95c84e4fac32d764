#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "main/main.h"
#include "main/submit_deliver.h"
#include "os/os.h"
#include "queue/queue.h"
#include "queue/statistics.h"
#include "route/compose.h"
#include "submit/clone.h"
#include "submit/collect.h"
#include "submit/dead_letter.h"
#include "submit/hand_over.h"
#include "submit/split.h"
#include "submit/submission.h"

/* One call of `sendmail` with a message. */
struct work {
	struct main_context *context;
	struct submission submission;
	struct collect collect;
	struct queue *queue;
	char delivery_mode;	     /* i b q d */
	const char *shown_recipient; /* $u: of the arguments, when there is only one; NULL */
	bool is_handed_over;	     /* the daemon has it; what is left are those whom it refused */
	bool laid_down_root;
	bool is_on_disk;      /* files of the id may exist */
	struct clones clones; /* messages of their own for lists with an owner */
	struct clones splits; /* and for other queue groups */
};

/*
 * A set-user-id root program in root's queue: what the caller sends is read and cut up without
 * root's rights, which come back for the files of the queue.
 */
static void
lay_down_root(struct work *work)
{
	const struct main_context *context = work->context;

	if (!context->has_rights || geteuid() != 0)
		return;
	if (seteuid(context->caller_uid) < 0)
		_exit(EX_OSERR);
	work->laid_down_root = true;
}

static void
take_up_root(struct work *work)
{
	if (work->laid_down_root && seteuid(0) < 0)
		_exit(EX_OSERR);
	work->laid_down_root = false;
}

static int
open_body(void *argument)
{
	struct work *work = argument;
	bool laid_down = work->laid_down_root;
	int fd, saved;

	work->is_on_disk = true;
	take_up_root(work);
	fd = queue_body_create(work->queue, work->submission.envelope->id);
	saved = errno;
	if (laid_down)
		lay_down_root(work);
	errno = saved;
	return fd;
}

static void
report_rule(void *argument, const char *message, int exit_status)
{
	struct submission *submission = argument;
	struct verdict verdict;

	if (exit_status == RULE_NOTICE) /* the message waits, and its status says why */
		return;
	verdict =
	    verdict_make(submission->envelope->arena, 553, "5.1.3", exit_status, "%s", message);
	submission_complain(submission, NULL, &verdict);
}

static void
set_macros(struct work *work)
{
	const struct arguments *arguments = work->context->arguments;
	const struct config *config = work->context->config;
	struct submission *submission = &work->submission;
	struct macro_env *macros = submission->macros;
	struct arena *arena = submission->envelope->arena;

	log_at(10, LOG_INFO, "NOQUEUE: connect from %s@localhost", submission->caller_name);
	config_set_macro(
	    config, macros, "_", arena_printf(arena, "%s@localhost", submission->caller_name));
	if (arguments->protocol != NULL)
		config_set_macro(config, macros, "r", arguments->protocol);
	if (arguments->protocol_host != NULL)
		config_set_macro(config, macros, "s", arguments->protocol_host);
	/* V8's flags of mail from the command line: c, u; of a gateway: C, f */
	config_set_macro(config, macros, "daemon_flags",
	    config->options.direct_submission_modifiers != NULL
		? config->options.direct_submission_modifiers
	    : arguments->is_gateway ? "CC f"
				    : "c u");
	config_set_macro(config, macros, "opMode", "m");
	if (arguments->body_type != NULL)
		config_set_macro(config, macros, "bodytype", arguments->body_type);
}

static void
begin(struct work *work)
{
	struct main_context *context = work->context;
	const struct arguments *arguments = context->arguments;
	const struct options *options = &context->config->options;
	struct envelope *envelope = envelope_create();

	work->submission = (struct submission){
	    .config = context->config,
	    .macros = macro_env_create(context->config->macros),
	    .envelope = envelope,
	    .caller_name = context->caller_name,
	    .caller_uid = context->caller_uid,
	    .caller_gid = context->caller_gid,
	    .is_client = context->is_submission,
	    .no_aliasing = arguments->no_aliasing,
	    .is_gateway = arguments->is_gateway,
	    .exit_status = arguments->exit_status,
	    .says_errors = options->error_mode == 'p' || arguments->is_verbose,
	    .is_verbose = arguments->is_verbose || options->verbose,
	};
	work->submission.full_name =
	    arguments->full_name != NULL ? arguments->full_name : context->full_name;
	if (work->submission.full_name != NULL)
		work->submission.full_name =
		    finish_quote_name(context->config, envelope->arena, work->submission.full_name);
	work->submission.rule = (struct rule_context){
	    .config = context->config,
	    .macros = work->submission.macros,
	    .arena = envelope->arena,
	    .is_deferred = work->delivery_mode == 'd',
	    .report = report_rule,
	    .report_context = &work->submission,
	};
	work->submission.notify = arguments->has_notify
				      ? RECIPIENT_HAS_NOTIFY | arguments->notify
				      : RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY;
	queue_new_id(envelope->id);
	envelope->created = clock_now();
	envelope->hop_count = arguments->hop_count > 0 ? arguments->hop_count : 0;
	envelope->envid = arguments->envid;
	if (arguments->has_ret)
		envelope->flags |=
		    ENVELOPE_HAS_RET | (arguments->ret_headers ? ENVELOPE_NO_BODY_RETURN : 0);
	set_macros(work);
}

/* Nothing is left of a message that was not accepted. */
static void
discard(struct work *work)
{
	if (work->collect.file >= 0)
		close(work->collect.file);
	work->collect.file = -1;
	if (work->is_on_disk)
		queue_discard(work->queue, work->submission.envelope->id);
	work->is_on_disk = false;
}

static int
cannot_queue(struct work *work, const char *what, int error, int exit_status)
{
	struct envelope *envelope = work->submission.envelope;

	discard(work);
	fprintf(stderr, "sendmail: message not accepted: %s: %s\n", what, strerror(error));
	log_at(0, LOG_CRIT, "%s: SYSERR(%s): %s: %s", envelope->id, work->context->caller_name,
	    what, strerror(error));
	return exit_status;
}

static int
read_message(struct work *work)
{
	const struct options *options = &work->context->config->options;
	const struct arguments *arguments = work->context->arguments;
	struct envelope *envelope = work->submission.envelope;
	struct collect *collect = &work->collect;
	bool is_whole;

	*collect = (struct collect){
	    .input = STDIN_FILENO,
	    .ignores_dots = options->ignore_dots,
	    .strips_high_bit =
		options->seven_bit_input ||
		(arguments->body_type != NULL && strcmp(arguments->body_type, "7BIT") == 0),
	    .header_maximum = options->max_headers_length,
	    .message_maximum = options->max_message_size,
	    .open_file = open_body,
	    .context = work,
	};
	lay_down_root(work);
	is_whole = collect_message(collect, envelope);
	take_up_root(work);
	if (!is_whole) {
		if (collect->file_error != 0)
			return cannot_queue(
			    work, options->queue_directory, collect->file_error, EX_TEMPFAIL);
		return cannot_queue(work, "standard input", collect->input_error, EX_IOERR);
	}
	if (collect->input_error != 0)
		log_at(4, LOG_WARNING, "%s: collect: premature EOM: %s", envelope->id,
		    strerror(collect->input_error));
	if (arguments->body_type != NULL)
		envelope->body_type = collect->has_8bit ? "8BITMIME" : "7BIT";
	return EX_OK;
}

static void
log_from(const struct work *work)
{
	const struct envelope *envelope = work->submission.envelope;
	struct finish_log log = {
	    .recipient_count = work->submission.recipient_count,
	    .body_type = work->context->arguments->body_type,
	    .protocol = work->context->arguments->protocol,
	    .relay = config_macro(work->context->config, work->submission.macros, "_"),
	};

	finish_log_from(envelope, &log);
}

/* What is wrong with the message as a whole; false when nothing is. */
static bool
is_refused(struct work *work, struct verdict *verdict)
{
	const struct options *options = &work->context->config->options;
	struct submission *submission = &work->submission;
	struct envelope *envelope = submission->envelope;

	if (work->collect.header_is_too_large) {
		*verdict = verdict_make(envelope->arena, 552, "5.6.0", EX_OK,
		    "Headers too large (%ld max)", options->max_headers_length);
	} else if (work->collect.is_too_large) {
		log_at(0, LOG_NOTICE, "%s: message size (%lld) exceeds maximum (%ld)", envelope->id,
		    (long long)envelope->message_size, options->max_message_size);
		*verdict = verdict_make(envelope->arena, 552, "5.2.3", EX_OK,
		    "Message exceeds maximum fixed size (%ld)", options->max_message_size);
	} else if (options->eight_bit_mode == 's' && work->collect.has_8bit &&
		   work->context->arguments->body_type == NULL &&
		   header_find(&envelope->headers, "MIME-Version") == NULL) {
		/* V8: what says that it is MIME may have 8 bits */
		*verdict = verdict_make(
		    envelope->arena, 554, "5.6.1", EX_OK, "Eight bit data not allowed");
	} else if (envelope->hop_count > options->max_hop_count) {
		/* V8 finds out when it would deliver */
		if (work->delivery_mode == 'q' || work->delivery_mode == 'd')
			submit_log_queued(envelope, work->delivery_mode);
		*verdict = verdict_make(envelope->arena, 554, "5.4.6", EX_UNAVAILABLE,
		    "Too many hops %d (%d max): from %s via localhost, to %s", envelope->hop_count,
		    options->max_hop_count, envelope->sender,
		    envelope->recipients == NULL ? "" : envelope->recipients->address);
		log_at(0, LOG_CRIT, "%s: SYSERR(%s): %s", envelope->id, submission->caller_name,
		    verdict->text);
		return true;
	} else {
		return false;
	}
	fprintf(stderr, "%s\n", verdict->text);
	return true;
}

/* V8: one line for all, in the order of their lines. */
static void
log_refused(const struct work *work, const char *why)
{
	const struct envelope *envelope = work->submission.envelope;
	long delay = (long)(clock_now() - envelope->created);
	struct str names = {0};

	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next)
		str_printf(&names, "%s%s", names.length > 0 ? "," : "", one->address);
	log_at(5, LOG_INFO, "%s: to=%.900s, delay=%02ld:%02ld:%02ld, pri=%ld, stat=%s",
	    envelope->id, str_text(&names), delay / 3600, delay / 60 % 60, delay % 60,
	    envelope->priority, why);
	str_free(&names);
}

/*
 * A message that nobody will get as it is.  V8 takes it, and its sender hears of it; the exit status is 0
 * when only its size is wrong.  False: it is kept nowhere.
 */
static bool
refuse_message(struct work *work, const struct verdict *verdict)
{
	struct submission *submission = &work->submission;
	bool is_size = verdict->exit_status == EX_OK;

	submission->has_failed = true;
	if (!is_size)
		submission->exit_status = verdict->exit_status;
	if (!is_size && !submission->mails_errors)
		return false;
	if (is_size && submission->config->options.error_mode == 'q')
		return false;
	if (is_size)
		log_refused(work, verdict->text);
	if (work->collect.is_too_large) { /* a part was not kept */
		submission->envelope->flags |= ENVELOPE_NO_BODY_RETURN;
		submission->envelope->status = verdict->text;
	}
	submission_refuse_all(submission, verdict);
	return submission->envelope->recipients != NULL;
}

/* The file with the large body, or a new one with the small one. */
static int
body_file(struct work *work)
{
	struct collect *collect = &work->collect;

	if (collect->file < 0) {
		collect->file = open_body(work);
		if (collect->file < 0 ||
		    !io_write(collect->file, str_text(&collect->body), collect->body.length))
			return -1;
	}
	return collect->file;
}

static int
commit(struct work *work)
{
	struct envelope *envelope = work->submission.envelope;
	const char *directory = work->context->config->options.queue_directory;
	int body = body_file(work);

	if (body < 0)
		return cannot_queue(work, directory, errno, EX_TEMPFAIL);
	split_make(&work->submission.rule, envelope, &work->splits);
	if (split_commit(work->queue, envelope, &work->splits) < 0)
		return cannot_queue(work, directory, errno, EX_TEMPFAIL);
	if (clone_commit_all(work->queue, envelope, &work->clones, body) < 0) {
		split_discard(work->queue, &work->splits);
		return cannot_queue(work, directory, errno, EX_TEMPFAIL);
	}
	work->collect.file = -1;
	if (work->submission.sender_mailer != NULL)
		statistics_count_message(STATISTICS_FROM, work->submission.sender_mailer->number,
		    (long)envelope->message_size);
	statistics_post(work->context->config->options.status_file);
	return EX_OK;
}

static void
note_refusal(void *argument, int index, const struct verdict *verdict)
{
	struct work *work = argument;
	struct recipient *one = work->submission.envelope->recipients;
	size_t length;

	while (one != NULL && index-- > 0)
		one = one->next;
	if (one == NULL)
		return;
	one->verdict = *verdict;
	if (verdict_is_temporary(verdict))
		return; /* it goes to the client queue */
	/* the daemon names the recipient as its log does */
	length = strlen(one->address);
	if (strncmp(one->verdict.text, one->address, length) == 0 &&
	    text_starts(one->verdict.text + length, "... "))
		one->verdict.text += length + strlen("... ");
	submission_complain(&work->submission, one->address, &one->verdict);
}

/* All for the daemon of this host, and nothing that only V8's way can do? */
static bool
may_hand_over(const struct work *work)
{
	const struct envelope *envelope = work->submission.envelope;

	if (!work->submission.is_client || work->context->arguments->is_verbose ||
	    work->delivery_mode == 'q' || work->delivery_mode == 'd' ||
	    envelope->recipients == NULL)
		return false;
	for (const struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (!mailer_is_smtp(one->mailer) || !hand_over_is_local(one->host))
			return false;
	}
	return true;
}

/* The daemon is to see the caller, not the user whose queue this is. */
static int
connect_as_caller(const struct main_context *context)
{
	uid_t uid = geteuid();
	int fd;

	if (uid != context->caller_uid && seteuid(context->caller_uid) < 0)
		return -1;
	fd = hand_over_connect();
	if (uid != context->caller_uid && seteuid(uid) < 0)
		_exit(EX_OSERR);
	return fd;
}

/*
 * Recipients that the daemon does not take now ("451 ... try again later") stay in the envelope, for
 * the client queue; the others are done.  How many stay.
 */
static int
keep_refused_for_now(struct work *work)
{
	struct envelope *envelope = work->submission.envelope;
	struct recipient **link = &envelope->recipients;
	int count = 0;

	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		if (!verdict_is_temporary(&one->verdict))
			continue;
		one->verdict = (struct verdict){0};
		*link = one;
		link = &one->next;
		count++;
	}
	if (count > 0) {
		*link = NULL;
		envelope->recipients_end = link;
		work->submission.recipient_count = count;
	}
	return count;
}

static void
save_dead_letter(struct work *work)
{
	struct submission *submission = &work->submission;
	struct composed composed = {.header = ""};
	struct dead_letter letter = {
	    .uid = submission->caller_uid,
	    .gid = submission->caller_gid,
	    .sender = submission->sender.address,
	    .created = submission->envelope->created,
	    .body_fd = work->collect.file,
	    .body = str_text(&work->collect.body),
	    .body_length = work->collect.body.length,
	};

	if (submission->config->local_mailer != NULL)
		compose_message(&submission->rule, submission->envelope,
		    submission->config->local_mailer, &composed);
	letter.header = composed.header;
	letter.header_length = composed.header_length;
	dead_letter_save(&letter, submission->envelope->arena);
}

/* True when the daemon took it or refused it for good; then *status is the exit status. */
static bool
hand_over(struct work *work, int *status)
{
	struct submission *submission = &work->submission;
	struct envelope *envelope = submission->envelope;
	const struct arguments *arguments = work->context->arguments;
	struct hand_over over = {
	    .envelope = envelope,
	    .body = &work->collect,
	    .request = {.hop_count = arguments->hop_count, .is_gateway = arguments->is_gateway},
	    .refused = note_refusal,
	    .context = work,
	    .arena = envelope->arena,
	};
	struct verdict verdict;

	if (!may_hand_over(work))
		return false;
	over.fd = connect_as_caller(work->context);
	if (over.fd < 0)
		return false;
	envelope_set_macro(envelope, "r", arguments->protocol);
	envelope_set_macro(envelope, "s", arguments->protocol_host);
	envelope_set_macro(envelope, "x", submission->full_name);
	verdict = hand_over_message(&over);
	envelope_set_macro(envelope, "x", NULL);
	if (verdict.code == 0 || verdict_is_temporary(&verdict))
		return false;
	if (!verdict_is_success(&verdict) && keep_refused_for_now(work) > 0)
		return false;
	finish_priority(envelope, submission->config, submission->recipient_count);
	log_from(work);
	for (struct recipient *one = envelope->recipients; one != NULL; one = one->next) {
		const struct verdict *own = one->verdict.code != 0 ? &one->verdict : &verdict;

		if (verdict_is_temporary(own))
			continue;
		one->relay = "[127.0.0.1] [127.0.0.1]";
		submit_log_to(envelope, one, " xdelay=00:00:00,",
		    arena_printf(envelope->arena, "relay=%s, dsn=%s, stat=%s%s%s", one->relay,
			own->code < 300 ? "2.0.0" : own->dsn, own->code < 300 ? "Sent (" : "",
			own->text, own->code < 300 ? ")" : ""));
	}
	if (!verdict_is_success(&verdict))
		submission_complain(submission, NULL, &verdict);
	if (keep_refused_for_now(work) > 0)
		return false;
	/* V8: the submission program makes the report of what the daemon refused */
	if (submission->has_failed && submission->mails_errors &&
	    submission_keep_refused(submission, &verdict) > 0) {
		work->is_handed_over = true;
		return false;
	}
	if (submission->has_failed && submission_wants_dead_letter(submission))
		save_dead_letter(work);
	discard(work);
	*status = submission_final_status(submission);
	return true;
}

/* The header gets what the H lines add, warnings first. */
static void
finish(struct work *work)
{
	struct submission *submission = &work->submission;
	struct envelope *envelope = submission->envelope;

	if (submission_count_errors_to(submission) > 0) { /* V8 counts them among the others */
		submission->recipient_count += submission_count_errors_to(submission);
		work->shown_recipient = NULL;
	}
	submission_add_warnings(submission);
	config_set_macro(submission->config, submission->macros, "u", work->shown_recipient);
	finish_header(envelope, submission->config, submission->macros, &submission->sender);
	finish_envelope(envelope, submission->config, submission->recipient_count);
}

/* FastSplit: so many messages are delivered from here, the others wait for the queue run. */
static const char *
add_splits(struct work *work, const char *ids)
{
	int most = work->context->config->options.fast_split;

	for (size_t i = 0; i < work->splits.count; i++) {
		struct envelope *split = work->splits.envelopes[i];

		if (most > 0 && (size_t)most <= i + 1)
			submit_log_queued(split, work->delivery_mode);
		else
			ids = arena_printf(
			    split->arena, "%s%s%s", ids, *ids != '\0' ? "," : "", split->id);
	}
	return ids;
}

/* The message is safe: what happens to it now. */
static int
start_delivery(struct work *work)
{
	const struct envelope *envelope = work->submission.envelope;
	const char *ids = clone_ids(envelope, &work->clones, envelope->arena);
	int status = submission_final_status(&work->submission);

	if (work->delivery_mode == 'i' || work->delivery_mode == 'b')
		ids = add_splits(work, ids);
	main_leave_queue(work->context);
	if (work->delivery_mode == 'i')
		return submit_deliver_now(work->context, ids, status, false);
	if (work->delivery_mode == 'b')
		return submit_deliver_later(work->context, ids, status);
	for (size_t i = 0; i < work->clones.count; i++)
		submit_log_queued(work->clones.envelopes[i], work->delivery_mode);
	submit_log_queued(envelope, work->delivery_mode);
	for (size_t i = 0; i < work->splits.count; i++)
		submit_log_queued(work->splits.envelopes[i], work->delivery_mode);
	/* V8: reports do not wait for the queue */
	if (submission_has_refusal(&work->submission))
		return submit_deliver_now(work->context, envelope->id, status, true);
	return status;
}

static int
settle(struct work *work)
{
	struct submission *submission = &work->submission;
	struct envelope *envelope = submission->envelope;
	struct verdict verdict;
	bool is_lost;
	int status;

	finish(work);
	if (work->collect.header_is_too_large)
		log_at(0, LOG_NOTICE,
		    "%s: headers too large (%ld max) from local during message collect",
		    envelope->id, submission->config->options.max_headers_length);
	if (!work->is_handed_over)
		log_from(work);
	is_lost =
	    !work->is_handed_over && is_refused(work, &verdict) && !refuse_message(work, &verdict);
	if (submission->has_failed && submission_wants_dead_letter(submission) &&
	    !work->collect.is_too_large && !work->collect.header_is_too_large &&
	    (is_lost || submission->recipient_failed))
		save_dead_letter(work);
	if (is_lost || envelope->recipients == NULL) {
		discard(work);
		return submission_final_status(submission);
	}
	if (work->delivery_mode != 'q' && work->delivery_mode != 'd' &&
	    submit_must_wait(&work->context->config->options, work->submission.envelope,
		work->context->arguments->is_verbose))
		work->delivery_mode = 'q';
	status = commit(work);
	return status != EX_OK ? status : start_delivery(work);
}

/* What the caller chose for itself is told to whoever reads the message. */
static void
warn_of_unsafe(struct work *work)
{
	const struct main_context *context = work->context;

	if (!context->dropped_rights || context->is_trusted_caller)
		return;
	if (context->arguments->cf_file != NULL)
		submission_warn(&work->submission, "Processed by %s with -C %s",
		    context->caller_name, context->arguments->cf_file);
	submission_warn(
	    &work->submission, "Processed from queue %s", context->config->options.queue_directory);
}

int
main_submit(struct main_context *context)
{
	const struct arguments *arguments = context->arguments;
	const struct options *options = &context->config->options;
	struct work work = {.context = context, .collect = {.file = -1}};
	int status;

	if (arguments->recipient_count == 0 && !arguments->from_header) {
		io_printf(STDERR_FILENO, "Recipient names must be specified\n");
		return EX_USAGE;
	}
	/* V8: whoever wants to watch waits for the end */
	work.delivery_mode =
	    arguments->is_verbose || options->verbose ? 'i' : options->delivery_mode;
	begin(&work);
	work.submission.is_early = true;
	warn_of_unsafe(&work);
	work.submission.is_early = false;
	status = main_enter_queue(context, &work.queue);
	if (status != EX_OK)
		return status;
	submission_set_sender(&work.submission, arguments->sender);
	submission_choose_error_mode(&work.submission);
	for (size_t i = 0; i < arguments->recipient_count; i++)
		submission_add_list(&work.submission, arguments->recipients[i]);
	status = read_message(&work);
	if (status != EX_OK)
		return status;
	if (work.submission.given_count == 1)
		work.shown_recipient = work.submission.given_name;
	if (arguments->from_header) {
		submission_add_from_header(&work.submission);
		if (work.submission.recipient_count == 0 && !work.submission.has_failed)
			io_printf(STDERR_FILENO, "No recipient addresses found in header\n");
	}
	if (hand_over(&work, &status))
		return status;
	return settle(&work);
}
