/* SPDX-License-Identifier: MIT */
/* Where a core gets its random bytes: the kernel in a program, a seed in a test. */
#ifndef NATSIM_AGENTS_NET_RANDOM_H
#define NATSIM_AGENTS_NET_RANDOM_H

#include <stddef.h>

struct random_source {
	void (*fill)(void *context, void *bytes, size_t length);
	void *context;
};

static inline void random_fill(const struct random_source *source, void *bytes, size_t length)
{
	source->fill(source->context, bytes, length);
}

/* getrandom(2). */
extern const struct random_source random_system;

#endif
