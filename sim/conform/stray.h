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
	int icmp;             /* where the answer is heard */
	uint64_t sent, until; /* the SYN was sent between these two moments */
	bool told;
	unsigned long long waited; /* ms, if it was */
};

/* The stranger's SYN for where nothing is, twice. */
void stray_begin(struct bed *bed, const struct observed *o, struct stray *ret);
/* Has it been answered by now? To be asked often. */
void stray_look(struct stray *stray);
/* No answer comes later than now. */
void stray_end(struct stray *stray, struct observed *o);

#endif
