/*
 * A smart host for measurements: ESMTP with STARTTLS and AUTH PLAIN (both required), a process a
 * connection, messages are counted and forgotten.  It is meant to cost little beside what is measured.
 *
 *   smart_host PORT CERTIFICATE KEY COUNTERS [plain]
 *
 * COUNTERS is a file of four native 64-bit numbers: messages, connections, waits (how often it had
 * to wait for the client between MAIL and the end of the message), bytes.  `plain` offers no more than
 * Amazon SES does: no PIPELINING.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct counters {
	_Atomic uint64_t messages, connections, waits, bytes;
};

struct peer {
	int fd;
	SSL *tls; /* NULL: not yet */
	char in[65536], out[4096];
	size_t at, end, pending;
};

static struct counters *counters;
static bool is_plain;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
flush(struct peer *peer)
{
	if (peer->pending == 0)
		return;
	if (peer->tls != NULL ? SSL_write(peer->tls, peer->out, (int)peer->pending) <= 0
			      : write(peer->fd, peer->out, peer->pending) < 0)
		_exit(0);
	peer->pending = 0;
}

/* Answers leave together when there is nothing left to read. */
static void
fill(struct peer *peer)
{
	int got;

	flush(peer);
	atomic_fetch_add(&counters->waits, 1);
	got = peer->tls != NULL ? SSL_read(peer->tls, peer->in, sizeof peer->in)
				: (int)read(peer->fd, peer->in, sizeof peer->in);
	if (got <= 0)
		_exit(0);
	peer->at = 0;
	peer->end = (size_t)got;
}

static char *
read_line(struct peer *peer, char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		char byte;

		if (peer->at == peer->end)
			fill(peer);
		byte = peer->in[peer->at++];
		if (length + 1 < size)
			line[length++] = byte;
		if (byte == '\n')
			break;
	}
	line[length] = '\0';
	return line;
}

static void
say(struct peer *peer, const char *text)
{
	size_t length = strlen(text);

	if (peer->pending + length > sizeof peer->out)
		flush(peer);
	memcpy(peer->out + peer->pending, text, length);
	peer->pending += length;
}

/* Up to CR LF . CR LF, without a look at single lines. */
static void
read_message(struct peer *peer)
{
	static const char mark[] = "\r\n.\r\n";
	size_t matched = 2; /* the line end before the first line */

	while (matched < 5) {
		char byte;

		if (peer->at == peer->end)
			fill(peer);
		byte = peer->in[peer->at++];
		atomic_fetch_add_explicit(&counters->bytes, 1, memory_order_relaxed);
		if (byte == mark[matched])
			matched++;
		else
			matched = byte == '\r' ? 1 : 0;
	}
	atomic_fetch_add(&counters->messages, 1);
}

static void
start_tls(struct peer *peer, SSL_CTX *context)
{
	flush(peer);
	peer->at = peer->end = 0;
	peer->tls = SSL_new(context);
	SSL_set_fd(peer->tls, peer->fd);
	if (SSL_accept(peer->tls) <= 0)
		_exit(0);
}

static void
greet(struct peer *peer)
{
	say(peer, "250-smart.bench.test\r\n");
	if (!is_plain)
		say(peer, "250-PIPELINING\r\n250-SIZE\r\n250-ENHANCEDSTATUSCODES\r\n");
	say(peer, "250-8BITMIME\r\n");
	say(peer, peer->tls != NULL ? "250 AUTH PLAIN\r\n" : "250 STARTTLS\r\n");
}

static void
serve(int fd, SSL_CTX *context)
{
	static struct peer peer;
	bool is_known = false;
	char line[2048];

	peer.fd = fd;
	say(&peer, "220 smart.bench.test ESMTP\r\n");
	for (;;) {
		read_line(&peer, line, sizeof line);
		if (strncasecmp(line, "EHLO", 4) == 0) {
			greet(&peer);
		} else if (strncasecmp(line, "STARTTLS", 8) == 0) {
			say(&peer, "220 go ahead\r\n");
			start_tls(&peer, context);
		} else if (strncasecmp(line, "AUTH PLAIN", 10) == 0) {
			if (strlen(line) < 14) {
				say(&peer, "334 \r\n");
				read_line(&peer, line, sizeof line);
			}
			is_known = true;
			say(&peer, "235 2.7.0 welcome\r\n");
		} else if (strncasecmp(line, "MAIL", 4) == 0 && (peer.tls == NULL || !is_known)) {
			say(&peer, "530 5.7.0 STARTTLS and AUTH first\r\n");
		} else if (strncasecmp(line, "DATA", 4) == 0) {
			say(&peer, "354 go\r\n");
			read_message(&peer);
			say(&peer, "250 2.0.0 taken\r\n");
		} else if (strncasecmp(line, "QUIT", 4) == 0) {
			say(&peer, "221 2.0.0 bye\r\n");
			flush(&peer);
			_exit(0);
		} else {
			say(&peer, "250 2.0.0 ok\r\n");
		}
	}
}

static int
open_port(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(fd, 1024) < 0)
		die("smart_host: port");
	return fd;
}

int
main(int argc, char **argv)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	int port, file;

	if (argc < 5)
		return 2;
	is_plain = argc > 5;
	signal(SIGPIPE, SIG_IGN);
	if (SSL_CTX_use_certificate_chain_file(context, argv[2]) <= 0 ||
	    SSL_CTX_use_PrivateKey_file(context, argv[3], SSL_FILETYPE_PEM) <= 0)
		die("smart_host: certificate");
	file = open(argv[4], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || ftruncate(file, sizeof *counters) < 0)
		die(argv[4]);
	counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (counters == MAP_FAILED)
		die("mmap");
	port = open_port(atoi(argv[1]));
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(port, NULL, NULL), on = 1;

		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		if (fd < 0)
			continue;
		atomic_fetch_add(&counters->connections, 1);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (fork() == 0) {
			close(port);
			serve(fd, context);
		}
		close(fd);
	}
}
