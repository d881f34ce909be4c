/* SPDX-License-Identifier: MIT */
#include "agents/net/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

static void fill_from_kernel(void *context, void *bytes, size_t length)
{
	uint8_t *at = bytes;

	(void)context;
	/* Reading the initialised pool cannot fail; before that it blocks, and a signal may cut it
	 * short. */
	while (length > 0) {
		ssize_t got = getrandom(at, length, 0);

		if (got < 0 && errno != EINTR)
			return;
		if (got > 0) {
			at += got;
			length -= (size_t)got;
		}
	}
}

const struct random_source random_system = {.fill = fill_from_kernel};
