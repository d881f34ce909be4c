/* SPDX-License-Identifier: MIT */
#include "base/utf8.h"

size_t utf8_length(const void *text, size_t left)
{
	const unsigned char *c = text;
	size_t length = c[0] < 0x80   ? 1
			: c[0] < 0xc2 ? 0
			: c[0] < 0xe0 ? 2
			: c[0] < 0xf0 ? 3
			: c[0] < 0xf5 ? 4
				      : 0;
	size_t i;

	if (!length || length > left)
		return 0;
	for (i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

bool utf8_is_control(const void *text, size_t length)
{
	const unsigned char *c = text;

	return (length == 1 && (c[0] < 0x20 || c[0] == 0x7f)) ||
	       (length == 2 && c[0] == 0xc2 && c[1] < 0xa0);
}
