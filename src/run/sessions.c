#include "config.h"

#include "run/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "proc/kick.h"

enum {
	IDLE_MS = 500, /* a peer has better uses for a connection than to hold it for us */
	IDLE_TIMES = 4,
};

struct kept {
	char lane[KICK_LANE_SIZE];
	struct client *client; /* NULL: free */
	int64_t since_ms, until_ms;
};

struct sessions {
	int maximum;
	long timeout_seconds;
	struct kept *kept;
	int64_t longest_gap_ms; /* for which one was idle and then of use */
};

struct sessions *
sessions_create(int maximum, long timeout_seconds)
{
	struct sessions *sessions = check_malloc(sizeof *sessions);

	*sessions = (struct sessions){
	    .maximum = maximum > 0 ? maximum : 0, .timeout_seconds = timeout_seconds};
	sessions->kept = check_malloc((size_t)(sessions->maximum + 1) * sizeof *sessions->kept);
	memset(sessions->kept, 0, (size_t)(sessions->maximum + 1) * sizeof *sessions->kept);
	return sessions;
}

static void
close_kept(struct kept *kept)
{
	client_close(kept->client);
	kept->client = NULL;
}

void
sessions_destroy(struct sessions *sessions)
{
	if (sessions == NULL)
		return;
	for (int i = sessions->maximum - 1; i >= 0; i--) { /* V8's order: the newest place first */
		if (sessions->kept[i].client != NULL)
			close_kept(&sessions->kept[i]);
	}
	free(sessions->kept);
	free(sessions);
}

struct client *
sessions_take(struct sessions *sessions, const char *lane)
{
	for (int i = 0; i < sessions->maximum; i++) {
		struct kept *kept = &sessions->kept[i];
		struct client *client = kept->client;

		if (client == NULL || *lane == '\0' || strcmp(kept->lane, lane) != 0)
			continue;
		kept->client = NULL;
		if (clock_monotonic_ms() - kept->since_ms > sessions->longest_gap_ms)
			sessions->longest_gap_ms = clock_monotonic_ms() - kept->since_ms;
		return client;
	}
	return NULL;
}

/* As long as mail is wont to come, at most ConnectionCacheTimeout. */
static int64_t
idle_limit_ms(const struct sessions *sessions)
{
	int64_t limit = sessions->longest_gap_ms * IDLE_TIMES,
		most = (int64_t)sessions->timeout_seconds * 1000;

	if (limit < IDLE_MS)
		limit = IDLE_MS;
	return limit < most ? limit : most;
}

static struct kept *
find_room(struct sessions *sessions)
{
	struct kept *oldest = NULL;

	for (int i = 0; i < sessions->maximum; i++) {
		struct kept *kept = &sessions->kept[i];

		if (kept->client == NULL)
			return kept;
		if (oldest == NULL || kept->since_ms / 1000 <= oldest->since_ms / 1000)
			oldest = kept;
	}
	return oldest;
}

void
sessions_make_room(struct sessions *sessions)
{
	struct kept *kept = find_room(sessions);

	if (kept != NULL && kept->client != NULL)
		close_kept(kept);
}

void
sessions_keep(struct sessions *sessions, const char *lane, struct client *client)
{
	struct kept *kept = find_room(sessions);

	if (kept == NULL || !client_is_reusable(client) || *lane == '\0' ||
	    strlen(lane) >= sizeof kept->lane) {
		client_close(client);
		return;
	}
	if (kept->client != NULL)
		close_kept(kept);
	strcpy(kept->lane, lane);
	kept->client = client;
	kept->since_ms = clock_monotonic_ms();
	kept->until_ms = kept->since_ms + idle_limit_ms(sessions);
}

int64_t
sessions_expire(struct sessions *sessions)
{
	int64_t next = DEADLINE_NEVER;

	for (int i = 0; i < sessions->maximum; i++) {
		struct kept *kept = &sessions->kept[i];

		if (kept->client == NULL)
			continue;
		if (clock_monotonic_ms() >= kept->until_ms)
			close_kept(kept);
		else if (kept->until_ms < next)
			next = kept->until_ms;
	}
	return next;
}
