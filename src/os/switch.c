/* What the files of the systems' service switches have in common. */
#include "os/os.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void
os_add_service_word(const char *word, size_t length, char *words, size_t size)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = {
	    {"files", "files"},
	    {"local", "files"}, /* AIX */
	    {"dns", "dns"},
	    {"resolve", "dns"}, /* systemd's resolver */
	    {"bind", "dns"},	/* AIX */
	    {"nis", "nis"},
	    {"nisplus", "nisplus"},
	    {"nis+", "nisplus"},
	};
	size_t used = strlen(words);

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t known = strlen(names[i].theirs);

		/* AIX: local4, bind6 ask for one kind of address */
		if (length == known + 1 && (word[known] == '4' || word[known] == '6'))
			length = known;
		if (length != known || strncasecmp(word, names[i].theirs, known) != 0)
			continue;
		if (strstr(words, names[i].ours) == NULL)
			snprintf(
			    words + used, size - used, "%s%s", used > 0 ? " " : "", names[i].ours);
		return;
	}
}

bool
os_read_service_order(const char *file, const char *service, char *words, size_t size)
{
	FILE *stream = fopen(file, "r");
	size_t length = strlen(service);
	char line[1024];

	words[0] = '\0';
	while (stream != NULL && words[0] == '\0' && fgets(line, sizeof line, stream) != NULL) {
		char *at = line;

		line[strcspn(line, "#\n")] = '\0';
		while (isspace((unsigned char)*at))
			at++;
		if (strncasecmp(at, service, length) != 0)
			continue;
		at += length;
		while (isspace((unsigned char)*at))
			at++;
		if (*at != ':' && *at != '=')
			continue;
		for (at++; *at != '\0';) {
			size_t end = strcspn(at, " \t,=[");

			os_add_service_word(at, end, words, size);
			at += end;
			/* "[NOTFOUND=return]", "local=auth" */
			if (*at == '[')
				at += strcspn(at, "]");
			else if (*at == '=')
				at += strcspn(at, " \t,");
			if (*at != '\0')
				at++;
		}
	}
	if (stream != NULL)
		fclose(stream);
	return words[0] != '\0';
}
