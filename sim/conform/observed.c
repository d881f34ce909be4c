/* SPDX-License-Identifier: MIT */
#include "conform/observed.h"

#include <stdarg.h>
#include <stdio.h>

void see(struct observed *o, enum aspect aspect, enum nat_protocol protocol, int value,
	 const char *evidence, ...)
{
	struct seen *seen = &o->seen[aspect][protocol];
	va_list arguments;

	seen->known = true;
	seen->value = value;
	va_start(arguments, evidence);
	vsnprintf(seen->evidence, sizeof(seen->evidence), evidence, arguments);
	va_end(arguments);
}

void unseen(struct observed *o, enum aspect aspect, enum nat_protocol protocol, const char *reason,
	    ...)
{
	struct seen *seen = &o->seen[aspect][protocol];
	va_list arguments;

	*seen = (struct seen){0};
	va_start(arguments, reason);
	vsnprintf(seen->evidence, sizeof(seen->evidence), reason, arguments);
	va_end(arguments);
}
