#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "os/os.h"

void
secret_wipe(struct secret *secret)
{
	if (secret->data != NULL)
		os_wipe(secret->data, secret->length);
	free(secret->data);
	*secret = (struct secret){0};
}

void
secret_set(struct secret *secret, const void *bytes, size_t length)
{
	secret_wipe(secret);
	secret->data = check_malloc(length + 1);
	memcpy(secret->data, bytes, length);
	secret->data[length] = '\0';
	secret->length = length;
}
