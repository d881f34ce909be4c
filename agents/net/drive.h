/* SPDX-License-Identifier: MIT */
/* The loop of every client: a core, its sockets, the clock, and the signals that end it. */
#ifndef NATSIM_AGENTS_NET_DRIVE_H
#define NATSIM_AGENTS_NET_DRIVE_H

#include <stdbool.h>

#include "agents/net/sockets.h"

struct drive_ops {
	/* The next datagram to send at @now; called until false. */
	bool (*send)(void *context, uint64_t now, struct datagram *ret);
	/* When to call send() again if nothing comes; UINT64_MAX: never. */
	uint64_t (*due)(void *context);
	bool (*over)(void *context);
	struct sockets_events events;
	/* Tell stdout what is new, before every wait; or NULL. Returns 0 or -errno. */
	int (*tell)(void *context);
	/* The last words of one that is interrupted, called until false; or NULL. */
	bool (*leave)(void *context, struct datagram *ret);
};

/*
 * Play until it is over. Returns 0 then, -EINTR when a signal (wait_signals()) asked
 * to end, or another -errno.
 */
int drive(const struct drive_ops *ops, void *context, const struct sockets *sockets, int signals);

#endif
