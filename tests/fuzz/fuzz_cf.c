/*
 * A sendmail.cf: any bytes.  Nothing is opened or run: class files and programs, and what options name,
 * lose the characters that make them one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
ignore(void *context, const char *message, enum config_message kind)
{
	(void)context, (void)message, (void)kind;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	/* or the name server would be asked for this host's name, a second each time, and its addresses */
	static const char end[] = "\nDjhost.example.com\nO DontProbeInterfaces=true\n";
	char *text = malloc(length + sizeof end);
	char letter = '\0';

	if (text == NULL)
		abort();
	memcpy(text, bytes, length);
	memcpy(text + length, end, sizeof end);
	for (size_t i = 0; i < length; i++) {
		if ((i == 0 || text[i - 1] == '\n') && text[i] != ' ' && text[i] != '\t')
			letter = text[i];
		if (letter == 'O' && text[i] == '/')
			text[i] = '.';
		if (letter == 'F' && strchr("/|@", text[i]) != NULL && text[i] != '\0')
			text[i] = 'x';
	}
	config_destroy(config_read(&(struct config_request){.file = "fuzz.cf",
	    .text = text,
	    .text_length = length + sizeof end - 1,
	    .report = ignore,
	    .is_safe_caller = true}));
	free(text);
	return 0;
}
