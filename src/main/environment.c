#include "main/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

extern char **environ;

/*
 * What steers the loader, the C library, the resolver or the libraries of TLS, SASL and LDAP.  The
 * system drops some of it for set-id programs, not all and not everywhere.
 */
static const char *const dangerous[] = {"LD_", "_RLD", "LDR_", "LIBPATH", "SHLIB_PATH", "DYLD_",
    "MALLOC", "GCONV_PATH", "LOCPATH", "NLSPATH", "LANG", "LC_", "IFS", "ENV", "BASH_ENV",
    "RES_OPTIONS", "RESOLV", "LOCALDOMAIN", "HOSTALIASES", "GETCONF_DIR", "TZDIR", "TMPDIR",
    "OPENSSL", "SSL", "SASL_", "LDAP", "KRB5", "DB_", "ODM"};

/* Our own words, and the service manager's, to a program that has no more rights than its caller. */
static struct {
	const char *name;
	char *value;
} passed_on[] = {{"PILLARBOX_SOCKET", NULL}, {"PILLARBOX_SANDBOX", NULL},
    {"PILLARBOX_TAKEOVER", NULL}, {"PILLARBOX_ASKED", NULL}, {"NOTIFY_SOCKET", NULL}};

static char *caller_zone;

static bool
is_dangerous(const char *setting)
{
	for (size_t i = 0; i < sizeof dangerous / sizeof dangerous[0]; i++) {
		if (text_starts(setting, dangerous[i]))
			return true;
	}
	return strchr(setting, '=') == NULL;
}

static char *
keep(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? NULL : check_strdup(value);
}

const char *
environment_begin(bool has_rights)
{
	const char *name = keep("NAME");
	size_t kept = 0;

	caller_zone = keep("TZ");
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0] && !has_rights; i++)
		passed_on[i].value = keep(passed_on[i].name);
	if (environ == NULL)
		return name;
	for (char **one = environ; *one != NULL; one++) {
		if (!is_dangerous(*one))
			environ[kept++] = *one;
	}
	environ[kept] = NULL;
	return name;
}

bool
environment_says_off(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && (text_equal_nocase(value, "off") || text_equal_nocase(value, "no"));
}

void
environment_finish(const struct text_list *settings, const char *time_zone)
{
	static char *nothing[] = {NULL};

	environ = nothing;
	setenv("AGENT", "sendmail", 1);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (time_zone != NULL && time_zone[0] != '\0')
		setenv("TZ", time_zone, 1);
	else if (time_zone != NULL && caller_zone != NULL)
		setenv("TZ", caller_zone, 1);
	for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
		if (passed_on[i].value != NULL)
			setenv(passed_on[i].name, passed_on[i].value, 1);
	}
	for (size_t i = 0; i < settings->count; i++) {
		const char *equals = strchr(settings->items[i], '=');
		char *name;

		if (equals == NULL || equals == settings->items[i])
			continue;
		name = check_strdup(settings->items[i]);
		name[equals - settings->items[i]] = '\0';
		setenv(name, equals + 1, 1);
		free(name);
	}
}
