/* SPDX-License-Identifier: MIT */
/*
 * The one place where an agent sleeps: until a socket has something, a deadline has
 * come, or somebody asks it to end.
 */
#ifndef NATSIM_AGENTS_NET_WAIT_H
#define NATSIM_AGENTS_NET_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

enum { WAIT_FDS_MAX = 8 };
#define WAIT_FOREVER UINT64_MAX

/* From now on SIGTERM and SIGINT are read from the returned descriptor (-errno on failure). */
int wait_signals(struct diag *d);

enum wait_result {
	WAIT_READY = 1, /* ready[] says which descriptors */
	WAIT_TIMEOUT = 0,
	WAIT_STOP = 2, /* a signal asked us to end */
};

/*
 * Wait for any of @count descriptors (negative ones are passed over), at the latest
 * until @deadline (clock_now()). A socket with only an error kept is ready too.
 * Returns enum wait_result or -errno.
 */
int wait_for(int signals, const int *fds, size_t count, uint64_t deadline, bool *ready);

#endif
