/* SPDX-License-Identifier: MIT */
/*
 * One flat JSON object a line, which is all an agent ever says.
 *
 * Written here because a JSON library would be the largest thing an agent loads, and
 * agents are started by the hundred. Strings are escaped, and bytes that are not
 * UTF-8 become U+FFFD, so that whatever a peer sends the line stays JSON.
 */
#ifndef NATSIM_AGENTS_CLI_JSON_H
#define NATSIM_AGENTS_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

enum { JSON_LINE_MAX = 4096 };

struct json {
	char text[JSON_LINE_MAX];
	size_t length;
	bool failed; /* it did not fit: a bug, which json_end() reports */
};

void json_begin(struct json *json, const char *event);
void json_text(struct json *json, const char *name, const char *value);
void json_endpoint(struct json *json, const char *name, const struct endpoint *value);
void json_integer(struct json *json, const char *name, uint64_t value);
void json_milliseconds(struct json *json, const char *name, uint64_t nanoseconds);
void json_boolean(struct json *json, const char *name, bool value);

/* Close the object: a NUL-terminated line with its newline, or -EMSGSIZE. */
int json_end(struct json *json);

/* Close and write the line to @out at once. Returns 0 or -errno. */
int json_write(struct json *json, FILE *out);

#endif
