#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "client/client.h"
#include "deliver/local.h"
#include "job_private.h"
#include "route/alias.h"
#include "route/compose.h"

enum { MAILER_SECONDS = 3600 };

static const char *
unix_from_line(struct job *job, const struct mailer *mailer, const char *sender)
{
	const char *template = job->run->config->options.unix_from_line;
	const char *bang = mailer_has(mailer, 'U') ? strchr(sender, '!') : NULL;

	if (bang != NULL)
		return arena_printf(job->rule.arena, "From %s  %s remote from %.*s", bang + 1,
		    config_expand(job->run->config, job->macros, "$d", job->rule.arena),
		    (int)(bang - sender), sender);
	return config_expand(job->run->config, job->macros,
	    template != NULL ? template : "From $g $d", job->rule.arena);
}

static bool
is_special(const struct job *job, const struct mailer *mailer)
{
	return mailer == job->run->config->prog_mailer || mailer == job->run->config->file_mailer;
}

/* V8 says this of programs, not of files. */
static void
tell_connecting(struct job *job, struct recipient *const recipients[], size_t count)
{
	const struct mailer *mailer = recipients[0]->mailer;
	struct str names = {0};

	if (job->run->verbose == NULL || mailer == job->run->config->file_mailer)
		return;
	job_log_names(&names, recipients, count);
	fprintf(job->run->verbose, "%s... Connecting to %s...\n", str_text(&names), mailer->name);
	fflush(job->run->verbose);
	str_free(&names);
}

/*
 * A control file of root's says as whom its programs run: nobody else could have written it.  That
 * counts only where this process is root itself; the twin makes up its own mind.
 */
static bool
take_grant(const struct job *job, const struct recipient *recipient, struct source_owner *granted)
{
	struct stat status;

	if (!recipient->has_control_ids || recipient->chain_count > 0 ||
	    fstat(job->envelope->control_fd, &status) < 0 || status.st_uid != 0)
		return false;
	*granted = (struct source_owner){.uid = recipient->control_uid,
	    .gid = recipient->control_gid,
	    .name = recipient->control_user,
	    .login = recipient->control_gid != 0 ? recipient->control_user : ""};
	return true;
}

/* V8 knows it by $r, which a report of ours has without a value. */
static bool
came_by_protocol(const struct envelope *envelope)
{
	const char *protocol = envelope_macro(envelope, "r");

	return protocol != NULL && *protocol != '\0';
}

/* What a mailer said and how it ended, for reports. */
static void
note_mailer(struct job *job, struct recipient *const recipients[], size_t count, struct str *output)
{
	const struct verdict *verdict = &recipients[0]->verdict;
	const char *number = local_exit_text(verdict, job->envelope->arena);

	if (output->length > 0 && output->data[output->length - 1] != '\n')
		str_add_char(output, '\n');
	/* a NUL byte ends it: what follows is no text */
	if (output->length > 0)
		recipients[0]->said = arena_strdup(job->envelope->arena, str_text(output));
	for (size_t i = 0; i < count; i++)
		recipients[i]->diagnostic = verdict_is_success(verdict) ? NULL : number;
	/* V8: a mailer that finds fault with this system is the postmaster's concern too */
	if (verdict->exit_status == EX_SOFTWARE || verdict->exit_status == EX_CONFIG)
		job->is_out_of_order = true;
}

/* All but the users and what names them. */
static struct spawn_request
make_request(struct job *job, const struct job_group *group, const struct composed *composed)
{
	return (struct spawn_request){
	    .mailer = group->mailer->name,
	    .id = job->envelope->id,
	    .host = group->host,
	    .sender = composed->sender,
	    .from = composed->sender,
	    .control_user = job->control_user,
	    /* V8: who speaks SMTP names a sender */
	    .add_sender_flag = job->run->has_sender_flag || came_by_protocol(job->envelope),
	    .macros = job->envelope->macros,
	};
}

static void
set_verdicts(struct recipient **recipients, size_t count, struct verdict verdict)
{
	for (size_t i = 0; i < count; i++) {
		/* V8 logs a detail (user+detail) where other mailers have a relay */
		bool has_detail = !mailer_is_smtp(recipients[i]->mailer);

		recipients[i]->verdict = verdict;
		recipients[i]->relay = has_detail ? recipients[i]->host : NULL;
		recipients[i]->reply = NULL;
		recipients[i]->reply_is_own = false;
		recipients[i]->said = recipients[i]->said_after = recipients[i]->remote = NULL;
	}
}

/* V8: a user who was found in another spelling, or by full name, gets his mail under his own name (flag w). */
static const char *
login_name(const struct job *job, const struct recipient *recipient)
{
	struct arena *arena = job->envelope->arena;
	struct alias_user account;

	if (!mailer_has(recipient->mailer, 'w') || recipient->user[0] == '\\')
		return recipient->user;
	if (alias_find_account(recipient->user, arena, &account) ||
	    (job->rule.config->options.match_gecos &&
		alias_find_full_name(recipient->user, arena, &account)))
		return account.login;
	return recipient->user;
}

void
job_deliver_locally(
    struct job *job, struct job_group *group, struct recipient **recipients, size_t count)
{
	struct arena *arena = job->envelope->arena;
	const char **users = ARENA_ARRAY(arena, const char *, count);
	const char **addresses = ARENA_ARRAY(arena, const char *, count);
	bool is_named = is_special(job, group->mailer);
	struct composed composed;
	struct str output = {0};
	struct spawn_request request;
	struct source_owner granted;
	struct local_message message;
	int64_t started_ms = clock_monotonic_ms();

	for (size_t i = 0; i < count; i++)
		users[i] = is_named ? recipients[i]->address : login_name(job, recipients[i]);
	for (size_t i = 0; i < count; i++)
		addresses[i] = recipients[i]->address;
	tell_connecting(job, recipients, count);
	compose_message(&job->rule, job->envelope, group->mailer, &composed);
	request = make_request(job, group, &composed);
	request.users = users;
	request.user_count = count;
	request.addresses = addresses;
	request.address_count = is_named ? 0 : count;
	if (is_named && take_grant(job, recipients[0], &granted))
		request.granted = &granted;
	else if (is_named)
		job_find_chain(job, recipients[0]);
	request.chain = recipients[0]->chain;
	request.chain_count = is_named ? recipients[0]->chain_count : 0;
	message = (struct local_message){
	    .render = {.config = job->run->config,
		.macros = job->macros,
		.mailer = group->mailer,
		.envelope = job->envelope,
		.header = composed.header,
		.header_length = composed.header_length},
	    .unix_from = unix_from_line(job, group->mailer, composed.sender),
	    .limit_seconds = MAILER_SECONDS,
	};
	set_verdicts(recipients, count,
	    local_deliver(job->run->spawner, &request, &message, &output, arena));
	note_mailer(job, recipients, count, &output);
	str_free(&output);
	job_settle_recipients(job, recipients, count, started_ms);
}

static void
send_to_child(struct job *job, struct job_group *group, struct spawn_child *child,
    struct client_message *message)
{
	struct arena *arena = job->envelope->arena;
	struct client_context context = {
	    .config = job->run->config,
	    .verbose = job->run->verbose,
	    .log_id = job->envelope->id,
	    .tls = job->run->tls,
	};
	struct client *client =
	    client_open_program(&context, group->mailer, child->output_fd, child->input_fd);
	struct verdict verdict;

	job->run->tls = context.tls;
	if (client_is_open(client)) {
		client_send(client, &context, message);
	} else {
		verdict = client_verdict(client);
		verdict.text = arena_strdup(arena, verdict.text);
		set_verdicts(message->recipients, message->recipient_count, verdict);
	}
	for (size_t i = 0; i < message->recipient_count; i++)
		message->recipients[i]->relay = NULL;
	client_close(client);
	spawn_forget(child);
}

void
job_deliver_to_program(
    struct job *job, struct job_group *group, struct recipient **recipients, size_t count)
{
	struct arena *arena = job->envelope->arena;
	const char **users = ARENA_ARRAY(arena, const char *, count);
	const char **addresses = ARENA_ARRAY(arena, const char *, count);
	struct recipient **reversed = ARENA_ARRAY(arena, struct recipient *, count);
	struct composed composed;
	struct spawn_request request;
	struct spawn_child child;
	struct client_message message;
	int64_t started_ms = clock_monotonic_ms();

	for (size_t i = 0; i < count; i++) {
		users[i] = recipients[i]->user;
		addresses[i] = recipients[i]->address;
		reversed[i] = recipients[count - 1 - i]; /* V8's order of RCPT */
	}
	tell_connecting(job, recipients, count);
	compose_message(&job->rule, job->envelope, group->mailer, &composed);
	request = make_request(job, group, &composed);
	request.users = users;
	request.user_count = count;
	request.addresses = addresses;
	request.address_count = count;
	message = (struct client_message){
	    .envelope = job->envelope,
	    .sender = composed.sender,
	    .header = composed.header,
	    .header_length = composed.header_length,
	    .recipients = reversed,
	    .recipient_count = count,
	};
	if (spawn_start(job->run->spawner, &request, &child))
		send_to_child(job, group, &child, &message);
	else
		set_verdicts(recipients, count,
		    verdict_make(arena, 451, "4.3.0", EX_TEMPFAIL,
			"%s mailer could not be started: %s", group->mailer->name,
			strerror(errno)));
	job_settle_each(job, recipients, count, started_ms, false);
}
