/* How long config_read() takes: `read_cf FILE [ROUNDS]` prints the best of the rounds in milliseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conf/config.h"

static void
tell(void *context, const char *message, enum config_message kind)
{
	int *faults = context;

	if (kind != CONFIG_ERROR)
		return;
	(*faults)++;
	fprintf(stderr, "%s\n", message);
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int
main(int argc, char **argv)
{
	int faults = 0, rounds = argc > 2 ? atoi(argv[2]) : 20;
	double best = 0;

	if (argc < 2)
		return 2;
	for (int i = 0; i < rounds; i++) {
		struct config_request request = {.file = argv[1],
		    .report = tell,
		    .report_context = &faults,
		    .operation_mode = 'm',
		    .is_safe_caller = true};
		double start = now_ms();
		struct config *config = config_read(&request);
		double took = now_ms() - start;

		config_destroy(config);
		if (i == 0 || took < best)
			best = took;
	}
	printf("%.2f\n", best);
	return faults > 0;
}
