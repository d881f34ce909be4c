/* SPDX-License-Identifier: MIT */
#include "verdict/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * How many bytes the UTF-8 character at @text has, 0 for an invalid one
 * (RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t length = text[0] < 0x80   ? 1
			: text[0] < 0xc2 ? 0
			: text[0] < 0xe0 ? 2
			: text[0] < 0xf0 ? 3
			: text[0] < 0xf5 ? 4
					 : 0;
	size_t i;

	if (!length || length > left)
		return 0;
	for (i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* U+0080 to U+009F are controls too: some terminals take U+009B for ESC [. */
static bool is_control(const unsigned char *c, size_t length)
{
	return (length == 1 && (c[0] < 0x20 || c[0] == 0x7f)) ||
	       (length == 2 && c[0] == 0xc2 && c[1] < 0xa0);
}

static void print_hex(const unsigned char *bytes, size_t count, FILE *out)
{
	while (count--)
		fprintf(out, "\\x%02x", *bytes++);
}

void escape_print(const char *text, size_t length, const char *newline, FILE *out)
{
	const unsigned char *c = (const unsigned char *)text, *end = c + length;
	size_t n;

	for (; c < end; c += n ? n : 1) {
		n = utf8_length(c, (size_t)(end - c));
		if (*c == '\n')
			fputs(newline, out);
		else if (n && (*c == '\t' || !is_control(c, n)))
			fwrite(c, 1, n, out);
		else
			print_hex(c, n ? n : 1, out);
	}
}

void escape_quote(const char *text, size_t length, FILE *out)
{
	const char *c = text, *end = text + length, *plain;

	fputc('"', out);
	while (c < end) {
		for (plain = c; c < end && !memchr("\"\\\n\t\r", *c, 5);)
			c++;
		escape_print(plain, (size_t)(c - plain), "", out);
		if (c == end)
			break;
		fputc('\\', out);
		fputc(*c == '\n' ? 'n' : *c == '\t' ? 't' : *c == '\r' ? 'r' : *c, out);
		c++;
	}
	fputc('"', out);
}

json_t *escape_json(const char *text, size_t length)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *c = (const unsigned char *)text, *end = c + length;
	char *clean = malloc(3 * length + 1), *to = clean;
	json_t *json;
	size_t n;

	if (!clean)
		return NULL;
	for (; c < end; c += n ? n : 1) {
		n = utf8_length(c, (size_t)(end - c));
		to = mempcpy(to, n ? (const void *)c : replacement, n ? n : 3);
	}
	json = json_stringn(clean, (size_t)(to - clean));
	free(clean);
	return json;
}
