/* SPDX-License-Identifier: MIT */
/* Do datagrams larger than the MTU pass the NAT? RFC 5780 section 3.5. */
#ifndef NATSIM_AGENTS_DETECT_FRAGMENTS_H
#define NATSIM_AGENTS_DETECT_FRAGMENTS_H

#include "agents/detect/exam.h"

enum fragments_pass {
	FRAGMENTS_UNKNOWN,
	FRAGMENTS_BOTH,
	FRAGMENTS_OUTBOUND, /* out, but not in */
	FRAGMENTS_NONE,     /* not out; so nothing can be made to come in */
	FRAGMENTS_COUNT
};

const char *fragments_name(enum fragments_pass pass);

struct fragments {
	enum fragments_pass verdict;
	struct probe out;  /* large, its answer small */
	struct probe both; /* as large, and its answer too */
	struct trial trials[2];
	bool over;
};

#endif
