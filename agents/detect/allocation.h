/* SPDX-License-Identifier: MIT */
/* How does the NAT choose external ports? RFC 4787 section 4.2. */
#ifndef NATSIM_AGENTS_DETECT_ALLOCATION_H
#define NATSIM_AGENTS_DETECT_ALLOCATION_H

#include "agents/detect/exam.h"
#include "agents/predict/pattern.h"

enum { ALLOCATION_SOCKETS = 8 };

/* One socket after the other asks the server, so that the mappings are made in order. */
struct allocation {
	struct probe probe; /* of the socket whose turn it is */
	struct port_sample samples[ALLOCATION_SOCKETS];
	size_t first, asked, count; /* `count` samples of `asked` sockets */
	struct port_pattern pattern;
	bool over;
};

#endif
