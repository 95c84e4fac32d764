#include "config.h"

#include "run/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "proc/kick.h"

struct kept {
	char lane[KICK_LANE_SIZE];
	struct client *client; /* NULL: free */
	int64_t since_ms;
};

struct sessions {
	int maximum;
	long timeout_seconds;
	struct kept *kept;
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

		if (client == NULL || strcmp(kept->lane, lane) != 0)
			continue;
		kept->client = NULL;
		return client;
	}
	return NULL;
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

	if (kept == NULL || !client_is_reusable(client) || strlen(lane) >= sizeof kept->lane) {
		client_close(client);
		return;
	}
	if (kept->client != NULL)
		close_kept(kept);
	strcpy(kept->lane, lane);
	kept->client = client;
	kept->since_ms = clock_monotonic_ms();
}

int64_t
sessions_expire(struct sessions *sessions)
{
	int64_t next = DEADLINE_NEVER, age_ms = (int64_t)sessions->timeout_seconds * 1000;

	for (int i = 0; i < sessions->maximum; i++) {
		struct kept *kept = &sessions->kept[i];

		if (kept->client == NULL)
			continue;
		if (clock_monotonic_ms() >= kept->since_ms + age_ms)
			close_kept(kept);
		else if (kept->since_ms + age_ms < next)
			next = kept->since_ms + age_ms;
	}
	return next;
}
