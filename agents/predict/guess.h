/* SPDX-License-Identifier: MIT */
/*
 * What two peers that know how each other's NAT chooses ports can do about it: which ports
 * of the other to try, with how many own sockets, and with what chance. Pure.
 */
#ifndef NATSIM_AGENTS_PREDICT_GUESS_H
#define NATSIM_AGENTS_PREDICT_GUESS_H

#include "agents/predict/outlook.h"

enum { GUESS_PORTS_MAX = 32, GUESS_WINDOW_MAX = 2048 };

enum guess_kind {
	GUESS_NOTHING, /* there is nothing to guess, or nothing is known */
	GUESS_PREDICTION,
	GUESS_BIRTHDAY,
	GUESS_HOPELESS, /* not worth a packet; `reason` says why */
};

struct guess {
	enum guess_kind kind;
	double probability; /* of a path, before anything is tried; HOPELESS: of the best that
			       could be done */

	/* GUESS_PREDICTION: the other's ports to try, in this order and before any other
	 * packet of ours to it; none when only it has to guess. */
	uint16_t ports[GUESS_PORTS_MAX];
	size_t port_count;
	/* Then more of them, one after the other at `rate`: */
	uint16_t first; /* from here on */
	int step;       /* by this; 0 for GUESS_BIRTHDAY, in no order */

	size_t sockets;     /* GUESS_BIRTHDAY: from how many of our own; 1 is the main one alone */
	uint16_t low, high; /* between which ports of the other's there are more to try, */
	uint32_t probes;    /* and how many of them; 0 for none */
	uint64_t rate;      /* of our packets a second */
	uint64_t duration;  /* nanoseconds that trying all these ports takes, here or there */

	char reason[160]; /* in words what is done, or why nothing is */
};

/*
 * Both peers call it with their views swapped and come to decisions that fit. @controlling
 * is true for exactly one of them.
 */
struct guess guess_make(const struct outlook *own, const struct outlook *peer, bool controlling);

#endif
