/* SPDX-License-Identifier: MIT */
/*
 * One flat JSON object a line, which is all an agent ever says.
 *
 * Written here because a JSON library would be the largest thing an agent loads, and
 * agents are started by the hundred. Strings are escaped, and bytes that are not
 * UTF-8 become U+FFFD, so that whatever a peer sends the line stays JSON.
 */
#ifndef NATSIM_AGENTS_CLI_LINE_H
#define NATSIM_AGENTS_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"

enum { LINE_MAX_BYTES = 4096 };

struct line {
	char text[LINE_MAX_BYTES];
	size_t length;
	bool failed; /* it did not fit: a bug, which line_end() reports */
};

void line_begin(struct line *line, const char *event);
void line_text(struct line *line, const char *name, const char *value);
void line_endpoint(struct line *line, const char *name, const struct endpoint *value);
void line_integer(struct line *line, const char *name, uint64_t value);
void line_signed(struct line *line, const char *name, int64_t value);
void line_milliseconds(struct line *line, const char *name, uint64_t nanoseconds);
/* A share or a probability, with the digits that matter. Not a number becomes null. */
void line_fraction(struct line *line, const char *name, double value);
void line_boolean(struct line *line, const char *name, bool value);

/* Close the object: a NUL-terminated line with its newline, or -EMSGSIZE. */
int line_end(struct line *line);

/* Close and write the line to @out at once. Returns 0 or -errno. */
int line_write(struct line *line, FILE *out);

#endif
