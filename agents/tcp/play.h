/* SPDX-License-Identifier: MIT */
/* A TCP hole punch on real sockets: the core, its connections, the clock, the signals. */
#ifndef NATSIM_AGENTS_TCP_PLAY_H
#define NATSIM_AGENTS_TCP_PLAY_H

#include "agents/tcp/links.h"
#include "agents/tcp/punch.h"

/*
 * Play @punch until it is over; @tell is called before every wait, to tell stdout what is
 * new, and returns 0 or -errno. Returns 0, -EINTR when a signal (wait_signals()) asked to
 * end, or another -errno.
 */
int tcp_play(struct tcp_punch *punch, struct links *links, int signals, int (*tell)(void *context),
	     void *context);

#endif
