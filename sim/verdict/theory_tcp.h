/* SPDX-License-Identifier: MIT */
/* What the declared NATs allow two peers that punch over TCP, beyond what theory.h says of UDP. */
#ifndef NATSIM_VERDICT_THEORY_TCP_H
#define NATSIM_VERDICT_THEORY_TCP_H

#include "verdict/theory.h"

/* What one peer sits behind. A router is a node of the topology, TOPO_NONE for no such one. */
struct theory_tcp {
	struct theory_side side;
	size_t resets;  /* answers a stray SYN with a reset */
	size_t forgets; /* a reset from outside ends what the own SYN opened */
	size_t strict;  /* drops a SYN that crosses the own one */
};

struct theory_tcp theory_tcp(const struct topo *topo, const struct way *way);

/* Why the peer's SYN does or does not get in. */
enum theory_syn {
	SYN_ENTERS,
	SYN_FILTERED,  /* as a datagram would be: theory_entry() says why */
	SYN_FORGOTTEN, /* a reset from the peer's NAT has ended what was opened for it */
	SYN_CROSSING,  /* it crosses the own SYN, and is dropped for that */
};

/*
 * How @peer's SYN to the endpoint that @self announced fares at @self, when each has sent
 * one before and they did not meet half way.
 */
enum theory_syn theory_syn(const struct theory_tcp *self, const struct theory_tcp *peer);

/* Can they get a connection? A SYN that enters is answered by the way it came, so one will do. */
bool theory_tcp_direct(const struct theory_tcp *a, const struct theory_tcp *b);

#endif
