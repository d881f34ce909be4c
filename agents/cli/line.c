/* SPDX-License-Identifier: MIT */
#include "agents/cli/line.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "agents/net/clock.h"
#include "base/utf8.h"

static void add(struct line *line, const char *bytes, size_t length)
{
	/* Room for the closing brace, the newline and the NUL stays reserved. */
	if (line->failed || LINE_MAX_BYTES - 3 - line->length < length) {
		line->failed = true;
		return;
	}
	memcpy(line->text + line->length, bytes, length);
	line->length += length;
}

static void add_string(struct line *line, const char *string)
{
	add(line, string, strlen(string));
}

static void add_quoted(struct line *line, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char escape[8];

	add(line, "\"", 1);
	while (*s) {
		size_t length = utf8_length(s, SIZE_MAX);

		if (length == 0) {
			add_string(line, "\\ufffd");
			length = 1;
		} else if (*s == '"' || *s == '\\') {
			escape[0] = '\\';
			escape[1] = (char)*s;
			add(line, escape, 2);
		} else if (*s < 0x20 || *s == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			add_string(line, escape);
		} else {
			add(line, (const char *)s, length);
		}
		s += length;
	}
	add(line, "\"", 1);
}

static void add_name(struct line *line, const char *name)
{
	add_string(line, line->length > 1 ? "," : "");
	add_quoted(line, name);
	add(line, ":", 1);
}

void line_begin(struct line *line, const char *event)
{
	line->length = 0;
	line->failed = false;
	add(line, "{", 1);
	line_text(line, "event", event);
}

void line_text(struct line *line, const char *name, const char *value)
{
	add_name(line, name);
	add_quoted(line, value);
}

void line_endpoint(struct line *line, const char *name, const struct endpoint *value)
{
	char text[ENDPOINT_TEXT_MAX];

	line_text(line, name, endpoint_format(value, text));
}

void line_integer(struct line *line, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	add_name(line, name);
	add_string(line, text);
}

void line_signed(struct line *line, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	add_name(line, name);
	add_string(line, text);
}

void line_milliseconds(struct line *line, const char *name, uint64_t nanoseconds)
{
	char text[40];

	snprintf(text, sizeof(text), "%llu.%03llu", (unsigned long long)(nanoseconds / MSEC),
		 (unsigned long long)(nanoseconds % MSEC / USEC));
	add_name(line, name);
	add_string(line, text);
}

void line_fraction(struct line *line, const char *name, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	add_name(line, name);
	add_string(line, isfinite(value) ? text : "null");
}

void line_boolean(struct line *line, const char *name, bool value)
{
	add_name(line, name);
	add_string(line, value ? "true" : "false");
}

int line_end(struct line *line)
{
	if (line->failed)
		return -EMSGSIZE;
	line->text[line->length++] = '}';
	line->text[line->length++] = '\n';
	line->text[line->length] = '\0';
	return 0;
}

int line_write(struct line *line, FILE *out)
{
	int r = line_end(line);

	if (r < 0)
		return r;
	/* One write per line: whoever reads never sees half an object. */
	if (fwrite(line->text, 1, line->length, out) != line->length || fflush(out) != 0)
		return -EIO;
	return 0;
}
