/* SPDX-License-Identifier: MIT */
/* What a detection has to tell people: each step as it happens, and in the end one reason. */
#ifndef NATSIM_AGENTS_DETECT_NOTES_H
#define NATSIM_AGENTS_DETECT_NOTES_H

#include "agents/net/say.h"

struct notes {
	struct say say;
	char reason[160]; /* the first that made something undecidable; "" for none */
};

/* Keep the reason if it is the first, and say it. */
void notes_reason(struct notes *notes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
