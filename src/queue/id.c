#include "queue/queue.h"

#include <string.h>
#include <time.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "os/os.h"

enum { SYMBOLS = 60, SEQUENCES = SYMBOLS * SYMBOLS };

static const char symbols[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx";

/* Where the two counting characters stand; a forked child starts anew at random, its pid differs anyway. */
static struct {
	pid_t pid;
	unsigned next, used;
	time_t second;
} sequence;

static void
start_sequence(pid_t pid)
{
	uint16_t random;

	os_random(&random, sizeof random);
	sequence.pid = pid;
	sequence.next = random % SEQUENCES;
	sequence.used = 0;
	sequence.second = 0;
}

/*
 * The second that goes into the id: never an earlier one than before, and moved on when all
 * SEQUENCES ids of a second are used, so that no id comes twice when the clock steps back.
 */
static time_t
next_second(void)
{
	time_t now = clock_now();

	if (now > sequence.second) {
		sequence.second = now;
		sequence.used = 0;
	} else if (sequence.used == SEQUENCES) {
		sequence.second++;
		sequence.used = 0;
	}
	sequence.used++;
	return sequence.second;
}

void
queue_new_id(char id[ENVELOPE_ID_SIZE])
{
	pid_t pid = getpid();
	struct tm utc;
	time_t second;

	if (sequence.pid != pid)
		start_sequence(pid);
	second = next_second();
	if (gmtime_r(&second, &utc) == NULL)
		utc = (struct tm){0};
	sequence.next = (sequence.next + 1) % SEQUENCES;
	snprintf(id, ENVELOPE_ID_SIZE, "%c%c%c%c%c%c%c%c%06ld",
	    symbols[(utc.tm_year % SYMBOLS + SYMBOLS) % SYMBOLS], symbols[utc.tm_mon],
	    symbols[utc.tm_mday], symbols[utc.tm_hour], symbols[utc.tm_min],
	    symbols[utc.tm_sec % SYMBOLS], symbols[sequence.next / SYMBOLS],
	    symbols[sequence.next % SYMBOLS], (long)pid);
}

bool
queue_id_is_valid(const char *id)
{
	size_t length = 0;

	while (text_is_alnum((unsigned char)id[length])) {
		if (++length >= ENVELOPE_ID_SIZE)
			return false;
	}
	return length > 0 && id[length] == '\0';
}
