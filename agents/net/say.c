/* SPDX-License-Identifier: MIT */
#include "agents/net/say.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_SAID = 400 };

void say(const struct say *to, const char *format, ...)
{
	char line[LINE_MAX_SAID];
	va_list arguments;

	if (!to->line)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	to->line(to->context, line);
}

static void print(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "%s\n", line);
}

const struct say say_stderr = {.line = print};
