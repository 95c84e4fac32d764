#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "deliver/local.h"
#include "job_private.h"
#include "route/compose.h"

enum { MAILER_SECONDS = 3600 };

static const char *
unix_from_line(struct job *job)
{
	const char *template = job->run->config->options.unix_from_line;

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

void
job_deliver_locally(
    struct job *job, struct job_group *group, struct recipient **recipients, size_t count)
{
	struct arena *arena = job->envelope->arena;
	const char **users = ARENA_ARRAY(arena, const char *, count);
	bool is_named = is_special(job, group->mailer);
	struct composed composed;
	struct str output = {0};
	struct spawn_request request;
	struct source_owner granted;
	struct local_message message;
	struct verdict verdict;
	int64_t started_ms = clock_monotonic_ms();

	for (size_t i = 0; i < count; i++)
		users[i] = is_named ? recipients[i]->address : recipients[i]->user;
	tell_connecting(job, recipients, count);
	compose_message(&job->rule, job->envelope, group->mailer, &composed);
	request = (struct spawn_request){
	    .mailer = group->mailer->name,
	    .id = job->envelope->id,
	    .host = group->host,
	    .sender = composed.sender,
	    .from = composed.sender,
	    .control_user = job->control_user,
	    /* V8: who speaks SMTP names a sender */
	    .add_sender_flag =
		job->run->has_sender_flag || envelope_macro(job->envelope, "r") != NULL,
	    .users = users,
	    .user_count = count,
	    .macros = job->envelope->macros,
	};
	if (is_named && take_grant(job, recipients[0], &granted))
		request.granted = &granted;
	else if (is_named)
		job_find_chain(job, recipients[0]);
	request.chain = recipients[0]->chain;
	request.chain_count = is_named ? recipients[0]->chain_count : 0;
	message = (struct local_message){
	    .mailer = group->mailer,
	    .header = composed.header,
	    .header_length = composed.header_length,
	    .body_fd = job->envelope->body_fd,
	    .unix_from = unix_from_line(job),
	    .limit_seconds = MAILER_SECONDS,
	};
	verdict = local_deliver(job->run->spawner, &request, &message, &output, arena);
	str_free(&output);
	for (size_t i = 0; i < count; i++) {
		recipients[i]->verdict = verdict;
		recipients[i]->relay = NULL;
		recipients[i]->reply = NULL;
		recipients[i]->reply_is_own = false;
	}
	job_settle_recipients(job, recipients, count, started_ms);
}
