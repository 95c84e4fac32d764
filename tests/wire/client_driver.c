/*
 * client_driver: sends messages through src/client alone, for tests/wire/client.test.
 *
 *   client_driver --outcomes                    the table, one row a line, fields apart by tabs
 *   client_driver CF HOST [OPTION...] RECIPIENT...
 *
 *   -s ADDRESS  sender (default a@example.com)      -S       HOST is a smart host
 *   -n N        send N messages on one session      -8       the body is 8-bit
 *   -b FILE     body                                -H FILE  header
 *   -v          show the dialogue                   -i N     open N sessions, one after the other
 *   -m MAILER   instead of smtp                     -d LIST  as sendmail's
 *   -o          client_send_start: the next message goes before the answer to the last
 *
 * Prints `open HOST` or `closed CODE DSN EXIT TEXT`, and for each recipient `to=... CODE DSN EXIT TEXT`
 * and, when there is one, `reply=...`.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/trace.h"
#include "client/client.h"
#include "client/outcome.h"
#include "net/tls.h"

struct settings {
	const char *sender, *header, *body, *mailer;
	bool is_smart_host, is_8bit, is_verbose, is_overlapped;
	int messages, sessions;
};

static void
print_outcomes(void)
{
	const struct outcome_row *row;
	char buffer[8];

	for (size_t i = 0; (row = outcome_row(i)) != NULL; i++) {
		bool begun = false;

		for (unsigned stage = 1; stage <= STAGE_MISC; stage <<= 1) {
			if ((row->stages & stage) == 0)
				continue;
			printf("%s%s", begun ? ", " : "",
			    outcome_stage_name((enum client_stage)stage));
			begun = true;
		}
		printf("\t%s", outcome_event_name(row->first, buffer));
		if (row->last != row->first)
			printf("-%s", outcome_event_name(row->last, buffer));
		printf("\t%s\t%s\n", outcome_name(row->outcome),
		    row->sendmail != NULL ? row->sendmail : "the same");
	}
}

static void
report(void *context, const char *message, enum config_message kind)
{
	(void)context;
	fprintf(stderr, "%s%s\n", kind != CONFIG_ERROR ? "warning: " : "", message);
}

static void
print_verdict(const char *what, const struct verdict *verdict, const char *reply)
{
	printf("%s %d %s %d %s\n", what, verdict->code, verdict->dsn, verdict->exit_status,
	    verdict->text != NULL ? verdict->text : "");
	if (reply != NULL)
		printf("reply=%s\n", reply);
}

struct sent {
	struct envelope *envelope;
	struct recipient **list;
	size_t count;
};

static void
start_one(struct client *client, struct client_context *context, const struct settings *settings,
    char **recipients, struct sent *sent)
{
	struct client_message message = {
	    .sender = settings->sender, .recipient_count = sent->count};

	sent->envelope = message.envelope = envelope_create();
	sent->list = message.recipients = calloc(sent->count, sizeof *sent->list);
	strcpy(sent->envelope->id, "6AKAnwQO000049");
	for (size_t i = 0; i < sent->count; i++) {
		sent->list[i] =
		    envelope_add_recipient(sent->envelope, recipients[i], RECIPIENT_PRIMARY);
		sent->list[i]->user = recipients[i];
	}
	message.header = settings->header;
	message.header_length = strlen(settings->header);
	sent->envelope->body_fd = open(settings->body, O_RDONLY);
	if (settings->is_8bit)
		sent->envelope->flags |= ENVELOPE_8BIT;
	if (settings->is_overlapped)
		client_send_start(client, context, &message);
	else
		client_send(client, context, &message);
}

static void
print_sent(struct sent *sent)
{
	char what[512];

	for (size_t i = 0; i < sent->count; i++) {
		snprintf(what, sizeof what, "to=%s", sent->list[i]->user);
		print_verdict(what, &sent->list[i]->verdict, sent->list[i]->reply);
	}
	fflush(stdout);
	free(sent->list);
	envelope_destroy(sent->envelope);
}

static char *
read_file(const char *name)
{
	struct str text = {0};
	char block[4096];
	FILE *file = fopen(name, "r");
	size_t length;

	if (file == NULL) {
		perror(name);
		exit(2);
	}
	while ((length = fread(block, 1, sizeof block, file)) > 0)
		str_add(&text, block, length);
	fclose(file);
	return text.data != NULL ? text.data : strdup("");
}

static void
run(struct client_context *context, const char *host, const struct settings *settings,
    char **recipients, size_t count)
{
	const struct mailer *mailer = config_find_mailer(context->config, settings->mailer);
	struct client *client = client_open(context, mailer, host, settings->is_smart_host);
	struct verdict verdict = client_verdict(client);
	struct sent *sent;
	int started = 0, done = 0;

	if (client_is_open(client))
		printf("open %s\n", client_relay(client));
	else
		print_verdict("closed", &verdict, client_failure_reply(client));
	fflush(stdout);
	sent = calloc((size_t)settings->messages, sizeof *sent);
	for (; started < settings->messages && client_is_open(client); started++) {
		sent[started].count = count;
		start_one(client, context, settings, recipients, &sent[started]);
		while (done < started + 1 && sent[done].list[0]->verdict.code != 0)
			print_sent(&sent[done++]);
	}
	client_send_finish(client);
	while (done < started)
		print_sent(&sent[done++]);
	free(sent);
	client_close(client);
}

int
main(int argc, char **argv)
{
	struct settings settings = {.sender = "a@example.com",
	    .header = "Subject: test\n",
	    .body = "/dev/null",
	    .mailer = "smtp",
	    .messages = 1,
	    .sessions = 1};
	struct config_request request = {.report = report};
	struct client_context context = {0};
	const char *host;
	int option;

	if (argc > 1 && strcmp(argv[1], "--outcomes") == 0) {
		print_outcomes();
		return 0;
	}
	if (argc < 3)
		return 2;
	request.file = argv[1];
	host = argv[2];
	for (optind = 3; (option = getopt(argc, argv, "s:Sn:8b:H:vi:om:d:")) != -1;) {
		if (option == 's')
			settings.sender = optarg;
		else if (option == 'S')
			settings.is_smart_host = true;
		else if (option == 'n')
			settings.messages = atoi(optarg);
		else if (option == '8')
			settings.is_8bit = true;
		else if (option == 'b')
			settings.body = optarg;
		else if (option == 'H')
			settings.header = read_file(optarg);
		else if (option == 'v')
			settings.is_verbose = true;
		else if (option == 'm')
			settings.mailer = optarg;
		else if (option == 'd')
			trace_set(optarg);
		else if (option == 'o')
			settings.is_overlapped = true;
		else if (option == 'i')
			settings.sessions = atoi(optarg);
		else
			return 2;
	}
	log_open("client_driver");
	log_to_stderr(true);
	context.config = config_read(&request);
	if (context.config->error_status != 0)
		return 2;
	log_set_level(context.config->options.log_level);
	context.macros = context.config->macros;
	context.verbose = settings.is_verbose ? stdout : NULL;
	context.verbose_prefix = settings.is_verbose ? argv[optind] : NULL;
	context.log_id = "6AKAnwQO000049";
	for (int session = 0; session < settings.sessions; session++)
		run(&context, host, &settings, argv + optind, (size_t)(argc - optind));
	tls_context_destroy(context.tls);
	config_destroy(context.config);
	return 0;
}
