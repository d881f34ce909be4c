/* SPDX-License-Identifier: MIT */
/*
 * What made a path, in one word. Both peers say the same word: each tells the other what it
 * saw (its sight), and judges from both.
 *
 *     private    one of them speaks to a private endpoint of the other: no public one is used
 *     port-mapping  one of them speaks to a port that the other's router granted it on request
 *     hairpin    both have the same public address, which is no host's own: the NAT they
 *                share turned the packets round
 *     open       the blind dials of both got in: nothing had to be opened
 *     reversal   that of one only: the other was told by the rendezvous to dial, for it cannot
 *                be dialled. Also whenever a peer asked to be called
 *     prediction the path leads to a port that had been predicted, though nobody had seen it
 *     birthday   the path leads to a port that was found by trying many
 *     punch      that of neither: each opened its own side for the other
 *
 * The first that holds, in this order. "Got in" means before the receiver had sent anything
 * to the sender: a filter that admits everybody's packets is open even if it is a NAT's.
 */
#ifndef NATSIM_AGENTS_PUNCH_TECHNIQUE_H
#define NATSIM_AGENTS_PUNCH_TECHNIQUE_H

#include "agents/rendezvous/protocol.h"

enum technique {
	TECHNIQUE_PRIVATE,
	TECHNIQUE_PORT_MAPPING,
	TECHNIQUE_HAIRPIN,
	TECHNIQUE_OPEN,
	TECHNIQUE_REVERSAL,
	TECHNIQUE_PREDICTION,
	TECHNIQUE_BIRTHDAY,
	TECHNIQUE_PUNCH,
};

/* What a peer saw of the other: the bits of the attribute SIGHT. */
enum sight {
	SIGHT_DIALLED = 1 << 0,   /* the other's blind dial got in */
	SIGHT_PRIVATELY = 1 << 1, /* the path leads to a private endpoint of the other */
	SIGHT_CALLED = 1 << 2,    /* asked to be called */
	SIGHT_PREDICTED = 1 << 3, /* the path leads to a predicted port of the other */
	SIGHT_DRAWN = 1 << 4,     /* the path leads to one that was found by trying many */
	SIGHT_ACCEPTED = 1 << 5,  /* over TCP: the other dialled, and our listener answered */
	SIGHT_MAPPED = 1 << 6,    /* the path leads to a port that the other's router granted it */
};

/*
 * @own and @theirs are enum sight; @introduction is what the rendezvous told us of both, and
 * @privates are our own @private_count.
 */
enum technique technique_of(uint32_t own, uint32_t theirs, const struct introduction *introduction,
			    const struct endpoint *privates, size_t private_count);

const char *technique_name(enum technique technique);

#endif
