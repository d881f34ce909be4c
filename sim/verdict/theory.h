/* SPDX-License-Identifier: MIT */
/* What the declared NATs allow two peers, without sending a packet. */
#ifndef NATSIM_VERDICT_THEORY_H
#define NATSIM_VERDICT_THEORY_H

#include <stdbool.h>

#include "nft-rules/nat.h"
#include "topo/topo.h"
#include "verdict/way.h"

/* What one peer sits behind, as the world sees it; a host without a NAT is EIM + EIF. */
struct theory_side {
	bool blocked; /* UDP does not pass */
	enum nat_dependence mapping, filtering;
	bool guarded;  /* something filters or translates at all */
	bool unknown;  /* by rules of the user's own: what they do is not declared */
	bool mappable; /* it can ask a router for a port that is open to anyone */
	bool silent;   /* the peer itself sends nothing before it has heard the other */
};

/* Several NATs in a row behave as the most restrictive of each axis. */
struct theory_side theory_side(const struct topo *topo, const struct way *way);

/* Why a packet sent to the endpoint that the rendezvous announced does or does not get in. */
enum theory_entry {
	ENTRY_OPEN,          /* anyone gets in */
	ENTRY_ADDRESS,       /* the peer's address has been sent to from this very mapping */
	ENTRY_ENDPOINT,      /* the peer's endpoint has been sent to from this very mapping */
	ENTRY_OTHER_MAPPING, /* what was sent to the peer opened another mapping */
	ENTRY_OTHER_PORT,    /* the peer's packets come from a port nobody knows */
	ENTRY_SILENT,        /* nothing was sent that could have opened it */
	ENTRY_BLOCKED,
};

/* How the packets of @peer fare at @side, to the endpoint @side showed the rendezvous. */
enum theory_entry theory_entry(const struct theory_side *side, const struct theory_side *peer);
bool theory_enters(enum theory_entry entry);

/*
 * Can two peers behind @a and @b that exchanged the endpoints seen by a third get a
 * direct UDP path by plain punching, without guessing ports?
 */
bool theory_direct(const struct theory_side *a, const struct theory_side *b);

#endif
