/* A sendmail.cf: any bytes.  Lines that would run programs or open files are left out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	static char path[64];
	FILE *file;
	bool line_start = true, keep = true;

	if (path[0] == '\0')
		snprintf(path, sizeof path, "/tmp/fuzz_cf.%ld", (long)getpid());
	file = fopen(path, "w");
	if (file == NULL)
		abort();
	for (size_t i = 0; i < length; i++) {
		if (line_start)
			keep = strchr("FO", bytes[i]) == NULL || bytes[i] == '\0';
		if (keep || bytes[i] == '\n')
			fputc(bytes[i], file);
		line_start = bytes[i] == '\n';
	}
	/* or the name server would be asked for this host's name, a second each time */
	fputs("\nDjhost.example.com\n", file);
	fclose(file);
	config_destroy(config_read(&(struct config_request){.file = path, .report = ignore, .is_safe_caller = true}));
	unlink(path);
	return 0;
}
