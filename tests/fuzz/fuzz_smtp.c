/* SMTP command lines, and bodies in pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/body.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void
piece(void *context, const char *bytes, size_t length, bool is_end)
{
	size_t *total = context;

	(void)is_end;
	for (size_t i = 0; i < length; i++)
		*total += bytes[i] != '\n';
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *line = malloc(length + 1), *at, *name, *value;
	const char *scanned;
	struct smtp_command command;
	size_t total = 0, taken;
	struct smtp_body body = {.bare_lf = SMTP_BARE_SPACE, .bare_cr = SMTP_BARE_ALLOWED, .piece = piece, .context = &total};
	struct str decoded = {0};

	smtp_body_feed(&body, (const char *)bytes, length, &taken);
	if (taken > length)
		abort();
	memcpy(line, bytes, length);
	line[length] = '\0';
	smtp_xtext_decode(&decoded, line);
	smtp_helo_is_valid(line);
	smtp_command_split(line, &command);
	at = smtp_command_skip_word(command.argument, "FROM:", &scanned);
	if (at != NULL) {
		at = smtp_command_path_end(at);
		while (smtp_command_next_parameter(&at, &name, &value))
			;
	}
	str_free(&decoded);
	free(line);
	return 0;
}
