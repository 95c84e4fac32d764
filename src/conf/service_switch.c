#include "conf/service_switch.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "conf/safefile.h"
#include "os/os.h"
#include "reading.h"

/* Without a file of ours the system's switch counts. */
static void
add_system_order(struct config *config, const char *name, struct service_methods ***last)
{
	struct service_methods *service;
	char words[128], *at = words;

	if (!os_service_order(name, words, sizeof words))
		return;
	service = ARENA_NEW(config->arena, struct service_methods);
	service->name = name;
	for (size_t i = 0; *at != '\0' && i < SERVICE_METHODS; i++) {
		size_t length = strcspn(at, " ");

		service->methods[i] = arena_memdup(config->arena, at, length);
		at += length + (at[length] == ' ');
	}
	**last = service;
	*last = &service->next;
}

/* The file's lines: `service method method ...`. */
static void
read_file(struct config *config, FILE *file, struct service_methods ***last)
{
	char line[1024];

	while (fgets(line, sizeof line, file) != NULL) {
		struct service_methods *service;
		char *at = line;

		line[strcspn(line, "#\n")] = '\0';
		at = text_skip_space(at);
		if (*at == '\0')
			continue;
		service = ARENA_NEW(config->arena, struct service_methods);
		for (size_t i = 0; *(at = text_skip_space(at)) != '\0' && i <= SERVICE_METHODS;) {
			char *word = at;

			while (*at != '\0' && !text_is_space((unsigned char)*at))
				at++;
			word = arena_memdup(config->arena, word, (size_t)(at - word));
			if (service->name == NULL)
				service->name = word;
			else if (i < SERVICE_METHODS)
				service->methods[i++] = word;
			else
				break;
		}
		**last = service;
		*last = &service->next;
	}
}

/*
 * ServiceSwitchFile, and for what it does not tell the usual file, which V8 has read before the cf; the
 * first line of a service counts.
 */
void
config_read_service_switch(struct config *config)
{
	static const char usual[] = "/etc/mail/service.switch";
	const char *paths[] = {config->options.service_switch_file, usual};
	struct service_methods **last = &config->services;
	bool was_read = false;

	for (size_t i = 0; i < 2; i++) {
		FILE *file =
		    paths[i] != NULL && (i == 0 || paths[0] == NULL || strcmp(paths[0], usual) != 0)
			? fopen(paths[i], "r")
			: NULL;

		if (file == NULL)
			continue;
		read_file(config, file, &last);
		fclose(file);
		was_read = true;
	}
	if (!was_read) {
		add_system_order(config, "hosts", &last);
		add_system_order(config, "aliases", &last);
	}
}

size_t
config_switch_methods(
    const struct config *config, const char *service, const char *methods[], size_t size)
{
	static const char *const hosts[] = {"dns", "files"};
	size_t count = 0;

	for (const struct service_methods *line = config->services; line != NULL;
	     line = line->next) {
		if (!text_equal_nocase(line->name, service))
			continue;
		while (count < size && count < SERVICE_METHODS && line->methods[count] != NULL) {
			methods[count] = line->methods[count];
			count++;
		}
		return count;
	}
	if (text_equal_nocase(service, "aliases") || text_equal_nocase(service, "passwd")) {
		if (size > 0)
			methods[0] = "files";
		return size > 0;
	}
	if (!text_equal_nocase(service, "hosts"))
		return 0;
	for (; count < size && count < 2; count++)
		methods[count] = hosts[count];
	return count;
}
