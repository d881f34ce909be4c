/* SPDX-License-Identifier: MIT */
#include "agents/detect/notes.h"

#include <stdarg.h>
#include <stdio.h>

void notes_reason(struct notes *notes, const char *format, ...)
{
	va_list arguments;

	if (notes->reason[0] != '\0')
		return;
	va_start(arguments, format);
	vsnprintf(notes->reason, sizeof(notes->reason), format, arguments);
	va_end(arguments);
	say(&notes->say, "%s", notes->reason);
}
