/* mailstats: prints the counters of option StatusFile. */
#include "map_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "queue/statistics.h"

struct mailstats {
	struct map_tool tool;
	const char *cf, *file;
	bool without_names, for_programs, clears;
};

static int
usage(void)
{
	fprintf(stderr, "usage: mailstats [-C cffile] [-c] [-P] [-f stfile] [-o] [-p]\n");
	return EX_USAGE;
}

static bool
read_options(struct mailstats *show, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "cC:f:opP")) != -1) {
		switch (letter) {
		case 'C':
			show->cf = optarg;
			break;
		case 'c':
			show->cf = SYSCONFDIR "/submit.cf";
			break;
		case 'f':
			show->file = optarg;
			break;
		case 'o':
			show->without_names = true;
			break;
		case 'p':
			show->for_programs = show->clears = true;
			break;
		case 'P':
			show->for_programs = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

/* The counters of one line. */
struct row {
	long from, from_kib, to, to_kib, refused, discarded, quarantined;
};

static void
print_row(const struct mailstats *show, const struct row *row)
{
	const char *unit = show->for_programs ? "" : "K";

	printf(" %8ld %10ld%s %8ld %10ld%s   %6ld  %6ld  %6ld", row->from, row->from_kib, unit,
	    row->to, row->to_kib, unit, row->refused, row->discarded, row->quarantined);
}

static void
print_counters(const struct mailstats *show, const struct statistics *counters)
{
	struct row sum = {0};

	for (int i = 0; i < STATISTICS_MAILERS; i++) {
		struct row row = {
		    .from = counters->messages_from[i],
		    .from_kib = counters->kib_from[i],
		    .to = counters->messages_to[i],
		    .to_kib = counters->kib_to[i],
		    .refused = counters->messages_refused[i],
		    .discarded = counters->messages_discarded[i],
		    .quarantined = counters->messages_quarantined[i],
		};

		if (row.from == 0 && row.to == 0 && row.refused == 0 && row.discarded == 0 &&
		    row.quarantined == 0)
			continue;
		printf("%2d", i);
		print_row(show, &row);
		if (!show->without_names)
			printf("  %s", show->tool.mailers[i] == NULL ? "" : show->tool.mailers[i]);
		putchar('\n');
		sum.from += row.from;
		sum.from_kib += row.from_kib;
		sum.to += row.to;
		sum.to_kib += row.to_kib;
		sum.refused += row.refused;
		sum.discarded += row.discarded;
		sum.quarantined += row.quarantined;
	}
	if (!show->for_programs)
		puts("=====================================================================");
	printf(" T");
	print_row(show, &sum);
	if (show->for_programs)
		printf("\n C %8ld %8ld %6ld\n", counters->connections_from,
		    counters->connections_to, counters->sessions_refused);
	else
		printf("\n C %8ld %20ld %20ld\n", counters->connections_from,
		    counters->connections_to, counters->sessions_refused);
}

static void
print_head(const struct mailstats *show, const struct statistics *counters)
{
	char when[DATE_CTIME_SIZE];

	if (show->for_programs) {
		printf("%lld %lld\n", (long long)counters->since, (long long)clock_now());
		return;
	}
	printf("Statistics from %s\n", date_ctime(counters->since, when));
	printf(" M   msgsfr  bytes_from   msgsto    bytes_to  msgsrej msgsdis msgsqur%s\n",
	    show->without_names ? "" : "  Mailer");
}

/* -p: what was shown is begun anew. */
static int
clear(const char *file)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_NOFOLLOW);

	if (fd < 0) {
		fprintf(stderr, "mailstats: %s: %s\n", file, strerror(errno));
		return EX_NOINPUT;
	}
	close(fd);
	return EX_OK;
}

static int
run(struct mailstats *show)
{
	struct statistics counters;
	int status = map_tool_read_cf(&show->tool, show->cf, true);

	if (status != EX_OK)
		return status;
	if (show->file == NULL)
		show->file = show->tool.status_file;
	if (show->file == NULL) {
		fprintf(stderr, "mailstats: no statistics file located\n");
		return EX_OSFILE;
	}
	switch (statistics_read(show->file, &counters)) {
	case STATISTICS_GOOD:
		break;
	case STATISTICS_UNREADABLE:
		fprintf(stderr, "mailstats: %s: %s\n", show->file, strerror(errno));
		return EX_NOINPUT;
	case STATISTICS_FOREIGN:
		fprintf(stderr, "mailstats: incorrect magic number in %s\n", show->file);
		return EX_OSERR;
	case STATISTICS_OTHER_VERSION:
		fprintf(stderr, "mailstats version (%d) incompatible with %s version (%d)\n",
		    STATISTICS_VERSION, show->file, counters.version);
		return EX_OSERR;
	case STATISTICS_OTHER_SIZE:
		fprintf(stderr, "mailstats: file size changed.\n");
		return EX_OSERR;
	}
	print_head(show, &counters);
	print_counters(show, &counters);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	return show->clears ? clear(show->file) : EX_OK;
}

int
main(int argc, char **argv)
{
	struct mailstats show = {.tool = {.program = "mailstats", .arena = arena_create()},
	    .cf = SYSCONFDIR "/sendmail.cf"};
	int status = read_options(&show, argc, argv) ? run(&show) : usage();

	arena_destroy(show.tool.arena);
	return status;
}
