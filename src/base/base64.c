#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct str *out, const void *bytes, size_t length)
{
	const unsigned char *in = bytes;

	for (size_t i = 0; i < length; i += 3) {
		size_t left = length - i;
		uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0u);
		char quad[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63], '=', '='};

		if (left > 1)
			quad[2] = alphabet[group >> 6 & 63];
		if (left > 2)
			quad[3] = alphabet[group & 63];
		str_add(out, quad, sizeof quad);
	}
}

static int
value_of(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (letter >= '0' && letter <= '9')
		return letter - '0' + 52;
	return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

bool
base64_decode(struct str *out, const char *text, size_t length)
{
	size_t start = out->length;

	for (size_t i = 0; i + 4 <= length; i += 4) {
		bool last = i + 4 == length;
		size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k >= 4 - padding ? 0 : value_of(text[i + k]);

			if (value < 0) {
				str_truncate(out, start);
				return false;
			}
			group = group << 6 | (uint32_t)value;
		}
		for (size_t k = 0; k < 3 - padding; k++)
			str_add_char(out, (char)(group >> (16 - 8 * k) & 255));
	}
	if (length % 4 != 0) {
		str_truncate(out, start);
		return false;
	}
	return true;
}
