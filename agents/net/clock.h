/* SPDX-License-Identifier: MIT */
/* Monotonic time in nanoseconds, and the names of its parts. */
#ifndef NATSIM_AGENTS_NET_CLOCK_H
#define NATSIM_AGENTS_NET_CLOCK_H

#include <stdint.h>
#include <time.h>

#define USEC UINT64_C(1000)
#define MSEC (1000 * USEC)
#define SEC (1000 * MSEC)

static inline uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

static inline double to_ms(uint64_t nanoseconds)
{
	return (double)nanoseconds / 1e6;
}

#endif
