#include "config.h"

#include "base/clock.h"
#include "job_private.h"
#include "route/resolve.h"
#include "run/lanes.h"

/* The shortest time after which a class of messages is returned or its sender warned; 0: never. */
static long
shortest(const struct class_timeouts *timeouts)
{
	long all[] = {timeouts->normal, timeouts->urgent, timeouts->non_urgent, timeouts->dsn};
	long least = 0;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i] > 0 && (least == 0 || all[i] < least))
			least = all[i];
	}
	return least;
}

/* Somebody may have to be told about it: the job finds out. */
static bool
is_old(const struct run_context *run, const struct queue_listed *item)
{
	const struct timeouts *timeouts = &run->config->options.timeouts;
	long age = clock_age(item->created), back = shortest(&timeouts->queue_return),
	     warning = shortest(&timeouts->queue_warn);

	return (back > 0 && age >= back) || (warning > 0 && age >= warning && !item->is_warned);
}

static bool
is_for_closed_lane(
    struct run_context *run, struct rule_context *rule, const struct queue_listed_recipient *one)
{
	struct resolved resolved = {0};
	char lane[KICK_LANE_SIZE];
	const char *relay;

	return resolve_address(rule, one->address, 0, &resolved) && !resolved.is_deferred &&
	       resolved.mailer != NULL && mailer_is_smtp(resolved.mailer) &&
	       lanes_find_closed(run->lanes,
		   job_name_lane(resolved.mailer, resolved.host != NULL ? resolved.host : "", lane),
		   &relay) != NULL;
}

bool
job_would_wait(struct run_context *run, const struct queue_listed *item, struct arena *scratch)
{
	struct rule_context rule = {.config = run->config, .arena = scratch};
	bool waits = item->recipients != NULL && item->read_error == 0 && !is_old(run, item);

	if (!waits)
		return false;
	rule.macros = macro_env_create(run->config->macros);
	config_set_macro(run->config, rule.macros, "i", item->id);
	config_set_macro(run->config, rule.macros, "f", item->sender);
	config_set_macro(run->config, rule.macros, "g", item->sender);
	for (const struct queue_listed_recipient *one = item->recipients; one != NULL && waits;
	     one = one->next)
		waits = is_for_closed_lane(run, &rule, one);
	macro_env_destroy(rule.macros);
	return waits;
}
