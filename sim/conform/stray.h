/* SPDX-License-Identifier: MIT */
/* Part of probe_lifetimes(): whether a stray SYN is answered later (RFC 5382 REQ-4). */
#ifndef NATSIM_CONFORM_STRAY_H
#define NATSIM_CONFORM_STRAY_H

#include "conform/bed.h"
#include "conform/observed.h"

struct stray {
	struct bed *bed;
	bool tried; /* nothing was heard at once */
	struct endpoint from, at;
	uint64_t born;
	bool told_soon;
};

/* The stranger's first SYN, for where nothing is; and its repetition soon after. */
void stray_begin(struct bed *bed, const struct observed *o, struct stray *ret);
void stray_repeat(struct stray *stray);
/* Its repetition after the silence, which may be no longer than until now. */
void stray_end(struct stray *stray, struct observed *o);

#endif
