/* SPDX-License-Identifier: MIT */
/* A race on real sockets: the core, its sockets of both kinds, the clock, the signals. */
#ifndef NATSIM_AGENTS_CONNECT_PLAY_H
#define NATSIM_AGENTS_CONNECT_PLAY_H

#include "agents/connect/race.h"
#include "agents/net/sockets.h"
#include "agents/tcp/links.h"

struct race_hands {
	struct sockets sockets;
	struct links links; /* LINKS_NONE without TCP */
	int signals;        /* wait_signals() */
	/* One more descriptor to be watched, -1 for none, and what to do when it is readable. */
	int extra;
	void (*ready)(void *context, uint64_t now);
	/* When the caller itself wants to be told the time; NULL: never. */
	uint64_t (*due)(const void *context);
	/* A signal asks to end: true when the caller sees to it. NULL: it does not. */
	bool (*stop)(void *context, uint64_t now);
	/* Before every wait: tell what is new. Returns 0 or -errno. */
	int (*tell)(void *context);
	void *context;
};

/*
 * Play @race until it is over. Returns 0, -EINTR when a signal asked to end (and the race was
 * ended in order), or another -errno.
 */
int race_play(struct race *race, struct race_hands *hands);

#endif
