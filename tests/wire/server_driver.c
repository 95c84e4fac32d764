/*
 * server_driver: the server's sessions without a daemon, for tests/wire/server.test.
 *
 *   server_driver CF QUEUE tcp PORTFILE COUNT      a loopback port, its number goes to PORTFILE
 *   server_driver CF QUEUE tcps PORTFILE COUNT     the same, TLS from the first byte
 *   server_driver CF QUEUE local SOCKET COUNT      the local socket
 *
 *   server_driver CF QUEUE stdin - 1 [NAME=VALUE...]   one session on standard input and output, as -bs; nothing is
 *                                                     delivered; the rest are options
 *
 * Serves COUNT connections, one after the other.  Prints `committed ID MODE` and `run HOST`.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/listen.h"
#include "server/server.h"

static void
report(void *context, const char *message, enum config_message kind)
{
	(void)context;
	(void)kind;
	fprintf(stderr, "%s\n", message);
}

static void
committed(void *context, const char *id, char mode)
{
	(void)context;
	printf("committed %s %c\n", id, mode);
	fflush(stdout);
}

static void
run_queue(void *context, const char *host)
{
	(void)context;
	printf("run %s\n", host != NULL ? host : "all");
	fflush(stdout);
}

static int
listen_tcp(const char *port_file)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *file;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return -1;
	file = fopen(port_file, "w");
	if (file == NULL)
		return -1;
	fprintf(file, "%d\n", ntohs(address.sin_port));
	fclose(file);
	return fd;
}

int
main(int argc, char **argv)
{
	struct config_request request = {.report = report, .is_safe_caller = true};
	struct server_context context = {
	    .committed = committed, .run_queue = run_queue, .traffic_fd = -1};
	static const struct daemon_port tls_port = {.name = "TLSMTA", .modifiers = "s"};
	struct pollfd waiting = {.events = POLLIN};
	bool is_local;
	int count;

	if (argc < 6)
		return 64;
	log_open("server_driver");
	log_to_stderr(true);
	request.file = argv[1];
	request.option_settings = (const char *const *)argv + 6;
	context.config = config_read(&request);
	if (context.config->error_status != 0)
		return context.config->error_status;
	log_set_level(context.config->options.log_level);
	context.queue = queue_open(argv[2], 0600, false, false);
	if (context.queue == NULL) {
		perror(argv[2]);
		return 1;
	}
	if (strcmp(argv[3], "stdin") == 0) {
		struct server_link link = {.kind = SERVER_STDIN, .input_fd = 0, .output_fd = 1};

		context.delivery_mode = 'q';
		context.tls = server_prepare_tls(context.config);
		return server_session(&context, &link);
	}
	is_local = strcmp(argv[3], "local") == 0;
	context.tls = server_prepare_tls(context.config);
	waiting.fd = is_local ? server_listen_local(argv[4]) : listen_tcp(argv[4]);
	if (waiting.fd < 0) {
		perror(argv[4]);
		return 1;
	}
	for (count = atoi(argv[5]); count > 0; count--) {
		struct net_address peer;
		struct server_link link = {.kind = is_local ? SERVER_LOCAL : SERVER_TCP,
		    .port = strcmp(argv[3], "tcps") == 0 ? &tls_port : NULL};

		if (poll(&waiting, 1, 60000) <= 0)
			return 1;
		link.input_fd = link.output_fd =
		    is_local ? listen_accept(waiting.fd, &peer) : accept(waiting.fd, NULL, NULL);
		if (link.input_fd < 0)
			return 1;
		server_session(&context, &link);
	}
	queue_close(context.queue);
	config_destroy(context.config);
	return 0;
}
