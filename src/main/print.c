#include "main/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "os/os.h"
#include "queue/list.h"

struct listing {
	struct main_context *context;
	const struct options *options;
	const struct queue_filter *filters;
	char kind; /* of control file */
	bool is_verbose;
	int load;
	time_t now;
	unsigned long total;
};

/* One queue directory, read; what is printed of it is printed without privileges. */
struct part {
	char *path;
	struct queue_list list;
};

/* V8: at most `width` bytes of text; what cannot be printed stands as an octal escape. */
static void
print_text(const char *text, size_t width)
{
	while (*text != '\0' && width > 0) {
		unsigned char byte = (unsigned char)*text;
		size_t plain = 0;

		/* nearly always all of it: a call for each byte is what listing a long queue would cost */
		while (plain < width && text[plain] != '\\' &&
		       text_is_print((unsigned char)text[plain]))
			plain++;
		if (plain > 0)
			fwrite(text, 1, plain, stdout);
		else if (byte == '\\')
			fputs("\\\\", stdout);
		else
			printf("\\%03o", byte);
		plain += plain == 0;
		text += plain;
		width -= plain;
	}
}

static char
mark_of(const struct listing *listing, const struct queue_listed *item)
{
	const struct options *options = listing->options;
	long age = (long)(listing->now - item->last_attempt);

	if (item->is_locked)
		return '*';
	if (listing->kind == 'Q')
		return '?';
	if (item->attempts > 0 && options->min_queue_age_seconds > 0 && age >= 0 &&
	    age < options->min_queue_age_seconds)
		return '-';
	/* V8: too high a load for a message of its priority */
	if (listing->load >= options->queue_load && options->queue_load > 0 &&
	    item->priority > options->queue_factor / (listing->load - options->queue_load + 1))
		return 'X';
	return ' ';
}

static void
print_date(const char *format, time_t when)
{
	char text[64];
	struct tm local;

	if (localtime_r(&when, &local) == NULL || strftime(text, sizeof text, format, &local) == 0)
		strcpy(text, "(null)");
	fputs(text, stdout);
}

/* V8: the words of others lose their control characters. */
static void
print_status(const char *before, const char *status, size_t width)
{
	char *clean = check_strdup(status), *to = clean;

	for (const char *from = status; *from != '\0'; from++) {
		if ((unsigned char)*from >= ' ' && *from != 127)
			*to++ = *from;
	}
	*to = '\0';
	fputs(before, stdout);
	print_text(clean, width);
	putchar(')');
	free(clean);
}

static void
print_recipients(const struct listing *listing, const struct queue_listed *item)
{
	for (const struct queue_listed_recipient *one = item->recipients; one != NULL;
	     one = one->next) {
		if (!listing->is_verbose) {
			fputs("\n\t\t\t\t\t ", stdout);
			print_text(one->address, 38);
			continue;
		}
		if (one->control != NULL) {
			fputs("\n\t\t\t\t\t\t(---", stdout);
			print_text(one->control, 64);
			fputs("---)", stdout);
		}
		fputs("\n\t\t\t\t\t\t", stdout);
		print_text(one->address, 71);
		if (one->status != NULL)
			print_status("\n\t\t (", one->status, 100);
	}
}

/* V8 says why there is no body in the middle of the line, and to the log. */
static void
complain_of_body(const struct listing *listing, const struct queue_listed *item)
{
	const char *reason =
	    item->body_error == ELOOP ? "not a regular file" : strerror(item->body_error);

	printf("readqf: cannot open ./df%s: %s\n", item->id, reason);
	log_at(0, LOG_CRIT, "NOQUEUE: SYSERR(%s): readqf: cannot open ./df%s: %s",
	    listing->context->caller_name, item->id, reason);
}

static void
print_message(const struct listing *listing, const struct queue_listed *item)
{
	printf("%13s", item->id);
	if (item->read_error == EACCES || item->read_error == EPERM) {
		puts(" (permission denied)");
		return;
	}
	if (item->read_error != 0) {
		printf(" (%s)\n", strerror(item->read_error));
		return;
	}
	if (item->body_error != 0)
		complain_of_body(listing, item);
	putchar(mark_of(listing, item));
	if (item->sender != NULL) {
		printf("%8lld", (long long)item->body_size);
		if (listing->is_verbose) {
			printf(" %10ld%c", item->priority, item->is_warned ? '+' : ' ');
			print_date("%b %e %H:%M", item->created);
			putchar(' ');
			print_text(item->sender, 78);
		} else {
			print_date(" %a %b %e %H:%M ", item->created);
			print_text(item->sender, 39);
		}
		if (item->quarantine != NULL) {
			fputs("\n     QUARANTINE: ", stdout);
			print_text(item->quarantine, listing->is_verbose ? 100 : 60);
		}
		if (item->body_type != NULL || item->status != NULL)
			printf("\n    %10.10s", item->body_type != NULL ? item->body_type : "");
		if (item->status != NULL)
			print_status("   (", item->status, listing->is_verbose ? 100 : 60);
		print_recipients(listing, item);
	}
	if (item->created == 0)
		fputs(" (no control file)", stdout);
	putchar('\n');
}

static void
print_part(struct listing *listing, const struct part *part)
{
	if (part->list.count == 0) {
		printf("%s is empty\n", part->path);
		return;
	}
	printf("\t\t%s (%zu request%s)\n", part->path, part->list.count,
	    part->list.count == 1 ? "" : "s");
	puts(
	    listing->is_verbose
		? "-----Q-ID----- --Size-- -Priority- ---Q-Time--- --------Sender/Recipient--------"
		: "-----Q-ID----- --Size-- -----Q-Time----- "
		  "------------Sender/Recipient-----------");
	for (size_t i = 0; i < part->list.count; i++)
		print_message(listing, &part->list.items[i]);
	listing->total += part->list.count;
}

struct irregular {
	const struct main_context *context;
	const char *path;
};

static void
report_irregular(void *argument, const char *name)
{
	const struct irregular *irregular = argument;

	main_report_error(
	    irregular->context, "gatherq: %s/%s is not a regular file", irregular->path, name);
}

/* Reads one directory; false after an error that was reported. */
static bool
read_part(struct listing *listing, const char *path, struct part *part)
{
	struct main_context *context = listing->context;
	struct irregular irregular = {.context = context, .path = path};
	struct queue *queue =
	    queue_open(path, listing->options->queue_file_mode, context->is_submission, true);
	int saved;

	if (queue == NULL) {
		saved = errno;
		main_report_error(context, "can not chdir(%s/): %s", path, strerror(saved));
		if ((saved == EACCES || saved == EPERM) && geteuid() != 0)
			fputs("Program mode requires special privileges, e.g., root or "
			      "TrustedUser.\n",
			    stderr);
		return false;
	}
	part->path = check_strdup(queue->shown);
	if (queue_list_read(queue, listing->kind, listing->filters, report_irregular, &irregular,
		&part->list) < 0) {
		main_report_error(context, "can not opendir(%s): %s", path, strerror(errno));
		queue_close(queue);
		return false;
	}
	queue_close(queue);
	queue_list_sort(&part->list, listing->options->queue_sort_order);
	return true;
}

/* V8: with restrictmailq only members of the queue directory's group may look. */
static bool
may_see(const struct main_context *context, const char *path)
{
	gid_t *groups;
	struct stat status;
	bool found;
	int count;

	if ((context->config->options.privacy & PRIVACY_RESTRICT_MAILQ) == 0 ||
	    context->caller_uid == 0)
		return true;
	if (stat(path, &status) < 0)
		return false;
	count = getgroups(0, NULL);
	groups = check_malloc(sizeof *groups * (size_t)(count > 0 ? count : 1));
	count = getgroups(count > 0 ? count : 0, groups);
	found = status.st_gid == context->caller_gid;
	for (int i = 0; i < count && !found; i++)
		found =
		    groups[i] == status.st_gid && (!context->has_rights || groups[i] != getegid());
	free(groups);
	return found;
}

static int
print_counts(void)
{
	/* V8: counts are kept in shared memory by a daemon that is set up for it; ours keeps none */
	puts("Data unavailable: shared memory not updated");
	return EX_OK;
}

int
main_print(struct main_context *context)
{
	const struct arguments *arguments = context->arguments;
	struct listing listing = {
	    .context = context,
	    .options = &context->config->options,
	    .filters = main_queue_filters(arguments),
	    .kind = arguments->queue.kind == 'Q'   ? 'h'
		    : arguments->queue.kind == 'L' ? 'Q'
						   : 'q',
	    .is_verbose = arguments->is_verbose || context->config->options.verbose,
	    .load = os_load_average(),
	    .now = clock_now(),
	};
	char **paths;
	struct part *parts;
	size_t count = 0;

	if (arguments->mode == MODE_COUNTS)
		return print_counts();
	paths = main_queue_directories(context);
	if (paths == NULL)
		return EX_CONFIG;
	if (paths[0] == NULL) {
		printf("Queue group %s unknown\n", arguments->queue.group);
		return EX_OK;
	}
	if (!may_see(context, paths[0])) {
		puts("You are not permitted to see the queue");
		printf("\t\tTotal requests: 0\n");
		return EX_OK;
	}
	while (paths[count] != NULL)
		count++;
	parts = check_malloc(count * sizeof *parts);
	for (size_t i = 0; i < count; i++) {
		if (!read_part(&listing, paths[i], &parts[i]))
			return EX_CONFIG;
	}
	if (context->has_rights)
		main_drop_to_caller(context);
	for (size_t i = 0; i < count; i++)
		print_part(&listing, &parts[i]);
	if (arguments->queue.group == NULL)
		printf("\t\tTotal requests: %lu\n", listing.total);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
