/* The server's side of smtp/local.h. */
#include "smtp/local.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/macro.h"
#include "net/listen.h"
#include "os/os.h"
#include "route/alias.h"
#include "route/resolve.h"
#include "server/session.h"

enum { READ_SIZE = 32 * 1024 };

int
server_listen_local(const char *path)
{
	struct arena *arena = arena_create();
	char *directory = arena_strdup(arena, path), *slash = strrchr(directory, '/');
	const char *error = NULL;
	int fd;

	if (slash != NULL && slash != directory) {
		*slash = '\0';
		if (mkdir(directory, 0755) == 0)
			chmod(directory, 0755); /* whatever the umask is */
	}
	fd = listen_open_local(path, 0666, arena, &error);
	if (fd < 0)
		log_at(1, LOG_ERR, "NOQUEUE: SYSERR: local socket %s: %s", path,
		    error != NULL ? error : strerror(errno));
	arena_destroy(arena);
	return fd;
}

/* Exactly `length` bytes, in pieces; false when the connection ended first. */
static bool
read_exactly(struct session *s, size_t length,
    void (*use)(void *context, const char *bytes, size_t length), void *context)
{
	while (length > 0) {
		const char *bytes;
		size_t there = conn_peek(s->conn, &bytes);

		if (there == 0)
			return false;
		if (there > length)
			there = length;
		use(context, bytes, there);
		conn_take(s->conn, there);
		length -= there;
	}
	return true;
}

static void
keep_piece(void *context, const char *bytes, size_t length)
{
	str_add(context, bytes, length);
}

/* Class t, root and TrustedUser may say who somebody is. */
static bool
is_trusted(struct session *s)
{
	struct passwd *entry = getpwuid(s->uid);

	if (s->uid == 0 || s->uid == s->options->trusted_uid)
		return true;
	return entry != NULL && class_has(s->config->classes, macro_id(s->config->names, "t"),
				    entry->pw_name, strlen(entry->pw_name));
}

/* What the caller may set of the message's macros: see smtp/local.h. */
static void
take_macros(struct session *s, const struct envelope *given)
{
	static const char *const own[] = {
	    "_", "i", "j", "client_name", "client_addr", "client_resolve", "client_ptr"};
	bool trusted = is_trusted(s);
	const struct saved_macro *one;
	size_t i;

	for (one = given->macros; one != NULL; one = one->next) {
		bool is_free = strcmp(one->name, "r") == 0 || strcmp(one->name, "s") == 0 ||
			       strcmp(one->name, "x") == 0;

		for (i = 0; i < sizeof own / sizeof own[0]; i++)
			if (strcmp(one->name, own[i]) == 0)
				break;
		if (i == sizeof own / sizeof own[0] && (is_free || trusted))
			session_set_message_macro(s, one->name, one->value);
	}
}

/* V8's words when somebody claims to be somebody else. */
static void
take_sender(struct session *s, const char *sender)
{
	struct passwd *entry = getpwuid(s->uid);
	const char *login = entry != NULL ? entry->pw_name : "unknown";
	struct resolved resolved = {0};

	s->envelope->sender =
	    arena_strdup(s->envelope->arena, sender != NULL && *sender != '\0' ? sender : login);
	sender = s->envelope->sender;
	if (strcmp(sender, login) != 0 && !is_trusted(s))
		session_auth_warning(s, "%s set sender to %s using -f", login, sender);
	if (strcmp(sender, "<>") == 0) {
		s->sender = "";
		return;
	}
	if (session_resolve(s, sender, RESOLVE_SENDER, &resolved)) {
		const char *given_name = config_macro(s->config, s->message_macros, "x");

		session_set_sender(s, sender, &resolved);
		if (given_name != NULL && *given_name != '\0')
			s->full_name = arena_strdup(s->envelope->arena, given_name);
	} else {
		/* what makes no sense is kept as the sender, and used for nothing */
		s->sender = "";
	}
}

/* The same filters as mail of the client queue meets, which comes by SMTP from this host. */
static void
open_filters(struct session *s)
{
	if (s->is_greeted)
		return;
	s->is_greeted = true;
	session_open_filters(s, s->options->input_mail_filters);
	if (s->filters == NULL)
		return;
	s->helo = arena_strdup(s->arena, session_macro(s, "j"));
	/* what it is refused with answers each message */
	s->is_quiet = true;
	if (session_filter_connect(s))
		session_filter_helo(s);
	s->filters_put_off |= s->is_over;
	s->is_quiet = s->is_over = false;
}

/* False: filters want nothing of this sender, or of nobody. */
static bool
passes_filters(struct session *s, const char *const *parameters, struct verdict *verdict)
{
	if (s->refusal != REFUSAL_NONE)
		*verdict = s->refusal_verdict;
	else if (s->filters_put_off)
		*verdict =
		    verdict_make(s->scratch, 451, "4.3.2", EX_TEMPFAIL, "Please try again later");
	else
		return session_filter_mail(s, s->envelope->sender, parameters, verdict);
	return false;
}

/* One recipient of the caller's; false and *verdict when it is refused. */
static bool
judge_recipient(struct session *s, const char *address, struct verdict *verdict)
{
	struct resolved resolved = {0};
	int maximum = s->options->max_recipients_per_message;
	bool is_good;

	if (maximum > 0 && s->recipient_count >= maximum) {
		*verdict =
		    verdict_make(s->scratch, 452, "4.5.3", EX_TEMPFAIL, "Too many recipients");
		return false;
	}
	if (!session_resolve(s, address, 0, &resolved)) {
		*verdict = resolved.error;
		/* what the rules cannot say now ("451 No smart host") waits here, where mailq shows it and why */
		return verdict_is_temporary(verdict);
	}
	s->subject = address;
	is_good = session_check(s, "check_rcpt", address, NULL, true, verdict);
	s->subject = NULL;
	if (!is_good || !session_is_deliverable(s, address, &resolved, verdict))
		return false;
	session_set_recipient(s, &resolved);
	session_set_message_macro(
	    s, "nrcpts", arena_printf(s->scratch, "%d", s->recipient_count + 1));
	return session_filter_rcpt(s, address, (const char *const[]){NULL}, verdict);
}

static void
take_recipients(struct session *s, const struct envelope *given)
{
	const struct recipient *one;
	int index = 0;

	for (one = given->recipients; one != NULL; one = one->next, index++) {
		struct arena *arena = s->envelope->arena;
		const char *address = arena_strdup(arena, one->address);
		struct recipient *added;
		struct verdict verdict;

		if (!judge_recipient(s, address, &verdict)) {
			conn_printf(s->conn, "R %d %d %s %s\r\n", index, verdict.code, verdict.dsn,
			    session_clean(s->scratch, verdict.text));
			log_at(4, LOG_NOTICE, "%s: %s", session_id(s),
			    session_clean(s->scratch, verdict.text));
			continue;
		}
		added = envelope_add_recipient(s->envelope, address,
		    one->flags &
			(RECIPIENT_PRIMARY | RECIPIENT_HAS_NOTIFY | RECIPIENT_NOTIFY_SUCCESS |
			    RECIPIENT_NOTIFY_FAILURE | RECIPIENT_NOTIFY_DELAY));
		added->orcpt = arena_strdup(arena, one->orcpt);
		added->final = arena_strdup(arena, one->final);
		s->recipient_count++;
	}
}

static void
take_headers(struct session *s, const struct envelope *given)
{
	const struct header *one;

	for (one = given->headers.first; one != NULL; one = one->next)
		header_append(&s->envelope->headers, s->envelope->arena,
		    arena_strdup(s->envelope->arena, one->name),
		    arena_strdup(s->envelope->arena, one->value));
}

/* The envelope as it was sent; false: nonsense.  refusal->code is not 0 when a filter refused its sender. */
static bool
take_envelope(struct session *s, const struct str *text, const struct local_request *request,
    struct verdict *refusal)
{
	const char *parameters[2] = {NULL, NULL};
	struct envelope *given = envelope_create();
	struct control_error error = {0};
	bool is_good = control_read(given, text->data, text->length, &error) == CONTROL_OK;
	bool is_refused = false;

	if (is_good) {
		struct arena *arena = s->envelope->arena;

		session_id(s);
		/* V8: a gateway's addresses are not completed */
		session_set_message_macro(s, "daemon_flags", request->is_gateway ? "CC f" : "c u");
		take_macros(s, given);
		take_sender(s, given->sender);
		take_headers(s, given);
		s->envelope->flags |=
		    given->flags & (ENVELOPE_HAS_RET | ENVELOPE_NO_BODY_RETURN | ENVELOPE_8BIT);
		s->envelope->body_type = s->body_type = arena_strdup(arena, given->body_type);
		s->envelope->envid = arena_strdup(arena, given->envid);
		s->envelope->auth = arena_strdup(arena, given->auth);
		s->envelope->hop_count = request->hop_count;
		if (given->body_type != NULL)
			parameters[0] = arena_printf(s->scratch, "BODY=%s", given->body_type);
		if (passes_filters(s, parameters, refusal))
			take_recipients(s, given);
		else
			is_refused = true;
	}
	if (!is_refused)
		refusal->code = 0;
	envelope_destroy(given);
	return is_good;
}

struct intake {
	struct session *session;
	struct accepted accepted;
	long long size;
	bool was_refused; /* an answer went out already; the rest is read and forgotten */
};

static void
write_piece(void *context, const char *bytes, size_t length)
{
	struct intake *intake = context;
	struct session *s = intake->session;
	long maximum = s->options->max_message_size;
	size_t i;

	intake->size += (long long)length;
	if (maximum > 0 && intake->size > maximum)
		intake->accepted.is_too_large = true;
	if (intake->accepted.is_too_large || intake->accepted.disk_error != 0 ||
	    intake->was_refused)
		return;
	for (i = 0; (s->envelope->flags & ENVELOPE_8BIT) == 0 && i < length; i++)
		if ((unsigned char)bytes[i] > 127)
			s->envelope->flags |= ENVELOPE_8BIT;
	if (!io_write(intake->accepted.body_fd, bytes, length))
		intake->accepted.disk_error = errno;
}

/* All BDAT up to LAST; false: the connection ended, or spoke nonsense. */
static bool
read_body(struct session *s, struct intake *intake)
{
	bool is_last = false;

	while (!is_last) {
		char *line;
		size_t length;

		conn_set_deadline(s->conn, deadline_in(s->options->timeouts.data_block));
		if (conn_read_line(s->conn, LOCAL_LINE_MAXIMUM, &line, &length) != CONN_LINE ||
		    !text_starts(line, "BDAT ") ||
		    !local_parse_chunk(line + 5, &length, &is_last) ||
		    !read_exactly(s, length, write_piece, intake))
			return false;
	}
	return true;
}

/* The header's share of the size is what it takes as text: V8 counts what it read. */
static long long
header_size(const struct envelope *envelope)
{
	const struct header *one;
	long long size = 0;

	for (one = envelope->headers.first; one != NULL; one = one->next)
		size += (long long)(strlen(one->name) + 1 + strlen(one->value) + 1);
	return size > 0 ? size + 1 : 0;
}

static bool
open_body(struct session *s, struct intake *intake)
{
	intake->accepted.body_fd = queue_body_create(s->context->queue, session_id(s));
	if (intake->accepted.body_fd >= 0)
		return true;
	log_at(1, LOG_ALERT, "%s: SYSERR: collect: cannot create ./df%s: %s", session_id(s),
	    session_id(s), strerror(errno));
	session_reply(
	    s, errno == ENOSPC || errno == EDQUOT ? 452 : 451, "4.3.0", "cannot create queue file");
	return false;
}

static void
serve_message(struct session *s, const char *argument)
{
	struct local_request request;
	struct str text = {0};
	struct intake intake = {.session = s, .accepted.body_fd = -1};
	struct verdict refusal = {0};
	bool is_whole = false;

	s->is_over = true; /* until the message has come through whole */
	if (!local_parse_request(argument, &request)) {
		session_reply(s, 501, "5.5.2", "Syntax error in XENV");
		return;
	}
	open_filters(s);
	session_new_envelope(s);
	if (!read_exactly(s, request.envelope_length, keep_piece, &text)) {
		str_free(&text);
		return;
	}
	if (!take_envelope(s, &text, &request, &refusal)) {
		session_reply(s, 554, "5.5.0", "the envelope cannot be read");
	} else if (refusal.code != 0 || s->recipient_count == 0 ||
		   (!s->is_discarded && !session_filter_data(s, &refusal))) {
		/* nothing is left of it: the rest has to be read, or the caller never reads that */
		intake.was_refused = true;
		if (refusal.code == 0)
			refusal = verdict_make(
			    s->scratch, 554, "5.5.0", EX_UNAVAILABLE, "No valid recipients");
		if (read_body(s, &intake)) {
			s->is_over = false;
			session_reply(s, refusal.code, refusal.dsn, "%s", refusal.text);
		}
	} else if (open_body(s, &intake)) {
		intake.size = header_size(s->envelope);
		intake.accepted.header_bytes = (size_t)intake.size;
		intake.accepted.headers_too_large = s->options->max_headers_length > 0 &&
						    intake.size > s->options->max_headers_length;
		is_whole = read_body(s, &intake);
		s->envelope->message_size = intake.size;
		s->log_sender = true;
		if (is_whole) {
			s->delivery_mode = request.delivery_mode;
			accept_message(s, &intake.accepted);
			s->is_over = false;
		} else {
			close(intake.accepted.body_fd);
			queue_discard(s->context->queue, s->envelope->id);
			s->log_sender = false;
		}
	}
	str_free(&text);
	if (!s->is_over)
		session_new_envelope(s);
	s->delivery_mode = 0;
}

static void
serve_run(struct session *s)
{
	if (session_has_privacy(s, PRIVACY_RESTRICT_QRUN) && !is_trusted(s)) {
		session_reply(s, 550, "5.7.1", "You do not have permission to process the queue");
		return;
	}
	if (s->context->run_queue != NULL)
		s->context->run_queue(s->context->context, NULL);
	session_reply(s, 250, "2.0.0", "Queue run started");
}

void
local_serve(struct session *s)
{
	session_read_features(s);
	while (!s->is_over) {
		char *line;
		size_t length;

		arena_reset(s->scratch);
		conn_set_deadline(s->conn, deadline_in(s->options->timeouts.command));
		if (conn_read_line(s->conn, LOCAL_LINE_MAXIMUM, &line, &length) != CONN_LINE)
			return;
		line = arena_strdup(s->scratch, line);
		if (text_starts(line, "XENV ")) {
			serve_message(s, line + 5);
		} else if (strcmp(line, "XRUN") == 0) {
			serve_run(s);
		} else {
			session_reply(s, 500, "5.5.1", "Command unrecognized: \"%.100s\"", line);
			s->is_over = true;
		}
	}
}
