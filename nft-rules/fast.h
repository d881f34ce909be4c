/* SPDX-License-Identifier: MIT */
/* The short way of nearly every packet. Private to nft-rules. */
#ifndef NATSIM_NFT_RULES_FAST_H
#define NATSIM_NFT_RULES_FAST_H

#include "nft-rules/translation.h"

/* Does no axis ask to see every packet? */
bool fast_has_way(const struct translation *t);

/* One of the first rules of a chain that packets of @t's protocol go through when they arrive, or
 * when they leave; none where the axes need more to be looked at. */
void fast_add_arrive(const struct translation *t, struct chain *chain);
void fast_add_leave(const struct translation *tcp, struct chain *chain);

#endif
