/* SPDX-License-Identifier: MIT */
/* A TCP hole punch on real sockets: the core, its connections, the clock, the signals. */
#ifndef NATSIM_AGENTS_TCP_PLAY_H
#define NATSIM_AGENTS_TCP_PLAY_H

#include "agents/tcp/links.h"
#include "agents/tcp/punch.h"

/* For a loop that has more to do: carry out what tcp_punch_act() wants, and hand over what has
 * happened when links->epoll is readable. */
void tcp_play_act(struct tcp_punch *punch, struct links *links, const struct tcp_action *action);
void tcp_play_drain(struct tcp_punch *punch, struct links *links);

/*
 * Play @punch until it is over; @tell is called before every wait, to tell stdout what is
 * new, and returns 0 or -errno. Returns 0, -EINTR when a signal (wait_signals()) asked to
 * end, or another -errno.
 */
int tcp_play(struct tcp_punch *punch, struct links *links, int signals, int (*tell)(void *context),
	     void *context);

#endif
