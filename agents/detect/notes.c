/* SPDX-License-Identifier: MIT */
#include "agents/detect/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_say(const struct notes *notes, const char *format, ...)
{
	char line[240];
	va_list arguments;

	if (!notes->say)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	notes->say(notes->context, line);
}

void notes_reason(struct notes *notes, const char *format, ...)
{
	va_list arguments;

	if (notes->reason[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(notes->reason, sizeof(notes->reason), format, arguments);
	va_end(arguments);
	notes_say(notes, "%s", notes->reason);
}
