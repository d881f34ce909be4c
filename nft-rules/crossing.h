/* SPDX-License-Identifier: MIT */
/* SYNs that cross: one from each side, on its way at the same time. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_CROSSING_H
#define NATSIM_NFT_RULES_CROSSING_H

#include "nft-rules/translation.h"

/* Add the sets and the chain that this TCP needs; other protocols have none. */
void crossing_init(struct translation *t);

/* Of packets that leave, before `keep`: an own SYN. */
void crossing_add_leave(const struct translation *t, struct chain *leave);

/* Of packets from outside that a permission admits, before conntrack sees them. */
void crossing_add_arrive(const struct translation *t, struct chain *arrive);

/* Of packets that go through. */
void crossing_add_forward(const struct translation *t, struct chain *forward);

#endif
