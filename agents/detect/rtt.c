/* SPDX-License-Identifier: MIT */
#include "agents/detect/rtt.h"

#include "agents/net/clock.h"

/* Nothing faster than this is taken for a loss: a busy machine pauses programs that long. */
#define RTO_MIN (20 * MSEC)

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

void rtt_measure(struct rtt *rtt, uint64_t sample, bool clean)
{
	uint64_t off = sample > rtt->smoothed ? sample - rtt->smoothed : rtt->smoothed - sample;

	if (rtt->clean && clean) { /* RFC 6298 section 2.3 */
		rtt->variation = (3 * rtt->variation + off) / 4;
		rtt->smoothed = (7 * rtt->smoothed + sample) / 8;
	} else if (clean || rtt->smoothed == 0 || (!rtt->clean && sample < rtt->smoothed)) {
		rtt->smoothed = sample;
		rtt->variation = sample / 2;
	}
	rtt->clean = rtt->clean || clean;
}

uint64_t rtt_timeout(const struct rtt *rtt)
{
	return clamp(rtt->smoothed + 4 * rtt->variation, RTO_MIN, SEC);
}

/* `slack` is for reordering. */
struct silence_path rtt_path(const struct rtt *rtt, unsigned int needed)
{
	return (struct silence_path){
		.rto = rtt_timeout(rtt),
		.slack = clamp(2 * rtt->variation, 5 * MSEC, SEC),
		.pace = clamp(rtt->smoothed / 8, MSEC, 25 * MSEC),
		.needed = needed,
	};
}
