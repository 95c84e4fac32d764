#include "config.h"

#include "report_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "job_private.h"
#include "conf/safefile.h"
#include "os/os.h"
#include "queue/statistics.h"
#include "route/alias.h"
#include "route/compose.h"
#include "route/resolve.h"
#include "submit/finish.h"
#include "submit/submission.h"

enum { HEADROOM = 1024 /* V8: what a report is longer than its original */ };

/* One report on its way: to whom, and how it looks. */
struct making {
	struct report_order *order;
	struct envelope *report;
	struct macro_env *macros;
	bool is_to_postmaster; /* the sender cannot be told, or this is the copy */
	bool returns_body;
	const char *boundary;
};

static struct config *
config_of(const struct report_order *order)
{
	return order->rule->config;
}

static bool
is_of_report(const struct report_order *order)
{
	return (order->original->flags & ENVELOPE_RESPONSE) != 0;
}

static const char *
host_name(const struct report_order *order)
{
	const char *name = config_macro(config_of(order), config_of(order)->macros, "j");

	return name != NULL ? name : "localhost";
}

/* V8's words for the log and the header. */
static const char *
subject_of(const struct making *making)
{
	const struct report_order *order = making->order;

	if (making->is_to_postmaster)
		return "Postmaster notify: see transcript for details";
	if (order->occasion == REPORT_OF_FAILURE)
		return "Returned mail: see transcript for details";
	return order->occasion == REPORT_OF_SUCCESS ? "Return receipt" : order->message;
}

static const char *
kind_of(const struct making *making)
{
	if (making->is_to_postmaster)
		return "postmaster-notification";
	return making->order->occasion == REPORT_OF_FAILURE ? "failure"
	       : making->order->occasion == REPORT_OF_DELAY ? "warning-timeout"
							    : "return-receipt";
}

static void
add_field(struct making *making, const char *name, const char *value)
{
	header_append(&making->report->headers, making->report->arena, name,
	    arena_printf(making->report->arena, " %s", value));
}

static struct recipient *
add_recipient(struct making *making, const char *address)
{
	struct report_order *order = making->order;
	struct recipient *added = envelope_add_recipient(
	    making->report, address, RECIPIENT_PRIMARY | RECIPIENT_NOTIFY_FAILURE);
	struct resolved resolved = {0};

	resolve_address(order->rule, address, 0, &resolved);
	added->final = submission_final_address(
	    config_of(order), making->report->arena, address, resolved.mailer);
	return added;
}

/* V8 knows at once whether a local address exists; the log shows one that does not. */
static bool
is_known(struct report_order *order, const char *address)
{
	const struct envelope *original = order->original;
	struct resolved resolved = {0};
	struct alias_result alias;
	struct alias_user account;
	struct str delay = {0};

	if (!resolve_address(order->rule, address, 0, &resolved))
		return resolved.is_deferred;
	if (alias_check(order->rule, resolved.mailer, resolved.host, resolved.user, &alias,
		&account) != ALIAS_UNKNOWN)
		return true;
	job_log_interval(&delay, (long)(clock_now() - original->created));
	log_at(8, LOG_INFO,
	    "%s: to=%s, delay=%s, mailer=%s, pri=%ld, dsn=5.1.1, reply=550 5.1.1 User unknown, "
	    "stat=User unknown",
	    original->id, address, str_text(&delay), resolved.mailer->name, original->priority);
	str_printf(order->transcript, "550 5.1.1 %s... User unknown\n", address);
	order->message = "User unknown";
	str_free(&delay);
	return false;
}

struct list {
	struct making *making;
	struct arena *arena;
	const char *items[32];
	size_t count;
};

static void
take(void *context, const char *address)
{
	struct list *list = context;

	if (*address != '\0' && list->count < sizeof list->items / sizeof list->items[0] &&
	    is_known(list->making->order, address))
		list->items[list->count++] = arena_strdup(list->arena, address);
}

/* UseErrorsTo: the Errors-To field names others who hear of it. */
static void
find_errors_to(struct making *making, struct list *list)
{
	const struct header *header = header_find(&making->order->original->headers, "Errors-To");

	if (config_of(making->order)->options.use_errors_to && header != NULL)
		resolve_split_list(header->value, making->report->arena, take, list);
}

/* The names of a list as V8 has them: To fields in its order, recipients the other way round. */
static void
address_to(struct making *making, const struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		add_field(making, "To", list->items[i]);
	for (size_t i = list->count; i > 0; i--)
		add_recipient(making, list->items[i - 1]);
}

/* To the sender and those who want to hear of it. */
static bool
address_to_sender(struct making *making)
{
	struct report_order *order = making->order;
	struct list list = {.making = making, .arena = making->report->arena};
	const char *sender = order->original->sender;

	if (is_of_report(order) || sender == NULL || strcmp(sender, "<>") == 0 || *sender == '\0' ||
	    !is_known(order, sender))
		return false;
	find_errors_to(making, &list);
	list.items[list.count < 30 ? list.count++ : 29] = sender;
	if (order->copies_to_postmaster)
		list.items[list.count++] = "postmaster";
	address_to(making, &list);
	return true;
}

/* What failed is on its way to those who hear of failed reports already: there is nobody left. */
static bool
is_last_resort(const struct report_order *order, const char *address)
{
	if (!is_of_report(order))
		return false;
	for (const struct recipient *one = order->original->recipients; one != NULL;
	     one = one->next) {
		const char *given = one->alias_of != NULL ? one->alias_of : one->address;

		if (one->report == REPORT_FAILED &&
		    (text_equal_nocase(given, address) ||
			(one->control_alias != NULL &&
			    text_equal_nocase(one->control_alias, address))))
			return true;
	}
	return false;
}

/* One address alone, which is a postmaster's. */
static bool
address_to_postmaster(struct making *making, const char *address)
{
	struct list list = {.making = making, .arena = making->report->arena};

	making->is_to_postmaster = true;
	if (is_last_resort(making->order, address) || !is_known(making->order, address))
		return false;
	list.items[list.count++] = address;
	address_to(making, &list);
	return true;
}

static struct making
begin(struct report_order *order)
{
	struct making making = {.order = order, .report = envelope_create()};
	const struct envelope *original = order->original;
	struct config *config = config_of(order);
	const char *flags = envelope_macro(original, "daemon_flags");

	making.macros = macro_env_create(config->macros);
	making.report->sender = "MAILER-DAEMON";
	making.report->flags = ENVELOPE_RESPONSE;
	making.report->created = clock_now();
	queue_new_id(making.report->id);
	/* V8: it comes from here, by no protocol */
	envelope_set_macro(making.report, "_", "localhost");
	envelope_set_macro(making.report, "r", "");
	envelope_set_macro(making.report, "s", "localhost");
	if (flags != NULL)
		envelope_set_macro(making.report, "daemon_flags", flags);
	for (const struct saved_macro *one = making.report->macros; one != NULL; one = one->next)
		config_set_macro(config, making.macros, one->name, one->value);
	making.boundary = arena_printf(making.report->arena, "%s.%lld/%s", making.report->id,
	    (long long)making.report->created, host_name(order));
	/* RFC 3461 4.3, and V8: nothing is returned with what is no failure, nor of mail that nobody waits for */
	making.returns_body = order->occasion != REPORT_OF_SUCCESS &&
			      (original->flags & ENVELOPE_NO_BODY_RETURN) == 0 &&
			      (config->options.privacy & PRIVACY_NO_BODY_RETURN) == 0;
	return making;
}

static void
end(struct making *making)
{
	macro_env_destroy(making->macros);
	envelope_destroy(making->report);
}

static void
add_header(struct making *making)
{
	static const struct finish_sender sender = {"MAILER-DAEMON", "Mail Delivery Subsystem"};
	struct report_order *order = making->order;
	struct config *config = config_of(order);
	struct envelope *report = making->report;
	int count = 0;

	if (config->options.send_mime_errors) {
		add_field(making, "MIME-Version", "1.0");
		add_field(making, "Content-Type",
		    arena_printf(report->arena,
			"multipart/report; report-type=delivery-status;\n\tboundary=\"%s\"",
			making->boundary));
		if ((order->original->flags & ENVELOPE_8BIT) != 0)
			add_field(making, "Content-Transfer-Encoding", "8bit");
	}
	add_field(making, "Subject", subject_of(making));
	add_field(making, "Auto-Submitted",
	    arena_printf(report->arena, "auto-generated (%s)", kind_of(making)));
	for (const struct recipient *one = report->recipients; one != NULL; one = one->next)
		count++;
	finish_header(report, config, making->macros, &sender);
	if (making->returns_body)
		report->message_size = order->original->message_size + HEADROOM;
	finish_envelope(report, config, count);
	report->flags &= ~(unsigned)ENVELOPE_DELETE_BCC; /* V8 */
}

/* ErrorHeader: a text, or the name of a file whose lines may have macros; NULL: there is nothing to say. */
static const char *
introduction(const struct making *making)
{
	struct config *config = config_of(making->order);
	const char *name = config->options.error_header;
	struct str out = {0};
	char line[1024];
	const char *text;
	FILE *file;

	if (name == NULL || *name == '\0')
		return NULL;
	if (*name != '/')
		return arena_printf(making->report->arena, "%s\n",
		    config_expand(config, making->macros, name, making->report->arena));
	if (safefile_check_kind(name, SAFEFILE_ERROR_HEADER, &config->options) != NULL)
		return NULL;
	file = fopen(name, "re");
	if (file == NULL)
		return NULL;
	while (fgets(line, sizeof line, file) != NULL)
		macro_expand(config->names, making->macros, line, &out);
	fclose(file);
	if (out.length > 0 && out.data[out.length - 1] != '\n')
		str_add_char(&out, '\n');
	text = out.length > 0 ? arena_strdup(making->report->arena, str_text(&out)) : NULL;
	str_free(&out);
	return text;
}

/* "DNS; client.example" of "client.example [192.0.2.1]"; NULL when no host handed it in. */
static const char *
received_mta(const struct making *making, const char *from)
{
	size_t length = strcspn(from, " @[");

	if (length == 0 || from[length] != ' ' || from[length + 1] != '[')
		return NULL;
	return arena_printf(making->report->arena, "DNS; %.*s", (int)length, from);
}

static bool
write_piece(void *context, const char *bytes, size_t length)
{
	const int *fd = context;

	return io_write(*fd, bytes, length);
}

/* The report's body, into a file of the queue or elsewhere; false with errno. */
static bool
write_body(struct making *making, int fd)
{
	struct report_order *order = making->order;
	const struct envelope *original = order->original;
	const char *from = envelope_macro(original, "_");
	struct composed composed;
	struct report report = {
	    .is_mime = config_of(order)->options.send_mime_errors,
	    .boundary = making->boundary,
	    .is_8bit = (original->flags & ENVELOPE_8BIT) != 0,
	    .is_warning = order->occasion == REPORT_OF_DELAY && !order->has_failure,
	    .introduction = introduction(making),
	    .arrived = original->created,
	    .deliver_by =
		original->deliver_by_mode != NULL ? original->created + original->deliver_by : 0,
	    .attempted = original->last_attempt != 0 ? original->last_attempt : clock_now(),
	    .received_from = from != NULL ? from : "localhost",
	    .with_id = making->is_to_postmaster ? original->id : NULL,
	    .transcript = str_text(order->transcript),
	    .envid = original->envid,
	    .reporting_mta = host_name(order),
	    .returns_body = making->returns_body,
	    .body_fd = original->body_fd,
	    .write = write_piece,
	    .context = &fd,
	};

	report.received_mta = received_mta(making, report.received_from);
	report.recipients =
	    report_recipients(order, making->report->arena, &report.recipient_count);
	compose_original(order->rule, original, &composed);
	report.header = composed.header;
	report.header_length = composed.header_length;
	return report_write(&report);
}

static bool
commit(struct making *making)
{
	struct report_order *order = making->order;
	struct queue *queue = order->queue;
	const char *id = making->report->id;
	int body_fd = queue_body_create(queue, id), error;

	if (body_fd >= 0 && !write_body(making, body_fd)) {
		error = errno;
		close(body_fd);
		queue_discard(queue, id);
		errno = error;
		body_fd = -1;
	}
	if (body_fd >= 0 && queue_commit(queue, making->report, body_fd, false) == 0) {
		const struct config *config = config_of(order);

		/* V8: a report comes from the local mailer */
		if (config->local_mailer != NULL)
			statistics_count_message(STATISTICS_FROM, config->local_mailer->number,
			    (long)making->report->message_size);
		return true;
	}
	log_at(0, LOG_CRIT, "%s: SYSERR: cannot queue the report about it: %s", order->original->id,
	    strerror(errno));
	return false;
}

static const char *
log_word(const struct making *making)
{
	if (is_of_report(making->order))
		return "return to sender";
	if (making->is_to_postmaster)
		return "postmaster notify";
	return making->order->occasion == REPORT_OF_DELAY ? "sender notify" : "DSN";
}

static bool
queue_one(struct making *making)
{
	struct report_order *order = making->order;

	add_header(making);
	if (!commit(making))
		return false;
	log_at(6, LOG_INFO, "%s: %s: %s: %.250s", order->original->id, making->report->id,
	    log_word(making), order->message);
	order->queued(order->context, making->report->id);
	return true;
}

/* PostmasterCopy: the header of what failed, for somebody who wants to see it all.  Nobody misses it. */
static void
queue_copy(struct report_order *order)
{
	const char *address = config_of(order)->options.postmaster_copy;
	struct making making;

	if (address == NULL || *address == '\0' || order->occasion != REPORT_OF_FAILURE ||
	    order->original->message_class < 0)
		return;
	making = begin(order);
	making.returns_body = false;
	if (address_to_postmaster(&making, address))
		queue_one(&making);
	end(&making);
}

enum report_result
report_make(struct report_order *order)
{
	const char *last = config_of(order)->options.double_bounce_address;
	struct making making = begin(order);
	enum report_result result = REPORT_QUEUED;

	if (!address_to_sender(&making)) {
		if (order->occasion != REPORT_OF_FAILURE || last == NULL || *last == '\0')
			result = REPORT_UNWANTED;
		else if (!address_to_postmaster(&making, last))
			result = REPORT_HOMELESS;
	}
	if (result == REPORT_QUEUED && !queue_one(&making))
		result = REPORT_TROUBLE;
	end(&making);
	if (result == REPORT_QUEUED)
		queue_copy(order);
	return result;
}

/* The end of DeadLetterDrop, opened and locked; *size is where we begin.  -1 when it is no file for that. */
static int
open_drop(const char *path, off_t *size)
{
	struct stat status;
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1 ||
	    os_lock(fd, OS_LOCK_EXCLUSIVE, true) < 0 || fstat(fd, &status) < 0) {
		close(fd);
		return -1;
	}
	*size = status.st_size;
	return fd;
}

static bool
write_to_drop(struct making *making, int fd)
{
	char date[DATE_CTIME_SIZE];
	struct composed composed;
	struct str head = {0};
	bool done;

	compose_original(making->order->rule, making->report, &composed);
	str_printf(&head, "From MAILER-DAEMON %s\n", date_ctime(making->report->created, date));
	str_add(&head, composed.header, composed.header_length);
	str_add_char(&head, '\n');
	done = io_write(fd, str_text(&head), head.length) && write_body(making, fd) &&
	       io_write(fd, "\n", 1) && fsync(fd) == 0;
	str_free(&head);
	return done;
}

bool
report_drop(struct report_order *order)
{
	const char *path = config_of(order)->options.dead_letter_drop;
	struct making making;
	off_t size = 0;
	bool done;
	int fd;

	if (path == NULL || *path == '\0')
		return false;
	fd = open_drop(path, &size);
	if (fd < 0) {
		log_at(0, LOG_ERR, "%s: cannot save in %s: %s", order->original->id, path,
		    strerror(errno));
		return false;
	}
	making = begin(order);
	making.is_to_postmaster = true;
	add_header(&making);
	done = write_to_drop(&making, fd);
	if (!done && ftruncate(fd, size) < 0)
		log_at(0, LOG_ERR, "%s: half a message is left in %s", order->original->id, path);
	if (close(fd) < 0)
		done = false;
	end(&making);
	if (done)
		log_at(5, LOG_NOTICE, "%s: Saved message in %s", order->original->id, path);
	return done;
}
