/* SPDX-License-Identifier: MIT */
#include "agents/net/drive.h"

#include <errno.h>

#include "agents/net/clock.h"
#include "agents/net/wait.h"

static int leave(const struct drive_ops *ops, void *context, const struct sockets *sockets)
{
	struct datagram datagram;

	while (ops->leave && ops->leave(context, &datagram))
		(void)sockets_send(sockets, &datagram);
	return -EINTR;
}

int drive(const struct drive_ops *ops, void *context, const struct sockets *sockets, int signals)
{
	struct datagram datagram;
	bool ready;
	int r;

	for (;;) {
		while (ops->send(context, clock_now(), &datagram))
			(void)sockets_send(sockets, &datagram);
		r = ops->tell ? ops->tell(context) : 0;
		if (r < 0 || ops->over(context))
			return r;
		r = wait_for(signals, &sockets->epoll, 1, ops->due(context), &ready);
		if (r == WAIT_STOP)
			return leave(ops, context, sockets);
		if (r < 0)
			return r;
		if (r == WAIT_READY)
			sockets_drain(sockets, &ops->events, context);
	}
}
