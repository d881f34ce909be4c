/* SPDX-License-Identifier: MIT */
/* Does a packet to an external endpoint reach the inside host that owns it? RFC 5780 section 3.4.
 */
#ifndef NATSIM_AGENTS_DETECT_HAIRPIN_H
#define NATSIM_AGENTS_DETECT_HAIRPIN_H

#include "agents/detect/exam.h"

enum hairpinning {
	HAIRPINNING_UNKNOWN,
	HAIRPINNING_NONE, /* there is no NAT */
	HAIRPINNING_OFF,
	HAIRPINNING_EXTERNAL_SOURCE,
	HAIRPINNING_INTERNAL_SOURCE,
	HAIRPINNING_COUNT
};

const char *hairpinning_name(enum hairpinning hairpinning);

struct hairpin {
	enum hairpinning verdict;
	struct probe learn[2];  /* which mapped endpoint has each socket? */
	struct probe across[2]; /* from each socket to the other's mapped endpoint */
	struct trial trial;
	unsigned int pending; /* of `across` in this round */
	bool over;
};

#endif
