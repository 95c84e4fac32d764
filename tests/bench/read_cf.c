/* How long config_read() takes: `read_cf FILE [ROUNDS]` prints the median and the best of the rounds in milliseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "conf/config.h"

enum { ROUNDS_MAXIMUM = 1000 };

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

static int
by_size(const void *left, const void *right)
{
	double one = *(const double *)left, other = *(const double *)right;

	return one < other ? -1 : one > other;
}

int
main(int argc, char **argv)
{
	static double took[ROUNDS_MAXIMUM];
	int faults = 0, rounds = argc > 2 ? atoi(argv[2]) : 41;

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAXIMUM)
		return 2;
	for (int i = 0; i < rounds; i++) {
		struct config_request request = {.file = argv[1],
		    .report = tell,
		    .report_context = &faults,
		    .operation_mode = 'm',
		    .is_safe_caller = true};
		double start = now_ms();
		struct config *config = config_read(&request);

		took[i] = now_ms() - start;
		config_destroy(config);
	}
	qsort(took, (size_t)rounds, sizeof *took, by_size);
	printf("%.2f %.2f\n", took[rounds / 2], took[0]);
	return faults > 0;
}
