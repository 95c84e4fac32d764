#include "config.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "client/client.h"
#include "net/tls.h"
#include "route/alias.h"
#include "run/identity.h"
#include "run/master.h"
#include "server/server.h"

/* What a daemon would find out when it is too late: each thing that a configuration names is opened once. */

struct check {
	const struct config *config;
	void (*tell)(void *context, const char *problem);
	void *context;
	int status;
};

static void
fail(struct check *check, const char *problem)
{
	check->tell(check->context, problem);
	check->status = EX_CONFIG;
}

static bool
is_file_map(const struct map *map)
{
	static const char *const classes[] = {"hash", "btree", "implicit", "text", "stab", "cdb"};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (text_equal_nocase(map_class_name(map), classes[i]))
			return true;
	}
	return false;
}

static void
tell_fault(void *context, const char *problem)
{
	fail(context, problem);
}

/* Only files: what a server answers now says little about later. */
static void
check_maps(struct check *check)
{
	struct arena *arena = arena_create();
	const char *const *names = map_set_names(check->config->maps, arena);

	for (; *names != NULL; names++) {
		struct map *map = map_find(check->config->maps, *names);
		struct map_result result = {0};

		if (!is_file_map(map))
			continue;
		map_is_open(map, NULL, arena, &result);
		if (result.message != NULL && result.message_status != EX_OK)
			fail(check, result.message);
	}
	arena_destroy(arena);
}

/* Where the system brings no authorities, certificates are not believed, as without a reload. */
static bool
is_about_missing_authorities(const struct check *check, const char *line)
{
	const struct options *options = &check->config->options;

	if (strstr(line, "load verify locs") == NULL)
		return false;
	return (options->ca_cert_file != NULL && access(options->ca_cert_file, F_OK) < 0) ||
	       (options->ca_cert_path != NULL && access(options->ca_cert_path, F_OK) < 0);
}

static void
take_line(void *context, int priority, const char *line)
{
	struct check *check = context;

	if (priority > LOG_WARNING)
		return;
	if (is_about_missing_authorities(check, line))
		check->tell(check->context, line);
	else
		fail(check, line);
}

int
master_check(struct config *config, bool serves_smtp,
    void (*tell)(void *context, const char *problem), void *context)
{
	struct check check = {.config = config, .tell = tell, .context = context, .status = EX_OK};

	/* the libraries' complaints are log lines everywhere else */
	log_set_level(9);
	log_divert(take_line, &check);
	alias_declare(config);
	check_maps(&check);
	identity_check_groups(config, tell_fault, &check);
	tls_context_destroy(client_make_tls(config));
	if (serves_smtp)
		tls_context_destroy(server_prepare_tls(config));
	log_divert(NULL, NULL);
	return check.status;
}
