#include "client/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/str.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/os.h"

enum { DEFAULT_AUTHINFO_MAXIMUM = 4096 };

void
authinfo_wipe(struct authinfo *info)
{
	secret_wipe(&info->password);
}

static void
set_value(struct authinfo *info, struct arena *arena, char tag, const char *value, size_t length)
{
	switch (tag) {
	case 'U':
		info->user = arena_memdup(arena, value, length);
		break;
	case 'I':
		info->id = arena_memdup(arena, value, length);
		break;
	case 'R':
		info->realm = arena_memdup(arena, value, length);
		break;
	case 'M':
		info->mechanisms = arena_memdup(arena, value, length);
		break;
	default:
		secret_set(&info->password, value, length);
	}
}

bool
authinfo_add(struct authinfo *info, struct arena *arena, const char *tagged, size_t length)
{
	struct str decoded = {0};
	char tag;
	bool is_good = true;

	if (length >= 2 && tagged[0] == '"' && tagged[length - 1] == '"') {
		tagged++;
		length -= 2;
	}
	if (length < 2)
		return false;
	tag = (char)(tagged[0] & ~0x20);
	if (strchr("UIPRM", tag) == NULL || tag == '\0')
		return false;
	if (tagged[1] == ':') {
		set_value(info, arena, tag, tagged + 2, length - 2);
	} else if (tagged[1] == '=' && base64_decode(&decoded, tagged + 2, length - 2)) {
		set_value(info, arena, tag, str_text(&decoded), decoded.length);
	} else {
		is_good = false;
	}
	if (decoded.data != NULL)
		os_wipe(decoded.data, decoded.length);
	str_free(&decoded);
	return is_good;
}

bool
authinfo_complete(struct authinfo *info)
{
	if (info->user == NULL)
		info->user = info->id;
	if (info->id == NULL)
		info->id = info->user;
	return info->id != NULL && *info->id != '\0' && info->password.data != NULL;
}

/* Length of the quoted string at `text`, quotes included; 0: it is none, or has no end. */
static size_t
quoted_length(const char *text)
{
	size_t length = 1;

	if (*text != '"')
		return 0;
	for (; text[length] != '"'; length++) {
		if (text[length] == '\\' && text[length + 1] != '\0')
			length++;
		if (text[length] == '\0')
			return 0;
	}
	return length + 1;
}

/* What the authinfo set answered: `$# "U:..." "I:..." "P:..."`; a word that is none spoils it all. */
static bool
read_words(struct client *c, struct arena *arena, const char *text, struct authinfo *info)
{
	while (*text != '\0') {
		size_t length = quoted_length(text);

		if (length > 0 && !authinfo_add(info, arena, text, length))
			return false;
		if (length == 0 && *text != ' ' && *text != c->config->options.blank_sub)
			return false;
		text += length > 0 ? length : 1;
	}
	return authinfo_complete(info);
}

static enum authinfo_status
from_rule(struct client *c, struct arena *arena, struct authinfo *info)
{
	struct rule_result result;

	trace_mute(true);
	client_rule(c, "authinfo", c->server_name, c->server_address, arena, &result);
	trace_mute(false);
	if (result.status == EX_TEMPFAIL ||
	    (result.answer == RULE_REJECT && verdict_is_temporary(&result.verdict)))
		return AUTHINFO_TEMPORARY;
	if (result.answer != RULE_OTHER || result.text == NULL)
		return AUTHINFO_NONE;
	return read_words(c, arena, result.text, info) ? AUTHINFO_FOUND : AUTHINFO_UNUSABLE;
}

/* DefaultAuthInfo: five lines, user, id, password, realm, mechanisms. */
static void
read_lines(struct authinfo *info, struct arena *arena, const char *text)
{
	static const char tags[] = "UIPRM";

	for (const char *tag = tags; *tag != '\0' && *text != '\0'; tag++) {
		size_t length = strcspn(text, "\n");

		if (length > 0)
			set_value(info, arena, *tag, text, length);
		text += length + (text[length] == '\n');
	}
}

static enum authinfo_status
from_file(const char *file, struct arena *arena, struct authinfo *info)
{
	char text[DEFAULT_AUTHINFO_MAXIMUM + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *reason = NULL;
	struct stat status;
	ssize_t length = 0;

	if (fd < 0 || fstat(fd, &status) < 0)
		reason = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		reason = "Regular files only";
	else if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0)
		reason =
		    (status.st_mode & S_IROTH) != 0 ? "World readable file" : "Group readable file";
	else if ((length = read(fd, text, DEFAULT_AUTHINFO_MAXIMUM)) < 0)
		reason = strerror(errno);
	if (fd >= 0)
		close(fd);
	if (reason != NULL) {
		log_at(5, LOG_ERR, "AUTH=client, error: can't open %s: %s", file, reason);
		return AUTHINFO_NONE;
	}
	text[length] = '\0';
	read_lines(info, arena, text);
	os_wipe(text, sizeof text);
	return authinfo_complete(info) ? AUTHINFO_FOUND : AUTHINFO_UNUSABLE;
}

enum authinfo_status
authinfo_find(struct client *c, struct arena *arena, struct authinfo *info)
{
	const char *file = c->config->options.default_auth_info;

	*info = (struct authinfo){0};
	if (ruleset_is_there(c->config, "authinfo"))
		return from_rule(c, arena, info);
	if (file != NULL && *file != '\0')
		return from_file(file, arena, info);
	return AUTHINFO_NONE;
}
