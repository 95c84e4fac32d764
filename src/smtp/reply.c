#include "smtp/reply.h"

#include <string.h>

static void
add_clean(struct str *out, const char *text, size_t length)
{
	for (; length > 0; length--, text++) {
		unsigned char byte = (unsigned char)*text & 0x7f;

		str_add_char(out, byte == '\t'		       ? '\t'
				  : byte < ' ' || byte == 0x7f ? '?'
							       : (char)byte);
	}
}

void
smtp_reply_write(struct str *out, int code, const char *dsn, const char *text, bool more)
{
	for (;;) {
		size_t length = strcspn(text, "\n");
		bool is_last = text[length] == '\0' || text[length + 1] == '\0';

		str_printf(out, "%03d%c", code, is_last && !more ? ' ' : '-');
		if (dsn != NULL && *dsn != '\0')
			str_printf(out, "%s ", dsn);
		add_clean(out, text, length);
		str_add_text(out, "\r\n");
		if (is_last)
			return;
		text += length + 1;
	}
}
