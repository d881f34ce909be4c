/* SPDX-License-Identifier: MIT */
#include "agents/cli/json.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "agents/net/clock.h"

static void add(struct json *json, const char *bytes, size_t length)
{
	/* Room for the closing brace, the newline and the NUL stays reserved. */
	if (json->failed || JSON_LINE_MAX - 3 - json->length < length) {
		json->failed = true;
		return;
	}
	memcpy(json->text + json->length, bytes, length);
	json->length += length;
}

static void add_string(struct json *json, const char *string)
{
	add(json, string, strlen(string));
}

/* How many bytes the UTF-8 character at @s has (RFC 3629 section 4), 0 when it is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t length = s[0] < 0x80   ? 1
			: s[0] < 0xc2 ? 0
			: s[0] < 0xe0 ? 2
			: s[0] < 0xf0 ? 3
			: s[0] < 0xf5 ? 4
				      : 0;
	size_t i;

	for (i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0; /* the final NUL ends up here too */
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return length;
}

static void add_quoted(struct json *json, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char escape[8];

	add(json, "\"", 1);
	while (*s) {
		size_t length = utf8_length(s);

		if (length == 0) {
			add_string(json, "\\ufffd");
			length = 1;
		} else if (*s == '"' || *s == '\\') {
			escape[0] = '\\';
			escape[1] = (char)*s;
			add(json, escape, 2);
		} else if (*s < 0x20 || *s == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			add_string(json, escape);
		} else {
			add(json, (const char *)s, length);
		}
		s += length;
	}
	add(json, "\"", 1);
}

static void add_name(struct json *json, const char *name)
{
	add_string(json, json->length > 1 ? "," : "");
	add_quoted(json, name);
	add(json, ":", 1);
}

void json_begin(struct json *json, const char *event)
{
	json->length = 0;
	json->failed = false;
	add(json, "{", 1);
	json_text(json, "event", event);
}

void json_text(struct json *json, const char *name, const char *value)
{
	add_name(json, name);
	add_quoted(json, value);
}

void json_endpoint(struct json *json, const char *name, const struct endpoint *value)
{
	char text[ENDPOINT_TEXT_MAX];

	json_text(json, name, endpoint_format(value, text));
}

void json_integer(struct json *json, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	add_name(json, name);
	add_string(json, text);
}

void json_milliseconds(struct json *json, const char *name, uint64_t nanoseconds)
{
	char text[40];

	snprintf(text, sizeof(text), "%llu.%03llu", (unsigned long long)(nanoseconds / MSEC),
		 (unsigned long long)(nanoseconds % MSEC / USEC));
	add_name(json, name);
	add_string(json, text);
}

void json_boolean(struct json *json, const char *name, bool value)
{
	add_name(json, name);
	add_string(json, value ? "true" : "false");
}

int json_end(struct json *json)
{
	if (json->failed)
		return -EMSGSIZE;
	json->text[json->length++] = '}';
	json->text[json->length++] = '\n';
	json->text[json->length] = '\0';
	return 0;
}

int json_write(struct json *json, FILE *out)
{
	int r = json_end(json);

	if (r < 0)
		return r;
	/* One write per line: whoever reads never sees half an object. */
	if (fwrite(json->text, 1, json->length, out) != json->length || fflush(out) != 0)
		return -EIO;
	return 0;
}
