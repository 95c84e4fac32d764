/*
 * A far host: takes connections on a port and passes them on to another one, each piece of data
 * later by half the round trip, in both directions.
 *
 *   delay PORT TARGET-PORT ROUND-TRIP-MS
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 512, PIECE = 65536 };

struct piece {
	struct piece *next;
	double due_ms;
	size_t length, sent;
	char bytes[];
};

/* One direction of a connection; a piece without bytes is its end. */
struct way {
	int from, to;
	struct piece *first, **last;
	int is_done;
};

static struct way ways[2 * CONNECTIONS];
static int way_count;
static double half_ms;

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct sockaddr_in
loopback(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static void
add_way(int from, int to)
{
	struct way *way = &ways[way_count++];
	int on = 1;

	*way = (struct way){.from = from, .to = to};
	way->last = &way->first;
	fcntl(from, F_SETFL, O_NONBLOCK);
	setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
take_connection(int port, int target)
{
	struct sockaddr_in address = loopback(target);
	int one = accept(port, NULL, NULL), other = socket(AF_INET, SOCK_STREAM, 0);

	if (one < 0 || other < 0 || way_count + 2 > 2 * CONNECTIONS ||
	    connect(other, (struct sockaddr *)&address, sizeof address) < 0) {
		close(one);
		close(other);
		return;
	}
	add_way(one, other);
	add_way(other, one);
}

static void
take(struct way *way)
{
	static char bytes[PIECE];
	ssize_t got = read(way->from, bytes, sizeof bytes);
	struct piece *piece;

	if (got < 0)
		got = 0;
	piece = malloc(sizeof *piece + (size_t)got);
	piece->next = NULL;
	piece->due_ms = now_ms() + half_ms;
	piece->length = (size_t)got;
	piece->sent = 0;
	memcpy(piece->bytes, bytes, (size_t)got);
	*way->last = piece;
	way->last = &piece->next;
	way->is_done = got == 0;
}

/* What is due goes on; when the next piece is. */
static double
pass_on(struct way *way, double now)
{
	while (way->first != NULL && way->first->due_ms <= now) {
		struct piece *piece = way->first;
		ssize_t done;

		if (piece->length == 0) {
			shutdown(way->to, SHUT_WR);
		} else {
			done =
			    write(way->to, piece->bytes + piece->sent, piece->length - piece->sent);
			if (done > 0 && (piece->sent += (size_t)done) < piece->length)
				return now + 1;
		}
		way->first = piece->next;
		if (way->first == NULL)
			way->last = &way->first;
		free(piece);
	}
	return way->first != NULL ? way->first->due_ms : now + 1000;
}

/* Both directions of a connection are two ways in a row. */
static void
forget_ended(void)
{
	for (int i = 0; i < way_count; i += 2) {
		if (!ways[i].is_done || !ways[i + 1].is_done || ways[i].first != NULL ||
		    ways[i + 1].first != NULL)
			continue;
		close(ways[i].from);
		close(ways[i].to);
		way_count -= 2;
		ways[i] = ways[way_count];
		ways[i + 1] = ways[way_count + 1];
		/* an empty list ends in itself */
		for (int j = i; j < i + 2; j++) {
			if (ways[j].first == NULL)
				ways[j].last = &ways[j].first;
		}
		i -= 2;
	}
}

int
main(int argc, char **argv)
{
	static struct pollfd wait[2 * CONNECTIONS + 1];
	struct sockaddr_in address;
	int port = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc < 4)
		return 2;
	half_ms = atof(argv[3]) / 2;
	signal(SIGPIPE, SIG_IGN);
	address = loopback(atoi(argv[1]));
	setsockopt(port, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(port, (struct sockaddr *)&address, sizeof address) < 0 || listen(port, 1024) < 0) {
		perror("delay");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		double now = now_ms(), next = now + 1000;
		int asked = way_count;

		for (int i = 0; i < way_count; i++) {
			double due = pass_on(&ways[i], now);

			next = due < next ? due : next;
		}
		forget_ended();
		asked = way_count;
		wait[0] = (struct pollfd){.fd = port, .events = POLLIN};
		for (int i = 0; i < asked; i++)
			wait[i + 1] = (struct pollfd){
			    .fd = ways[i].is_done ? -1 : ways[i].from, .events = POLLIN};
		next -= now_ms();
		poll(wait, (nfds_t)asked + 1, next < 0 ? 0 : (int)(next + 0.999));
		for (int i = 0; i < asked; i++) {
			if (wait[i + 1].revents != 0)
				take(&ways[i]);
		}
		if (wait[0].revents != 0)
			take_connection(port, atoi(argv[2]));
	}
}
