/* SPDX-License-Identifier: MIT */
/* "Did you mean": the nearest of the words that would have been right. */
#ifndef NATSIM_TOPO_SUGGEST_H
#define NATSIM_TOPO_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *word; /* what was written */
	const char *best; /* the nearest offer so far, NULL when none is near */
	size_t distance;
};

struct suggestion suggest_for(const char *word);

/* Consider @offer; it is borrowed as long as the suggestion is used. */
void suggest(struct suggestion *suggestion, const char *offer);

#endif
