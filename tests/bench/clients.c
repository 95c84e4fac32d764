/*
 * SMTP clients for measurements.
 *
 *   clients PORT MESSAGES CLIENTS BYTES      messages by SMTP, a new connection each
 *   clients command MESSAGES FILE PROGRAM [ARGUMENT...]   the program, again and again, FILE as its input
 *
 * Prints: messages, seconds, median and 90 % of the milliseconds each took.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct board {
	atomic_int next, failed;
	double ms[];
};

static struct board *board;
static int count;

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The first digit of the reply; 0 when there is none. */
static int
reply(int fd)
{
	char bytes[4096];
	size_t length = 0;

	while (length < sizeof bytes - 1) {
		ssize_t got = read(fd, bytes + length, sizeof bytes - 1 - length);
		char *last;

		if (got <= 0)
			return 0;
		length += (size_t)got;
		bytes[length] = '\0';
		if (bytes[length - 1] != '\n')
			continue;
		bytes[length - 1] = '\0';
		last = strrchr(bytes, '\n');
		last = last != NULL ? last + 1 : bytes;
		if (strlen(last) > 3 && last[3] != '-')
			return last[0] - '0';
		bytes[length - 1] = '\n';
	}
	return 0;
}

static int
send_message(int port, const char *body, size_t length)
{
	static const char *const commands[] = {"EHLO client.bench.test\r\n",
	    "MAIL FROM:<a@bench.test>\r\n", "RCPT TO:<b@example.net>\r\n", "DATA\r\n"};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, ok;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && reply(fd) == 2;
	for (size_t i = 0; i < sizeof commands / sizeof commands[0] && ok; i++) {
		ok = write(fd, commands[i], strlen(commands[i])) > 0;
		ok = ok && reply(fd) == (i == 3 ? 3 : 2);
	}
	ok = ok && write(fd, body, length) == (ssize_t)length && reply(fd) == 2;
	if (ok && write(fd, "QUIT\r\n", 6) > 0)
		reply(fd);
	close(fd);
	return ok;
}

static char *
make_body(size_t bytes, size_t *length)
{
	char *body = malloc(bytes + 256);

	*length = (size_t)sprintf(
	    body, "From: <a@bench.test>\r\nTo: <b@example.net>\r\nSubject: bench\r\n\r\n");
	while (*length < bytes) {
		memset(body + *length, 'x', 78);
		memcpy(body + *length + 78, "\r\n", 2);
		*length += 80;
	}
	memcpy(body + *length, ".\r\n", 3);
	*length += 3;
	return body;
}

static void
be_client(int port, const char *body, size_t length)
{
	int at;

	while ((at = atomic_fetch_add(&board->next, 1)) < count) {
		double start = now_ms();

		if (!send_message(port, body, length))
			atomic_fetch_add(&board->failed, 1);
		board->ms[at] = now_ms() - start;
	}
	_exit(0);
}

static pid_t
start(const char *input, char **argv)
{
	pid_t child = fork();

	if (child == 0) {
		dup2(open(input, O_RDONLY), 0);
		dup2(open("/dev/null", O_WRONLY), 1);
		execv(argv[0], argv);
		_exit(127);
	}
	return child;
}

static void
run_command(const char *input, char **argv)
{
	for (int i = 0; i < count; i++) {
		double began = now_ms();
		int status;
		pid_t child = start(input, argv);

		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
			atomic_fetch_add(&board->failed, 1);
		board->ms[i] = now_ms() - began;
	}
}

static int
compare(const void *left, const void *right)
{
	double one = *(const double *)left, other = *(const double *)right;

	return one < other ? -1 : one > other;
}

int
main(int argc, char **argv)
{
	double began;

	if (argc < 5)
		return 2;
	count = atoi(argv[2]);
	board = mmap(NULL, sizeof *board + (size_t)count * sizeof(double), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return 1;
	began = now_ms();
	if (strcmp(argv[1], "command") == 0) {
		run_command(argv[3], argv + 4);
	} else {
		size_t length;
		char *body = make_body((size_t)atol(argv[4]), &length);

		for (int i = 0; i < atoi(argv[3]); i++) {
			if (fork() == 0)
				be_client(atoi(argv[1]), body, length);
		}
		while (wait(NULL) > 0)
			continue;
	}
	began = (now_ms() - began) / 1000;
	qsort(board->ms, (size_t)count, sizeof(double), compare);
	printf("%d %.3f %.3f %.3f\n", count - atomic_load(&board->failed), began,
	    board->ms[count / 2], board->ms[count * 9 / 10]);
	return atomic_load(&board->failed) != 0;
}
