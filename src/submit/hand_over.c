#include "submit/hand_over.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/text.h"
#include "net/conn.h"
#include "queue/queue.h"

enum {
	SEND_SECONDS = 60,    /* without any progress */
	ANSWER_SECONDS = 300, /* rules, maps and two disk syncs */
	CHUNK_SIZE = 8192,
};

bool
hand_over_is_local(const char *host)
{
	static const char *const names[] = {"[127.0.0.1]", "127.0.0.1", "[IPv6:::1]", "[::1]",
	    "localhost", "localhost.", "[localhost]"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (text_equal_nocase(host, names[i]))
			return true;
	}
	return false;
}

int
hand_over_connect(void)
{
	const char *path = local_socket_path();
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (!text_copy(address.sun_path, sizeof address.sun_path, path))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* a daemon whose listen queue is full is a daemon that is not there: nobody waits for it */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
send_body(struct conn *conn, const struct collect *body)
{
	char buffer[CHUNK_SIZE];
	off_t at = 0;

	if (body->file < 0) {
		conn_printf(conn, "BDAT %zu LAST\r\n", body->body.length);
		conn_write(conn, str_text(&body->body), body->body.length);
		return;
	}
	while (at < body->body_size && !conn_failed(conn)) {
		ssize_t got = pread(body->file, buffer, sizeof buffer, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			conn_fail(conn, CONN_BROKEN, "cannot read the message again");
			return;
		}
		conn_printf(conn, "BDAT %zd\r\n", got);
		conn_write(conn, buffer, (size_t)got);
		at += got;
	}
	conn_printf(conn, "BDAT 0 LAST\r\n");
}

/* "R INDEX CODE D.S.N TEXT" and "CODE D.S.N TEXT": reads "CODE D.S.N TEXT". */
static bool
parse_answer(struct arena *arena, const char *line, struct verdict *verdict)
{
	char dsn[VERDICT_DSN_SIZE] = "";
	const char *text;
	int code;

	if (strspn(line, "0123456789") != 3 || line[0] < '2' || line[0] > '5' ||
	    (line[3] != ' ' && line[3] != '\0'))
		return false;
	code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	text = line[3] == '\0' ? "" : line + 4;
	verdict_parse_dsn(&text, dsn);
	*verdict = verdict_make(arena, code, dsn,
	    code < 300	     ? EX_OK
	    : dsn[0] != '\0' ? verdict_exit_from_dsn(dsn)
			     : verdict_exit_from_code(code),
	    "%s", text);
	return true;
}

static bool
parse_refusal(struct hand_over *over, const char *line)
{
	struct verdict verdict;
	long index;
	size_t digits = strspn(line, "0123456789");
	char number[16];

	if (digits == 0 || digits >= sizeof number || line[digits] != ' ')
		return false;
	memcpy(number, line, digits);
	number[digits] = '\0';
	if (!text_to_number(number, 0, 1000000, &index) ||
	    !parse_answer(over->arena, line + digits + 1, &verdict))
		return false;
	over->refused(over->context, (int)index, &verdict);
	return true;
}

static struct verdict
read_answer(struct hand_over *over, struct conn *conn)
{
	struct verdict verdict;
	size_t length;
	char *line;

	for (;;) {
		if (conn_read_line(conn, 4096, &line, &length) != CONN_LINE)
			return verdict_make(over->arena, 451, "4.4.2", EX_TEMPFAIL,
			    "the daemon did not answer: %s", conn_reason(conn));
		if (text_starts(line, "R ")) {
			if (parse_refusal(over, line + 2))
				continue;
		} else if (parse_answer(over->arena, line, &verdict)) {
			return verdict;
		}
		return verdict_make(
		    over->arena, 451, "4.5.0", EX_TEMPFAIL, "the daemon's answer makes no sense");
	}
}

struct verdict
hand_over_message(struct hand_over *over)
{
	struct str envelope = {0}, request = {0};
	struct verdict verdict = {0};
	struct conn *conn;

	control_write(over->envelope, &envelope);
	if (envelope.length > LOCAL_ENVELOPE_MAXIMUM) {
		close(over->fd);
		str_free(&envelope);
		return verdict;
	}
	over->request.envelope_length = envelope.length;
	local_write_request(&request, &over->request);
	conn = conn_create(over->fd, over->fd);
	conn_set_deadline(conn, deadline_in(SEND_SECONDS));
	conn_set_progress_timeout(conn, SEND_SECONDS);
	conn_write(conn, str_text(&request), request.length);
	conn_write(conn, str_text(&envelope), envelope.length);
	send_body(conn, over->body);
	conn_flush(conn);
	conn_set_progress_timeout(conn, 0);
	conn_set_deadline(conn, deadline_in(ANSWER_SECONDS));
	verdict = read_answer(over, conn);
	conn_close(conn);
	str_free(&envelope);
	str_free(&request);
	return verdict;
}
