/* SPDX-License-Identifier: MIT */
/* Part of probe_lifetimes(): of two connections of one socket one ends, and the other lives on. */
#ifndef NATSIM_CONFORM_HOLD_H
#define NATSIM_CONFORM_HOLD_H

#include "conform/endings.h"
#include "conform/observed.h"
#include "conform/speech.h"

struct hold {
	struct speech speech;
	struct endings endings;
	struct speaker speaker;
	struct endpoint external;
	bool begun, known, alive;
	const char *reason;    /* why nothing is known */
	bool other_port;       /* the filter lets the peer in by its other port */
	uint64_t life, closed; /* ms: how long open and closed connections' mappings live */
	uint64_t born, over;   /* the first one began; the second one has ended */
	uint64_t asked;        /* ms after `over` */
	unsigned int tries;
};

/*
 * Two connections of one socket, and the end of the second. After the lifetimes have been seen;
 * @closed is when that of a connection which is over has surely ended.
 */
void hold_begin(struct bed *bed, const struct observed *o, const struct seen *closed,
		struct hold *ret);
/* When it is to be asked; UINT64_MAX when it has been. */
uint64_t hold_due(const struct hold *hold);
/* Ask, when it is time. Where the machine was too busy to know, it begins again. */
void hold_ask(struct hold *hold);
void hold_see(const struct hold *hold, struct observed *o);

#endif
