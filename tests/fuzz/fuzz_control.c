/* A qf file: any bytes.  What is read and written must be read the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct envelope *first = envelope_create(), *second = envelope_create();
	struct control_error error;
	struct str once = {0}, twice = {0};

	if (control_read(first, (const char *)bytes, length, &error) == CONTROL_OK) {
		control_write(first, &once);
		if (control_read(second, once.data, once.length, &error) != CONTROL_OK)
			abort();
		control_write(second, &twice);
		if (once.length != twice.length || memcmp(once.data, twice.data, once.length) != 0)
			abort();
	}
	envelope_destroy(first);
	envelope_destroy(second);
	str_free(&once);
	str_free(&twice);
	return 0;
}
