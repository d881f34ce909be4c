/* SPDX-License-Identifier: MIT */
/* UDP flows of hundreds of packets, in which none may be treated otherwise than the first. */
#ifndef NATSIM_CONFORM_BUSY_H
#define NATSIM_CONFORM_BUSY_H

#include "conform/speech.h"

enum { BUSY_PACKETS = 600 };

struct busy {
	struct endpoint external;      /* as the first packet was seen */
	unsigned int arrived, answers; /* of BUSY_PACKETS; and of BUSY_PACKETS / BUSY_ANSWERED */
	unsigned int changed;          /* the first packet that was: the how manieth to arrive */
	const char *how;               /* what was changed about it; NULL while nothing was */
};

/*
 * Let @speaker send BUSY_PACKETS to PORT_A of @peer, which answers some of them. Returns whether
 * the first one got out.
 */
bool busy_make(struct speaker *speaker, size_t peer, struct busy *ret);

#endif
