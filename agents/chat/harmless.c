/* SPDX-License-Identifier: MIT */
#include "agents/chat/harmless.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

/* Line and paragraph separators, embeddings, overrides: U+2028 to U+202E; isolates: U+2066 to
 * U+2069 (Unicode Standard Annex 9, section 2). */
static bool turns_text(const unsigned char *c, size_t length)
{
	return length == 3 && c[0] == 0xe2 &&
	       ((c[1] == 0x80 && c[2] >= 0xa8 && c[2] <= 0xae) ||
		(c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

void harmless(const void *text, size_t length, char *ret)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *c = text, *end = c + length;
	size_t n;

	for (; c < end; c += n ? n : 1) {
		n = utf8_length(c, (size_t)(end - c));
		if (*c == '\t')
			*ret++ = ' ';
		else if (n && !utf8_is_control(c, n) && !turns_text(c, n))
			ret = mempcpy(ret, c, n);
		else
			ret = mempcpy(ret, replacement, sizeof(replacement) - 1);
	}
	*ret = '\0';
}
