/* SPDX-License-Identifier: MIT */
#include "verdict/escape.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

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
		else if (n && (*c == '\t' || !utf8_is_control(c, n)))
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
