/* SPDX-License-Identifier: MIT */
/* What is known of a path's round trip: RFC 6298, for all tests of a detection. */
#ifndef NATSIM_AGENTS_DETECT_RTT_H
#define NATSIM_AGENTS_DETECT_RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "agents/detect/silence.h"

struct rtt {
	uint64_t smoothed, variation; /* 0 while nothing is known */
	bool clean;                   /* they come from requests that were sent once */
};

/*
 * One more round trip. Karn's rule: what was sent more than once (not @clean) does not
 * tell it, only a bound of it, of which the least serves until something better is known.
 */
void rtt_measure(struct rtt *rtt, uint64_t sample, bool clean);

/* After this long without an answer a datagram is taken for lost. */
uint64_t rtt_timeout(const struct rtt *rtt);

/* The same as a test of silence wants it, for @needed proven rounds. */
struct silence_path rtt_path(const struct rtt *rtt, unsigned int needed);

#endif
